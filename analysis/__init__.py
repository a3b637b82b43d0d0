"""Analysis: what can be learnt without training a model to its end; one function per kind of analysis."""

from collections.abc import Callable
from typing import Any

from data.nearest import nearest

from .diagnostics import diagnose
from .reference_page import write_reference_page

__all__ = ["ANALYSES", "analyze"]

ANALYSES: dict[str, Callable[[Any], str]] = {
    "diagnostics": diagnose,
    "combiner_reference": write_reference_page,
}


def analyze(config: Any) -> str:
    """Runs the analysis that a config names.

    Args:
      config: `config.analysis` is a key of `ANALYSES`; the other fields are that analysis's own.

    Returns:
      What came out, for the terminal.

    Raises:
      ValueError: for an unknown analysis, with the nearest one, and whatever that analysis refuses.
    """
    if config.analysis not in ANALYSES:
        raise ValueError(
            f"unknown analysis {config.analysis!r}{nearest(config.analysis, ANALYSES)}; known are {', '.join(ANALYSES)}"
        )
    return ANALYSES[config.analysis](config)
