"""Leaves out a reference that cannot be measured: a finished run is not lost for it."""

from collections.abc import Callable
from typing import TypeVar

import absl.logging

Measured = TypeVar("Measured")


def attempt(name: str, measure: Callable[[], Measured]) -> dict[str, Measured]:
    """Returns {name: measure()}; where that raises ValueError, nothing, and a warning says why.

    scikit-learn refuses what a network trains on: a single class, or a class of one example.
    """
    try:
        return {name: measure()}
    except ValueError as error:
        absl.logging.warning("reference %s is left out: %s", name, " ".join(str(error).split())[:200])
        return {}
