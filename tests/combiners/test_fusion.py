"""Checks tensor fusion: where each product lies, that its low-rank form is a linear map of it, and its limits."""

import functools
import itertools

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from combiners.fusion import LowRankFusion, TensorFusion


def normal(*shape):
    return np.float32(np.random.default_rng(0).normal(size=shape))


# --- Where each product lies ---


def test_tensor_fusion_of_two_has_one_then_v_and_u_before_its_products(make):
    y = np.asarray(TensorFusion(num_vectors=2, dim=2)(np.float32([[2, 3], [5, 7]])))
    np.testing.assert_array_equal(y, [1, 5, 7, 2, 10, 14, 3, 15, 21])


def test_tensor_fusion_holds_one_both_vectors_and_their_outer_product(make):
    u, v = x = normal(2, 3)
    table = np.reshape(make(TensorFusion, num_vectors=2)(x), (4, 4))
    assert table[0, 0] == 1
    np.testing.assert_array_equal(table[0, 1:], v)
    np.testing.assert_array_equal(table[1:, 0], u)
    np.testing.assert_allclose(table[1:, 1:], np.outer(u, v), rtol=1e-6)


def test_tensor_fusion_is_the_kronecker_product_of_vectors_with_a_one_in_front(make):
    x = normal(4, 2)
    kronecker = functools.reduce(np.kron, np.insert(x, 0, 1, axis=1))
    np.testing.assert_allclose(make(TensorFusion, dim=2)(x), kronecker, rtol=1e-5)


def test_tensor_fusion_of_numbers_holds_the_product_of_every_subset(make):
    y = np.reshape(make(TensorFusion, num_vectors=3, dim=1)(np.float32([[2], [3], [5]])), (2, 2, 2))
    for subset in itertools.product((0, 1), repeat=3):
        assert y[subset] == np.prod(
            [value for value, chosen in zip((2, 3, 5), subset, strict=True) if chosen]
        )


@pytest.mark.parametrize(
    ("x", "mask", "y"),
    [
        pytest.param([[2, 3], [5, 7]], [1, 0], [1, 0, 0, 2, 0, 0, 3, 0, 0], id="the second masked"),
        pytest.param([[2, 3], [5, 7]], [0, 1], [1, 5, 7, 0, 0, 0, 0, 0, 0], id="the first masked"),
        pytest.param([[2, 3]], [1], [1, 0, 0, 2, 0, 0, 3, 0, 0], id="the second missing"),
        pytest.param([[0, 0], [0, 0]], [1, 1], [1, 0, 0, 0, 0, 0, 0, 0, 0], id="two zero vectors"),
        pytest.param([[2, 3], [5, 7]], [0, 0], [0, 0, 0, 0, 0, 0, 0, 0, 0], id="an empty bag"),
    ],
)
def test_tensor_fusion_leaves_what_is_present_in_place(x, mask, y, make, expected):
    combiner, x, mask = make(TensorFusion, num_vectors=2, dim=2), np.float32(x), np.array(mask, bool)
    np.testing.assert_array_equal(combiner(x, mask), y)
    np.testing.assert_array_equal(expected(combiner, x, mask), y)


# --- The low-rank form ---


def test_low_rank_fusion_is_a_linear_map_of_tensor_fusion_whatever_is_masked(make):
    low_rank = make(LowRankFusion, num_vectors=3, dim=2, rank=4, features=5)
    factors = np.concatenate([np.asarray(low_rank.bias[...])[:, :, None], low_rank.kernel[...]], axis=2)
    weight = np.einsum("raf,rbf,rcf->abcf", *factors).reshape(27, 5)
    x = np.tile(normal(3, 2), (8, 1, 1))
    mask = np.array(list(itertools.product((False, True), repeat=3)))
    y = np.asarray(make(TensorFusion, num_vectors=3, dim=2)(x, mask)) @ weight
    np.testing.assert_allclose(low_rank(x, mask), y, rtol=1e-4, atol=1e-4)


def test_low_rank_fusion_worked_out_by_hand(make, expected):
    combiner = make(LowRankFusion, num_vectors=2, dim=1, rank=2, features=1)
    combiner.kernel[...] = jnp.float32([[1, 2], [3, 4]])[:, :, None, None]
    combiner.bias[...] = jnp.float32([[10, 20], [30, 40]])[:, :, None]
    x = np.float32([[5], [6]])
    x, mask = np.float32([[[5], [6]]] * 3), np.array([[1, 1], [1, 0], [0, 1]], bool)
    y = [
        [(10 + 5) * (30 + 18) + (20 + 10) * (40 + 24)],
        [(10 + 5) * 30 + (20 + 10) * 40],
        [10 * (30 + 18) + 20 * (40 + 24)],
    ]
    np.testing.assert_array_equal(combiner(x, mask), y)
    np.testing.assert_array_equal(expected(combiner, x, mask), y)


@pytest.mark.parametrize("n", [1, 16])
def test_at_the_start_low_rank_fusion_varies_as_little_or_much_for_any_number_of_vectors(n):
    y = LowRankFusion(num_vectors=n, dim=32, features=128, rngs=nnx.Rngs(0))(normal(500, n, 32))
    np.testing.assert_allclose(np.var(y), (1 + 1 / n) ** n - 1, rtol=0.2)
    np.testing.assert_allclose(np.mean(y), 0, atol=0.05)


# --- Sizes and options ---


@pytest.mark.parametrize(("num_vectors", "dim"), [(2, 1023), (4, 31), (20, 1)])
def test_tensor_fusion_is_made_up_to_a_width_of_two_to_the_twenty(num_vectors, dim):
    assert TensorFusion(num_vectors=num_vectors, dim=dim).out_dim == 2**20


@pytest.mark.parametrize(
    ("num_vectors", "dim", "size"), [(2, 1024, r"1025\^2 ≥ 2\^20"), (7, 100, r"101\^7 ≥ 2\^46")]
)
def test_a_wider_tensor_fusion_is_refused_with_its_size(num_vectors, dim, size):
    for refused in (TensorFusion.output_width, TensorFusion):
        with pytest.raises(ValueError, match=rf"'tensor_fusion' would be {size} wide.*at most 2\^20"):
            refused(num_vectors=num_vectors, dim=dim)


@pytest.mark.parametrize(
    ("options", "width", "count"),
    [({}, 5, 3 * 4 * (5 + 1) * 5), ({"rank": 2, "features": 7}, 7, 3 * 2 * (5 + 1) * 7)],
)
def test_sizes_of_low_rank_fusion_follow_its_options(options, width, count):
    combiner = nnx.eval_shape(lambda: LowRankFusion(num_vectors=3, dim=5, rngs=nnx.Rngs(0), **options))
    assert combiner.out_dim == LowRankFusion.output_width(3, 5, **options) == width
    assert LowRankFusion.parameter_count(3, 5, **options) == count
    assert combiner.kernel.size + combiner.bias.size == count


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rank": 0}, "rank must be a positive integer, got 0"),
        ({"features": -1}, "features must be a positive integer or None, got -1"),
    ],
)
def test_sizes_that_cannot_be_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        LowRankFusion(num_vectors=2, dim=3, rngs=nnx.Rngs(0), **options)
