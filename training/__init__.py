"""Training: from a config to trained parameters, their metrics and the files of a run."""

from .evaluation import evaluate_workdir
from .lifecycle import run
from .summary import print_evaluation, print_summary
from .trained import TrainedRun, load

__all__ = ["TrainedRun", "evaluate_workdir", "load", "print_evaluation", "print_summary", "run"]
