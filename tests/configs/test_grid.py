"""Override dicts are combined as itertools combines sequences."""

import pytest

from configs import grid

COMBINERS = grid.over("model.combiner", "sum", "mean")


def test_a_product_holds_every_combination_and_its_last_factor_changes_fastest():
    arms = list(grid.product(COMBINERS, grid.over("model.dim", 8, 16)))
    assert arms == [
        {"model.combiner": "sum", "model.dim": 8},
        {"model.combiner": "sum", "model.dim": 16},
        {"model.combiner": "mean", "model.dim": 8},
        {"model.combiner": "mean", "model.dim": 16},
    ]


def test_a_single_dict_stands_for_a_sequence_of_one():
    assert list(grid.product({"train.epochs": 3}, COMBINERS)) == [
        {"train.epochs": 3, "model.combiner": "sum"},
        {"train.epochs": 3, "model.combiner": "mean"},
    ]


def test_zip_goes_side_by_side_and_wants_equal_lengths():
    zipped = list(grid.zip(COMBINERS, grid.over("model.dim", 8, 16)))
    assert zipped == [
        {"model.combiner": "sum", "model.dim": 8},
        {"model.combiner": "mean", "model.dim": 16},
    ]
    with pytest.raises(ValueError, match="shorter"):
        list(grid.zip(COMBINERS, grid.over("model.dim", 8)))


def test_chain_appends():
    assert list(grid.chain(COMBINERS, {"model.combiner": "concat"})) == [
        *COMBINERS,
        {"model.combiner": "concat"},
    ]


def test_a_field_that_is_set_twice_in_one_arm_is_refused():
    with pytest.raises(ValueError, match=r"model\.combiner: set twice"):
        list(grid.product(COMBINERS, COMBINERS))
