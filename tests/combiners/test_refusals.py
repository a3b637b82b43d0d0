"""Checks that wrong input is refused with a ValueError that names the offender and what was expected."""

import numpy as np
import pytest
from flax import nnx

from combiners import COMBINERS, Combiner, make_combiner


def ones(*shape, dtype=np.float32):
    return np.ones(shape, dtype)


@pytest.mark.parametrize(
    ("x", "mask", "offender", "wanted"),
    [
        pytest.param(ones(3), None, r"\(3,\)", r"\[\.\.\., n, 3\]", id="rank of x"),
        pytest.param(ones(2, 4, 5), None, r"\(2, 4, 5\)", r"\[\.\.\., n, 3\]", id="width of x"),
        pytest.param(ones(2, 5, 3), None, "got 5", "at most 4 vectors", id="too many vectors"),
        pytest.param(ones(2, 4, 3, dtype=np.int32), None, "int32", "floating point", id="integer x"),
        pytest.param(ones(2, 4, 3, dtype=bool), None, "bool", "floating point", id="bool x"),
        pytest.param(ones(2, 4, 3), ones(2, 4), "float32", "must be bool", id="float mask"),
        pytest.param(ones(2, 4, 3), ones(2, 4, dtype=np.int32), "int32", "must be bool", id="integer mask"),
        pytest.param(ones(2, 4, 3), ones(4, dtype=bool), r"got \(4,\)", r"\(2, 4\)", id="mask of one bag"),
        pytest.param(ones(2, 4, 3), ones(2, 3, dtype=bool), r"got \(2, 3\)", r"\(2, 4\)", id="shorter mask"),
        pytest.param(ones(2, 4, 3), ones(2, 4, 1, dtype=bool), r"4, 1\)", r"\(2, 4\)", id="rank of the mask"),
    ],
)
@pytest.mark.parametrize("name", ["sum", "concat", "attention"])
def test_wrong_vectors_and_masks(name, x, mask, offender, wanted, make):
    with pytest.raises(ValueError, match=offender) as refusal:
        make(name)(x, mask)
    assert refusal.match(wanted)


@pytest.mark.parametrize(
    ("weights", "offender", "wanted"),
    [
        (ones(4), r"got \(4,\)", r"\(2, 4\)"),
        (ones(2, 3), r"got \(2, 3\)", r"\(2, 4\)"),
        (ones(2, 4, 1), r"got \(2, 4, 1\)", r"\(2, 4\)"),
        (ones(2, 4, dtype=np.int32), "int32", "floating point"),
        (ones(2, 4, dtype=bool), "bool", "floating point"),
    ],
)
@pytest.mark.parametrize("name", ["sum", "mean", "sqrtn"])
def test_wrong_weights(name, weights, offender, wanted, make):
    with pytest.raises(ValueError, match=offender) as refusal:
        make(name)(ones(2, 4, 3), weights=weights)
    assert refusal.match(wanted)


@pytest.mark.parametrize("name", ["max", "concat", "attention"])
def test_weights_without_a_meaning(name, make):
    with pytest.raises(ValueError, match=f"'{name}' has no meaning for weights"):
        make(name)(ones(2, 4, 3), weights=ones(2, 4))


def test_only_sums_and_means_have_a_meaning_for_weights():
    weighted = {name for name, cls in COMBINERS.items() if cls.accepts_weights}
    assert weighted == {"sum", "mean", "sqrtn", "project_then_mean"}


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"num_vectors": 0, "dim": 3}, "num_vectors must be a positive integer, got 0"),
        ({"num_vectors": -2, "dim": 3}, "num_vectors must be a positive integer, got -2"),
        ({"num_vectors": 2, "dim": 0}, "dim must be a positive integer .* got 0"),
        ({"num_vectors": 2, "dim": -1}, "dim must be a positive integer .* got -1"),
        ({"num_vectors": 2, "dim": ()}, r"dim must be a positive integer .* got \(\)"),
        ({"num_vectors": 2, "dim": (3, 0)}, r"dim must be a positive integer .* got \(3, 0\)"),
        ({"num_vectors": 2, "dim": (3, 3, 3)}, r"\(3, 3, 3\) names 3 widths for num_vectors=2"),
    ],
)
@pytest.mark.parametrize("name", ["sum", "concat", "attention"])
def test_sizes_that_cannot_be(name, sizes, message):
    with pytest.raises(ValueError, match=message):
        make_combiner(name, **sizes, rngs=nnx.Rngs(0))


