"""Checked text examples on their way from a source (file, TFDS, Python) to arrays."""

import dataclasses
import math
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Int32, Int64

from data.nearest import nearest

_WHOLE_NUMBER = re.compile(r"[+-]?\d+")


@dataclasses.dataclass(frozen=True)
class Examples:
    """N text examples.

    Attributes:
        texts: N texts.
        labels: N class names, or None where there are none.
        ids: N names of examples.
        weights: N raw cells of a weights column, or None where no column is used.
        where: Index -> the example's place in its source, for error messages.
    """

    texts: Sequence[str]
    labels: Sequence[str] | None
    ids: Sequence[str]
    weights: Sequence[Any] | None
    where: Callable[[int], str]

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, indices: Int64[np.ndarray, "n"]) -> "Examples":
        """Returns the examples at `indices`, int64 [n], in that order."""

        def pick(values: Sequence[Any] | None) -> list[Any] | None:
            return None if values is None else [values[i] for i in indices]

        return Examples(
            texts=[self.texts[i] for i in indices],
            labels=pick(self.labels),
            ids=[self.ids[i] for i in indices],
            weights=pick(self.weights),
            where=lambda i: self.where(int(indices[i])),
        )


def checked_examples(
    texts: Sequence[Any],
    labels: Sequence[Any] | None,
    ids: Sequence[Any] | None,
    weights: Sequence[Any] | None,
    where: Callable[[int], str],
) -> Examples:
    """Checks raw cells and returns them as Examples.

    Args:
        texts: N cells of text.
        labels: N cells holding text or whole numbers, or None for examples without labels.
        ids: N names, or None to number the rows from 0; a name that is missing is its row's number.
        weights: N raw cells, or None.
        where: Index -> the cell's place, for error messages.

    Raises:
        ValueError: A text or a label is missing or of a wrong type; the message names the place.
    """
    return Examples(
        texts=[_text(cell, where, i) for i, cell in enumerate(texts)],
        labels=None if labels is None else [_label(cell, where, i) for i, cell in enumerate(labels)],
        ids=[str(i if ids is None or ids[i] is None else ids[i]) for i in range(len(texts))],
        weights=weights,
        where=where,
    )


def sorted_classes(labels: Iterable[str], source: str) -> tuple[str, ...]:
    """Returns the distinct labels, by value where all are whole numbers, else as text.

    Raises:
        ValueError: There are fewer than two.
    """
    names = set(labels)
    if len(names) < 2:
        raise ValueError(f"{source}: expected at least two classes, found {sorted(names)}")
    if all(_WHOLE_NUMBER.fullmatch(name) for name in names):
        return tuple(sorted(names, key=lambda name: (int(name), name)))
    return tuple(sorted(names))


def class_indices(examples: Examples, classes: Sequence[str]) -> Int32[np.ndarray, "N"] | None:
    """Returns int32 [N] indices into `classes`, or None for examples without labels.

    Raises:
        ValueError: A label is not a class of the training set; the message names the place.
    """
    if examples.labels is None:
        return None
    index = {name: i for i, name in enumerate(classes)}
    for i, label in enumerate(examples.labels):
        if label not in index:
            raise ValueError(
                f"{examples.where(i)}: label {label!r} is not a class of the training set{nearest(label, classes)}; "
                f"expected one of {', '.join(map(repr, classes))}"
            )
    return np.array([index[label] for label in examples.labels], np.int32)


def _missing(cell: Any) -> bool:
    return cell is None or (isinstance(cell, float) and math.isnan(cell))


def _text(cell: Any, where: Callable[[int], str], i: int) -> str:
    if _missing(cell):
        raise ValueError(f"{where(i)}: the text is missing")
    if not isinstance(cell, str):
        raise ValueError(f"{where(i)}: expected a text, found {cell!r} of type {type(cell).__name__}")
    try:
        cell.encode()
    except UnicodeEncodeError as error:  # JSON can smuggle in half of a surrogate pair
        raise ValueError(f"{where(i)}: the text is not valid Unicode ({error.reason})") from error
    return cell


def _label(cell: Any, where: Callable[[int], str], i: int) -> str:
    if _missing(cell) or (isinstance(cell, str) and not cell.strip()):
        raise ValueError(f"{where(i)}: the label is missing")
    if isinstance(cell, float | np.floating) and float(cell).is_integer():
        return str(int(cell))  # whole numbers beside missing ones become floats in many a pipeline
    if not isinstance(cell, str | int | np.integer):
        raise ValueError(f"{where(i)}: expected a label of text or a whole number, found {cell!r}")
    return str(cell).strip()
