"""Checks concat, padded_sum and position_sum: their places, unequal widths, and how each equals the others."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from hypothesis import given
from hypothesis import strategies as st

WIDTHS = (3, 1, 2)
BATCH = 2
masks = st.lists(st.booleans(), min_size=BATCH * 3, max_size=BATCH * 3).map(
    lambda values: np.reshape(values, (BATCH, 3))
)
both = pytest.mark.parametrize("name", ["concat", "padded_sum"])


def normal(*shape, seed=0):
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), jnp.float32)


def unequal_parts():
    return [normal(BATCH, width, seed=width) for width in WIDTHS]


@both
@pytest.mark.parametrize(
    ("x", "mask", "y"),
    [
        pytest.param([[1, 2], [3, 4], [5, 6]], None, [1, 2, 3, 4, 5, 6], id="all"),
        pytest.param(
            [[1, 2], [3, 4], [5, 6]], [1, 0, 1], [1, 2, 0, 0, 5, 6], id="a masked slot keeps its place"
        ),
        pytest.param([[1, 2], [3, 4]], None, [1, 2, 3, 4, 0, 0], id="fewer vectors"),
        pytest.param([[1, 2], [3, 4]], [0, 1], [0, 0, 3, 4, 0, 0], id="fewer vectors, one masked"),
    ],
)
def test_numbers_worked_out_by_hand(name, x, mask, y, make, expected):
    combiner = make(name, num_vectors=3, dim=2)
    x, mask = np.float32(x), None if mask is None else np.array(mask, bool)
    np.testing.assert_array_equal(combiner(x, mask), y)
    np.testing.assert_array_equal(expected(combiner, x, mask), y)


@pytest.mark.parametrize(
    ("x", "mask", "y"),
    [
        ([[1, 2], [3, 4]], None, [2 + 3 + 40, 1 + 6 + 50]),
        ([[1, 2], [3, 4]], [0, 1], [3 + 40, 6 + 50]),
        ([[1, 2]], None, [2, 1]),
    ],
)
def test_position_sum_maps_each_slot_by_a_matrix_of_its_own(x, mask, y, make, expected):
    combiner = make("position_sum", num_vectors=2, dim=2)
    swap, other = [[0, 1], [1, 0]], [[1, 2], [10, 12.5]]
    combiner.kernel[...] = jnp.float32([swap, other])
    x, mask = np.float32(x), None if mask is None else np.array(mask, bool)
    np.testing.assert_allclose(combiner(x, mask), y, rtol=1e-6)
    np.testing.assert_allclose(expected(combiner, x, mask), y, rtol=1e-6)


# --- One is the other ---


@given(mask=masks)
def test_concat_and_padded_sum_are_exactly_equal(make, mask):
    x = normal(BATCH, 3, 2)
    np.testing.assert_array_equal(make("concat", 3, 2)(x, mask), make("padded_sum", 3, 2)(x, mask))
    parts = unequal_parts()
    np.testing.assert_array_equal(
        make("concat", 3, WIDTHS)(parts, mask), make("padded_sum", 3, WIDTHS)(parts, mask)
    )


@pytest.mark.parametrize("n", [1, 3])
def test_concat_then_a_dense_layer_is_position_sum(n, make):
    x = normal(BATCH, n, 2)
    position_sum = make("position_sum", num_vectors=3, dim=2, features=5)
    dense = np.reshape(position_sum.kernel[...], (3 * 2, 5))
    np.testing.assert_allclose(make("concat", 3, 2)(x) @ dense, position_sum(x), rtol=1e-5, atol=1e-6)


def test_position_sum_of_identities_is_the_sum(make):
    combiner, x = make("position_sum", num_vectors=3, dim=2), normal(BATCH, 3, 2)
    combiner.kernel[...] = jnp.stack([jnp.eye(2)] * 3)
    np.testing.assert_allclose(combiner(x), make("sum", 3, 2)(x), rtol=1e-6)


# --- Unequal widths ---


@both
@given(mask=masks)
def test_unequal_parts_lie_side_by_side(make, expected, name, mask):
    combiner, parts = make(name, 3, WIDTHS), unequal_parts()
    side_by_side = np.concatenate([part * mask[:, i, None] for i, part in enumerate(parts)], axis=-1)
    np.testing.assert_array_equal(combiner(parts, mask), side_by_side)
    np.testing.assert_array_equal(expected(combiner, parts, mask), side_by_side)


@both
def test_declared_width_of_unequal_parts_is_their_sum(name, make):
    combiner = make(name, 3, WIDTHS)
    assert combiner(unequal_parts()).shape == (BATCH, 6)
    assert combiner.out_dim == combiner.output_width(3, WIDTHS) == 6
    assert combiner.parameter_count(3, WIDTHS) == 0


@both
def test_fewer_unequal_parts_leave_zeros_at_the_end(name, make):
    y = make(name, 3, WIDTHS)(unequal_parts()[:2])
    np.testing.assert_array_equal(y[:, :4], np.concatenate(unequal_parts()[:2], axis=-1))
    np.testing.assert_array_equal(y[:, 4:], 0)


@both
def test_a_sequence_of_equal_parts_is_the_array_of_them(name, make):
    combiner, x = make(name, 3, 2), normal(BATCH, 3, 2)
    np.testing.assert_array_equal(combiner([x[:, 0], x[:, 1], x[:, 2]]), combiner(x))


@both
def test_a_masked_unequal_part_changes_nothing_and_gets_no_gradient(name, make, gradients):
    combiner = make(name, 3, WIDTHS)
    mask = np.array([[True, False, True], [False, False, False]])
    parts = [jnp.where(mask[:, i, None], part, jnp.nan) for i, part in enumerate(unequal_parts())]
    np.testing.assert_array_equal(combiner(parts, mask)[1], 0)
    columns_of_parts = [[1, 2, 3], [4], [5, 6]]  # the fixture multiplies column j of y by 1 + j
    for i, gradient in enumerate(gradients(combiner, parts, mask).x):
        np.testing.assert_array_equal(gradient, mask[:, i, None] * np.float32(columns_of_parts[i]))


@both
@pytest.mark.parametrize("transform", [jax.jit, jax.vmap], ids=["jit", "vmap"])
def test_unequal_parts_under_a_transformation_are_the_same(name, transform, make):
    combiner, mask = make(name, 3, WIDTHS), np.array([[True, False, True], [True, True, True]])
    y = transform(lambda parts, mask: combiner(parts, mask))(unequal_parts(), mask)
    np.testing.assert_array_equal(y, combiner(unequal_parts(), mask))


@both
@pytest.mark.parametrize(
    ("x", "offender", "wanted"),
    [
        (np.ones((BATCH, 3, 2), np.float32), r"widths \(3, 1, 2\)", "must be a sequence"),
        ([], "empty sequence", "at least one"),
        ([np.ones((BATCH, 3), np.float32)] * 4, "got 4", "at most 3"),
        ([np.ones((BATCH, 2), np.float32)], r"x\[0\].*got \(2, 2\)", r"shape \(2, 3\)"),
        (
            [np.ones((2, 3), np.float32), np.ones((5, 1), np.float32)],
            r"x\[1\].*got \(5, 1\)",
            r"shape \(2, 1\)",
        ),
        ([np.ones((2, 3), np.float32), np.ones((2, 1), np.int32)], r"x\[1\].*int32", "floating point"),
    ],
)
def test_wrong_parts_are_refused_with_what_was_expected(name, x, offender, wanted, make):
    with pytest.raises(ValueError, match=offender) as refusal:
        make(name, 3, WIDTHS)(x)
    assert refusal.match(wanted)


# --- The options and the start of position_sum ---


def test_features_sets_the_width_of_position_sum(make):
    combiner = make("position_sum", num_vectors=3, dim=2, features=5)
    sizes = [leaf.size for leaf in jax.tree.leaves(nnx.state(combiner, nnx.Param))]
    assert combiner(normal(BATCH, 3, 2)).shape == (BATCH, 5)
    assert combiner.out_dim == combiner.output_width(3, 2, features=5) == 5
    assert sum(sizes) == combiner.parameter_count(3, 2, features=5) == 3 * 2 * 5


@pytest.mark.parametrize("features", [0, -1])
def test_a_width_that_cannot_be_is_refused(features, make):
    with pytest.raises(ValueError, match=f"features must be a positive integer or None, got {features}"):
        make("position_sum", features=features)


def test_a_mapped_vector_starts_with_the_variance_of_the_vector(make):
    combiner = type(make("position_sum"))(num_vectors=2, dim=100, features=900, rngs=nnx.Rngs(0))
    assert np.var(combiner.kernel[...]) == pytest.approx(1 / 100, rel=0.05)
    assert not np.array_equal(combiner.kernel[0], combiner.kernel[1])