# --- Unequal widths: only concatenations take them ---


def test_only_concatenations_take_unequal_widths():
    unequal = {name for name, cls in COMBINERS.items() if cls.accepts_unequal_widths}
    assert unequal == {"concat", "padded_sum", "cross_network"}


@pytest.mark.parametrize("name", ["sum", "max", "attention"])
def test_unequal_widths_where_they_have_no_meaning(name):
    with pytest.raises(ValueError, match=rf"'{name}' needs equal widths, got dim=\(3, 1\)"):
        make_combiner(name, num_vectors=2, dim=(3, 1), rngs=nnx.Rngs(0))


@pytest.mark.parametrize("name", ["sum", "max", "attention"])
def test_a_sequence_where_one_array_is_meant(name, make):
    with pytest.raises(
        ValueError, match=rf"'{name}' expects one array \[\.\.\., n, 3\], got a sequence of 2"
    ):
        make(name, num_vectors=2)([ones(2, 3)] * 2)


@pytest.mark.parametrize("name", ["sum", "max", "attention"])
def test_a_tuple_of_equal_widths_is_taken_for_one_width(name, make):
    assert make(name, num_vectors=2, dim=(3, 3)).dim == 3


# --- A fixed number of vectors ---


def test_another_number_than_the_arity():
    with pytest.raises(ValueError, match="'abs_difference' combines exactly 2 vectors, not 3"):
        make_combiner("abs_difference", num_vectors=3, dim=2)


@pytest.mark.parametrize("n", [0, 1, 3])
def test_another_number_than_the_fixed_one(n, make):
    with pytest.raises(ValueError, match=f"'abs_difference' was made for exactly 2 vectors, got {n}"):
        make("abs_difference")(ones(n, 3))


def test_a_reference_where_there_is_no_closed_form():
    class Nameless(Combiner):
        name = "nameless"

        def combine(self, x, mask, weights):
            return x[..., 0, :]

    with pytest.raises(NotImplementedError, match="'nameless' has no closed form"):
        Nameless(num_vectors=2, dim=3).numpy_reference([], np.ones(2, bool), None)


def test_an_option_that_there_is_not():
    with pytest.raises(ValueError, match="'sum' has no option 'featurs'"):
        COMBINERS["sum"](num_vectors=2, dim=3, featurs=5)


def test_truth_values_are_no_numbers():
    with pytest.raises(ValueError, match="num_vectors must be a positive integer, got True"):
        make_combiner("sum", num_vectors=True, dim=3)
    with pytest.raises(ValueError, match="features must be a positive integer or None, got True"):
        make_combiner("gru", num_vectors=2, dim=3, rngs=nnx.Rngs(0), features=True)


@pytest.mark.parametrize("name", ["concat", "padded_sum", "cross_network"])
def test_equal_widths_given_one_by_one_are_one_width(name, make):
    combiner = make(name, num_vectors=2, dim=(3, 3))
    x = np.random.default_rng(0).normal(size=(2, 2, 3)).astype(np.float32)
    np.testing.assert_array_equal(combiner(x), combiner([x[:, 0], x[:, 1]]))


@pytest.mark.parametrize("name", ["concat", "padded_sum"])
def test_parts_of_different_dtypes(name, make):
    with pytest.raises(ValueError, match=r"x\[0\] has float32, x\[1\] has float16"):
        make(name, num_vectors=2)([ones(4, 3), ones(4, 3, dtype=np.float16)])
