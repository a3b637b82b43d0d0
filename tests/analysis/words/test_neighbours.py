"""Nearest neighbours: planted ones, their ranks, and how far they depend on the seed."""

import numpy as np
import pytest

from analysis.words.neighbours import check_columns, measure_neighbours

ROWS = {"house": 0, "mansion": 1, "kitchen": 2, "car": 3}
# As words, house and mansion go together; beside house stands kitchen.
CENTRE = np.asarray([[1, 0, 0], [0.9, 0.1, 0], [0, 1, 0], [0, 0, 1]], np.float32)
CONTEXT = np.asarray([[0, 1, 0], [0, 0.2, 1], [1, 0, 0.1], [0, -1, 0]], np.float32)


def measure(column, centre=CENTRE[None], context=CONTEXT[None], k=2, probes=()):
    return measure_neighbours(
        {"house": 0}, {"house": list(probes)} if probes else {}, centre, context, column, k
    )


def test_the_nearest_come_by_falling_cosine_without_the_query():
    assert [row for row, _ in measure("word")["lists"]["house"]] == [1, 2]
    assert measure("word")["lists"]["house"][0][1] == pytest.approx(0.9 / np.sqrt(0.82), abs=1e-6)
    assert measure("word→context")["lists"]["house"][0][0] == ROWS["kitchen"]
    assert [row for row, _ in measure("concat", k=9)["lists"]["house"]] == [1, 2, 3]


def test_of_equal_cosines_the_more_frequent_word_comes_first():
    centre = np.ones((1, 5, 2), np.float32)
    assert [row for row, _ in measure("word", centre, centre, k=3)["lists"]["house"]] == [1, 2, 3]


def test_ranks_of_probes_are_given_for_every_seed():
    both = np.stack([CENTRE, CENTRE[[0, 3, 2, 1]]])
    found = measure("word", both, np.stack([CONTEXT, CONTEXT]), probes=[1, 3])
    assert found["ranks"] == {"house": [[1, 2], [3, 1]]}  # kitchen and car tie: the more frequent is nearer


def test_overlap_is_the_share_of_neighbours_that_seeds_have_in_common():
    both = np.stack([CENTRE, CENTRE[[0, 3, 2, 1]]])
    contexts = np.stack([CONTEXT, CONTEXT])
    assert measure("word", both, contexts, k=2)["overlap"] == {"house": 0.5}
    assert measure("word", both, contexts, k=3)["overlap"] == {"house": 1.0}
    assert measure("word")["overlap"] == {"house": None}


def test_no_query_gives_no_lists():
    found = measure_neighbours({}, {}, CENTRE[None], CONTEXT[None], "sum", 3)
    assert found == {"lists": {}, "overlap": {}, "ranks": {}}


def test_an_unknown_column_is_refused_with_the_nearest_name():
    check_columns(["word", "word→context"])
    with pytest.raises(ValueError, match=r"unknown combination 'hybird' \(did you mean 'hybrid'\?\)"):
        check_columns(["hybird"])
