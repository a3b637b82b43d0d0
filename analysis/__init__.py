"""Analysis: what is learnt from many models, or without training one to its end; a function per kind."""

from collections.abc import Callable
from typing import Any

from data import nearest as names  # the package `analysis.nearest` would shadow its function
from training.compilation import use_compilation_cache

from .comparison import compare
from .diagnostics import diagnose
from .equivalences import measure_equivalences
from .export import export_vectors
from .folding import fold_run
from .learning_curve import draw_learning_curve
from .published import check_published
from .queries import answer_queries
from .reference_page import write_reference_page
from .vector_sums import measure_vector_sums
from .word_vectors import measure_word_vectors

__all__ = ["ANALYSES", "analyze"]

ANALYSES: dict[str, Callable[[Any], str]] = {
    "comparison": compare,
    "diagnostics": diagnose,
    "equivalences": measure_equivalences,
    "export_vectors": export_vectors,
    "fold": fold_run,
    "combiner_reference": write_reference_page,
    "learning_curve": draw_learning_curve,
    "nearest": answer_queries,
    "published": check_published,
    "vector_sums": measure_vector_sums,
    "word_vectors": measure_word_vectors,
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
    if "analysis" not in config:
        raise ValueError(f"this config trains the task {config.get('task')!r}: give it to train.py")
    if config.analysis not in ANALYSES:
        raise ValueError(
            f"unknown analysis {config.analysis!r}{names.nearest(config.analysis, ANALYSES)}; "
            f"known are {', '.join(ANALYSES)}"
        )
    use_compilation_cache("")
    return ANALYSES[config.analysis](config)
