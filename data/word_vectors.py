"""Vectors of words: one row per word, wherever they come from."""

import dataclasses
import functools
from collections.abc import Mapping

import numpy as np
from jaxtyping import Float32


@dataclasses.dataclass(frozen=True, eq=False)
class WordVectors:
    """V words and their vectors.

    Attributes:
        words: Distinct, most frequent first where the source knows.
        vectors: float32 [V, d].
    """

    words: tuple[str, ...]
    vectors: Float32[np.ndarray, "V d"]

    @functools.cached_property
    def rows(self) -> Mapping[str, int]:
        """Word -> its row."""
        return {word: row for row, word in enumerate(self.words)}
