"""Cut splits are disjoint, exhaustive, stratified and fixed by their seed."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.splits import stratified_splits

CUTS = st.sampled_from([["test", "validation"], ["test"], ["validation"], []])
# Every class often enough to be in each of three splits.
LABELS = st.lists(st.integers(3, 40), min_size=2, max_size=5).flatmap(
    lambda counts: st.permutations([str(c) for c, n in enumerate(counts) for _ in range(n)])
)


@given(LABELS, CUTS, st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_disjoint_exhaustive_ordered_and_every_class_trains(labels, cut, seed):
    parts = stratified_splits(labels, cut, seed, "a.csv")
    assert set(parts) == {"train", *cut}
    assert sorted(i for part in parts.values() for i in part) == list(range(len(labels)))
    assert all(np.all(np.diff(part) > 0) for part in parts.values())
    assert {labels[i] for i in parts["train"]} == set(labels)


def test_a_tenth_each_with_the_proportions_of_the_whole():
    labels = ["a"] * 700 + ["b"] * 300
    parts = stratified_splits(labels, ["test", "validation"], 0, "a.csv")
    counts = {name: Counter(labels[i] for i in part) for name, part in parts.items()}
    assert counts == {
        "train": {"a": 560, "b": 240},
        "test": {"a": 70, "b": 30},
        "validation": {"a": 70, "b": 30},
    }


def test_the_seed_alone_decides():
    labels = ["a", "b"] * 100
    first, again, other = (stratified_splits(labels, ["test"], seed, "a.csv")["test"] for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_too_few_rows_names_the_class_and_the_number():
    with pytest.raises(
        ValueError,
        match=r"a.csv: too few rows to cut test and validation from: class 'b' has 2, expected at least 3",
    ):
        stratified_splits(["a"] * 9 + ["b"] * 2, ["test", "validation"], 0, "a.csv")
