"""What every loader returns: NumPy splits, a specification, and the preprocessor that made them."""

import dataclasses
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32, Int32, Shaped


@dataclasses.dataclass(frozen=True)
class Split:
    """Examples ready for a model; all arrays share their first axis, N examples.

    Attributes:
        inputs: What the model reads, by name; the task's Spec says which names there are.
        targets: int32 [N], indices into the classes, or float32 [N], numbers in the target's own unit; None where
            the examples carry no targets.
        ids: N names of examples for a predictions file: the source's own id column, else the row number,
            counting the source's rows from 0.
        texts: The N raw texts, where the examples are texts.
        lengths: int32 [N], how many slots an example fills, where that differs: axis 1 of every input is then the
            slots, filled from the first on. None where all examples fill all.
    """

    inputs: Mapping[str, Shaped[np.ndarray, "N ..."]]
    targets: Int32[np.ndarray, "N"] | Float32[np.ndarray, "N"] | None
    ids: Sequence[str]
    texts: Sequence[str] = ()
    lengths: Int32[np.ndarray, "N"] | None = None

    def __len__(self) -> int:
        return len(self.ids)

    def fingerprint(self) -> str:
        """Returns a digest of all that a model sees of the examples, and of their ids."""
        digest = hashlib.sha256(json.dumps(list(self.ids)).encode())
        for name, array in sorted({**self.inputs, "targets": self.targets}.items()):
            digest.update(f"{name} {None if array is None else (array.dtype, array.shape)}".encode())
            if array is not None:
                digest.update(np.ascontiguousarray(array).view(np.uint8))
        return digest.hexdigest()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Spec:
    """What a model needs to know of the data, whatever the task; each task adds its own fields.

    Attributes:
        classes: Class names in index order; () where a number is predicted.
        target_mean: Of a number over the training split; a model's output 0 stands for it.
        target_scale: Standard deviation of a number over the training split; a model's output 1 is so far from 0.
    """

    classes: tuple[str, ...] = ()
    target_mean: float = 0.0
    target_scale: float = 1.0

    @property
    def num_outputs(self) -> int:
        """How many numbers a model puts out: one per class, or one."""
        return len(self.classes) or 1

    @property
    def max_length(self) -> int | None:
        """The largest number of slots, where examples fill different numbers of them (Split.lengths)."""
        return None

    def to_dict(self) -> dict[str, Any]:
        """Returns the fields as JSON types."""
        return json.loads(json.dumps(dataclasses.asdict(self)))


@dataclasses.dataclass(frozen=True, kw_only=True)
class TextSpec(Spec):
    """Texts as rows of word ids.

    A split's inputs are "tokens" int32 [N, L], 0 = padding (at the end of a row), 1 = unknown word; "weights"
    float32 [N, L], 0 at padding, only when word weights are in use; "tokens_b" as "tokens", for pairs of texts.

    Attributes:
        num_slots: L, the largest number of words of one example.
        vocab_size: Rows of the embedding table, padding and unknown included.
        num_extra: How many of them, the last ones, are of words that no training text holds.
        has_weights: Whether `inputs` hold word weights.
        is_pair: Whether an example is two texts.
    """

    num_slots: int
    vocab_size: int
    has_weights: bool = False
    is_pair: bool = False
    num_extra: int = 0

    @property
    def max_length(self) -> int | None:
        """The longest text's number of words."""
        return self.num_slots

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> "TextSpec":
        """Builds a TextSpec from `to_dict`'s answer."""
        return cls(**{**fields, "classes": tuple(fields["classes"])})


@runtime_checkable
class Preprocessor(Protocol):
    """Turns raw examples into a Split, on any machine, without the data set it was fitted to."""

    @property
    def spec(self) -> Spec:
        """The specification that every encoded Split keeps to."""
        ...

    def encode(self, rows: Sequence[Any], *, with_targets: bool = True) -> Split:
        """Encodes new examples; without targets, what they say of them is not looked at."""
        ...

    def read(self, path: str | os.PathLike[str], columns: Mapping[str, str]) -> Split:
        """Reads and encodes a user's file; it has no targets where its target column (or array) is missing.

        Args:
            path: The file.
            columns: Fields of config.data that name columns, such as {"label_column": "stars"}, where the file's
                differ from the training data's.
        """
        ...

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes one file from which `data.load_preprocessor` restores the preprocessor."""
        ...


@dataclasses.dataclass(frozen=True)
class Dataset:
    """A data set ready for training.

    Attributes:
        name: "rotten_tomatoes", "tweets", "tfds:imdb_reviews", "my.csv", ...
        splits: "train", "validation" and "test", and any further ones to test on.
        spec: What a model needs to know.
        preprocessor: Encodes new examples the same way.
        references: What is known beforehand, as {"bayes_optimal": {"test": {"rmse": 0.1}}}.
    """

    name: str
    splits: Mapping[str, Split]
    spec: Spec
    preprocessor: Preprocessor
    references: Mapping[str, Mapping[str, Mapping[str, float]]] = dataclasses.field(default_factory=dict)
