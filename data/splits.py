"""Cuts validation and test examples out of a training set, or shrinks it: by class, and fixed by a seed."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from jaxtyping import Int32, Int64

_FRACTION = 0.1


def stratified_splits(
    labels: Sequence[str], cut: Sequence[str], seed: int, source: str, most: int | None = None
) -> dict[str, Int64[np.ndarray, "_"]]:
    """Returns disjoint, exhaustive index arrays: "train" and one of a tenth of the rows for each name in `cut`.

    Every split keeps the classes' proportions (scikit-learn's train_test_split with `stratify`); indices are
    sorted, so the examples keep the order of the source. The same labels, names and seed give the same answer.

    Args:
        labels: N class names.
        cut: Names of the splits to cut, "test" and "validation" or one of them, or none.
        seed: Fixes the choice.
        source: What the labels come from, for error messages.
        most: Rows that a cut split holds at most; None for no limit.

    Returns:
        Split name -> int64 [n], indices into `labels`.

    Raises:
        ValueError: There are too few rows, or too few of one class, to cut them.
    """
    rest = np.arange(len(labels))
    if not cut:
        return {"train": rest}
    counts = Counter(labels)
    rare, fewest = min(counts.items(), key=lambda item: (item[1], item[0]))
    if fewest <= len(cut):
        raise ValueError(
            f"{source}: too few rows to cut {' and '.join(cut)} from: class {rare!r} has {fewest}, expected at "
            f"least {len(cut) + 1}; add rows, or give path_validation and path_test"
        )
    from sklearn.model_selection import train_test_split  # slow to import, and few runs need it

    size = max(min(round(_FRACTION * len(labels)), most or len(labels)), len(counts))
    classes = np.asarray(labels)
    parts = {}
    for name in cut:
        rest, part = train_test_split(rest, test_size=size, stratify=classes[rest], random_state=seed)
        parts[name] = np.sort(part)
    return {"train": np.sort(rest), **parts}


def random_splits(num: int, cut: Sequence[str], seed: int, source: str) -> dict[str, Int64[np.ndarray, "_"]]:
    """As `stratified_splits`, for rows that have no classes: a number is predicted.

    The rows of a split do not depend on which others are cut after it.

    Args:
        num: Number of rows.
        cut: Names of the splits to cut.
        seed: Fixes the choice.
        source: What the rows come from, for error messages.

    Returns:
        Split name -> sorted indices, int64 [n].

    Raises:
        ValueError: There are too few rows to cut them.
    """
    if not cut:
        return {"train": np.arange(num)}
    if num < len(cut) + 2:
        raise ValueError(
            f"{source}: too few rows to cut {' and '.join(cut)} from: found {num}, expected at least "
            f"{len(cut) + 2}; add rows, or give path_validation and path_test"
        )
    order = np.random.default_rng(seed).permutation(num)
    size = max(round(_FRACTION * num), 1)
    parts = {name: np.sort(order[i * size : (i + 1) * size]) for i, name in enumerate(cut)}
    return {"train": np.sort(order[len(cut) * size :]), **parts}


def take_fraction(
    labels: Sequence[str] | Int32[np.ndarray, "N"] | None, num: int, fraction: float, seed: int
) -> Int64[np.ndarray, "_"]:
    """Returns which training rows a fraction of them consists of.

    A smaller fraction is a part of every larger one, and where there are classes, each keeps its share to within one
    row.

    Args:
        labels: N class names or indices; None where a number is predicted, or classes do not matter.
        num: N.
        fraction: In (0, 1]; max(1, round(fraction · N)) rows are taken.
        seed: Fixes the choice.

    Returns:
        Sorted indices, int64 [n].

    Raises:
        ValueError: The fraction is out of range.
    """
    if not 0 < fraction <= 1:
        raise ValueError(f"data.train_fraction must lie in (0, 1], got {fraction}")
    if fraction == 1:
        return np.arange(num)
    order = np.random.default_rng(seed).permutation(num)
    if labels is not None:
        # The i-th of the m rows of a class stands at (i + 1/2) / m: any prefix holds each class in proportion.
        classes = np.unique(np.asarray(labels), return_inverse=True)[1][order]
        by_class = np.argsort(classes, kind="stable")
        counts = np.bincount(classes)
        rank = np.concatenate([(np.arange(count) + 0.5) / count for count in counts])
        order = order[by_class[np.argsort(rank, kind="stable")]]
    return np.sort(order[: max(1, round(fraction * num))])
