"""Training: from a config to trained parameters, their metrics and the files of a run."""

from .profiling import print_profile
from .summary import print_evaluation, print_summary
from .tasks import evaluate_workdir, run
from .trained import TrainedRun, load
from .words import TrainedWords, load_words

__all__ = [
    "TrainedRun",
    "TrainedWords",
    "evaluate_workdir",
    "load",
    "load_words",
    "print_evaluation",
    "print_profile",
    "print_summary",
    "run",
]
