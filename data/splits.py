"""Cuts validation and test examples out of a training set, stratified by class and fixed by a seed."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from jaxtyping import Int64

_FRACTION = 0.1


def stratified_splits(
    labels: Sequence[str], cut: Sequence[str], seed: int, source: str
) -> dict[str, Int64[np.ndarray, "_"]]:
    """Returns disjoint, exhaustive index arrays: "train" and one of a tenth of the rows for each name in `cut`.

    Every split keeps the classes' proportions (scikit-learn's train_test_split with `stratify`); indices are
    sorted, so the examples keep the order of the source. The same labels, names and seed give the same answer.

    Args:
        labels: N class names.
        cut: Names of the splits to cut, "test" and "validation" or one of them, or none.
        seed: Fixes the choice.
        source: What the labels come from, for error messages.

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

    size = max(round(_FRACTION * len(labels)), len(counts))
    classes = np.asarray(labels)
    parts = {}
    for name in cut:
        rest, part = train_test_split(rest, test_size=size, stratify=classes[rest], random_state=seed)
        parts[name] = np.sort(part)
    return {"train": np.sort(rest), **parts}
