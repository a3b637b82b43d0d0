"""Sweeps: many arms, each tuned on validation with the same budget and then trained afresh and tested once."""

from .engines import ENGINES, Engine
from .estimate import print_plan
from .plan import Arm, Plan, make_plan
from .run import run_sweep
from .shared_data import SharedData

__all__ = ["ENGINES", "Arm", "Engine", "Plan", "SharedData", "make_plan", "print_plan", "run_sweep"]
