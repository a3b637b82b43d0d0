"""What every loader returns: NumPy splits, a specification, and the preprocessor that made them."""

import dataclasses
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Int32, Shaped


@dataclasses.dataclass(frozen=True)
class Split:
    """Examples ready for a model; all arrays share their first axis, N examples.

    Attributes:
        inputs: "tokens" int32 [N, L], 0 = padding (at the end of a row), 1 = unknown word; and, only when
            word weights are in use, "weights" float32 [N, L], 0 at padding.
        targets: int32 [N], indices into the classes, or None where the examples carry no labels.
        ids: N names of examples for a predictions file: the source's own id column, else the row number,
            counting the source's rows from 0.
        texts: The N raw examples.
    """

    inputs: Mapping[str, Shaped[np.ndarray, "N ..."]]
    targets: Int32[np.ndarray, "N"] | None
    ids: Sequence[str]
    texts: Sequence[str]

    def __len__(self) -> int:
        return len(self.ids)

    def fingerprint(self) -> str:
        """Returns a digest of all that a model sees of the examples, and of their ids."""
        digest = hashlib.sha256(json.dumps(list(self.ids)).encode())
        for name, array in sorted({**self.inputs, "targets": self.targets}.items()):
            content = b"" if array is None else np.ascontiguousarray(array).tobytes()
            digest.update(
                f"{name} {None if array is None else (array.dtype, array.shape)}".encode() + content
            )
        return digest.hexdigest()


@dataclasses.dataclass(frozen=True)
class Spec:
    """What a model needs to know of the data; JSON-serialisable.

    Attributes:
        num_slots: L, the largest number of words of one example.
        vocab_size: Rows of the embedding table, padding and unknown included.
        classes: Class names in index order.
        has_weights: Whether `inputs` hold word weights.
    """

    num_slots: int
    vocab_size: int
    classes: tuple[str, ...]
    has_weights: bool

    def to_dict(self) -> dict[str, Any]:
        """Returns the fields as JSON types; `from_dict` is its inverse."""
        return {**dataclasses.asdict(self), "classes": list(self.classes)}

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> "Spec":
        """Builds a Spec from `to_dict`'s answer."""
        return cls(**{**fields, "classes": tuple(fields["classes"])})


@runtime_checkable
class Preprocessor(Protocol):
    """Turns raw examples into a Split, on any machine, without the data set it was fitted to."""

    @property
    def spec(self) -> Spec:
        """The specification that every encoded Split keeps to."""
        ...

    def encode(self, rows: Sequence[str | Mapping[str, Any]]) -> Split:
        """Encodes new examples."""
        ...

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes one file from which the preprocessor can be restored."""
        ...


@dataclasses.dataclass(frozen=True)
class Dataset:
    """A data set ready for training.

    Attributes:
        name: "rotten_tomatoes", "tweets", "tfds:imdb_reviews", "my.csv", ...
        splits: "train", "validation" and "test".
        spec: What a model needs to know.
        preprocessor: Encodes new examples the same way.
    """

    name: str
    splits: Mapping[str, Split]
    spec: Spec
    preprocessor: Preprocessor
