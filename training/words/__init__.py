"""Word vectors: their training, round by round over a corpus, and what it leaves."""

from .run import evaluate, run
from .trained import TrainedWords, load_words

__all__ = ["TrainedWords", "evaluate", "load_words", "run"]
