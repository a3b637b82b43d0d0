"""The words of a corpus and how often each occurs, as one JSON file."""

import dataclasses
import functools
import json
import os
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Int64

from data.atomic import write_text


@dataclasses.dataclass(frozen=True, eq=False)
class CorpusVocabulary:
    """V words in the order of their rows: by falling count, equal ones by code points.

    Attributes:
        words: Distinct, lower case, NFC.
        counts: int64 [V].
    """

    FORMAT: ClassVar[str] = "combiner-ablations corpus vocabulary 1"

    words: tuple[str, ...]
    counts: Int64[np.ndarray, "V"]

    @functools.cached_property
    def rows(self) -> Mapping[str, int]:
        """Word -> its row."""
        return {word: row for row, word in enumerate(self.words)}

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes one JSON file, at once or not at all.

        Args:
            path: The file; its folder must exist.
        """
        content = {"format": self.FORMAT, "words": self.words, "counts": self.counts.tolist()}
        write_text(path, json.dumps(content))

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "CorpusVocabulary":
        """Restores what `save` wrote."""
        return cls(tuple(content["words"]), np.array(content["counts"], np.int64))
