"""Checks the bilinear family: which weight of the full bilinear form each low-rank form stands for, and its start."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from combiners.bilinear import Bilinear, LowRankBilinear, Mutan, Tucker

PAIRS = [Bilinear, Tucker, Mutan]
each_pair = pytest.mark.parametrize("cls", PAIRS, ids=lambda cls: cls.name)


def normal(*shape):
    return np.float32(np.random.default_rng(0).normal(size=shape))


def bilinear(make, weight):
    """The full bilinear form of a weight [dim, dim, features]."""
    made = make(Bilinear, dim=weight.shape[0], features=weight.shape[2])
    made.kernel[...] = jnp.asarray(weight)
    return made


# --- Numbers worked out by hand ---


def test_bilinear_weighs_the_products_of_all_pairs_of_entries(make, expected):
    combiner = bilinear(make, np.float32([[[1, 0], [0, 1]], [[0, 10], [-1, 0]]]))
    x = np.float32([[2, 3], [5, 7]])
    np.testing.assert_array_equal(combiner(x), [2 * 5 - 3 * 7, 2 * 7 + 10 * 3 * 5])
    np.testing.assert_array_equal(expected(combiner, x), combiner(x))


def test_low_rank_bilinear_skips_masked_slots_as_factors_of_one(make):
    combiner = make(LowRankBilinear, num_vectors=3, dim=2)
    combiner.in_kernel[...] = jnp.float32([[[0, 1], [1, 0]], [[2, 0], [0, 1]], [[1, 0], [0, 10]]])
    combiner.in_bias[...] = jnp.float32([[1, 0], [0, 3], [-1, 1]])
    combiner.out_kernel[...] = jnp.float32([[1, 0], [0, 1]])
    x = np.float32([[1, 2], [3, 4], [5, 6]])  # its factors are (2 + 1, 1), (6, 4 + 3) and (5 − 1, 60 + 1)
    y = combiner(np.stack([x] * 3), np.array([[1, 1, 1], [1, 0, 1], [0, 1, 0]], bool))
    np.testing.assert_array_equal(y, [[3 * 6 * 4, 1 * 7 * 61], [3 * 4, 1 * 61], [6, 7]])


@each_pair
def test_a_pair_with_one_vector_masked_gives_zeros(cls, make):
    np.testing.assert_array_equal(make(cls)(normal(2, 2, 3), np.eye(2, dtype=bool)), 0)


# --- One is the other ---


def test_bilinear_is_a_linear_layer_on_the_outer_product(make):
    combiner, x = make(Bilinear, features=5), normal(4, 2, 3)
    outer = np.reshape(x[:, 0, :, None] * x[:, 1, None, :], (4, 9))
    dense = np.reshape(combiner.kernel[...], (9, 5))
    np.testing.assert_allclose(combiner(x), outer @ dense, rtol=1e-5, atol=1e-5)


def test_low_rank_bilinear_of_two_without_biases_is_bilinear_with_a_weight_of_shared_rank_one_terms(make):
    low_rank, x = make(LowRankBilinear, num_vectors=2, rank=2), normal(4, 2, 3)
    low_rank.in_bias[...] = jnp.zeros((2, 2))
    u, v = np.asarray(low_rank.in_kernel[...])
    full = bilinear(make, np.einsum("ir,jr,rk->ijk", u, v, low_rank.out_kernel[...]))
    np.testing.assert_allclose(low_rank(x), full(x), rtol=1e-5, atol=1e-5)


def test_low_rank_bilinear_of_two_is_a_bilinear_form_of_both_vectors_with_a_one_appended(make):
    low_rank, x = make(LowRankBilinear, num_vectors=2, rank=2), normal(4, 2, 3)
    u, v = np.concatenate([low_rank.in_kernel[...], low_rank.in_bias[...][:, None]], axis=1)
    weight = np.einsum("ir,jr,rk->ijk", u, v, low_rank.out_kernel[...])
    left, right = np.moveaxis(np.concatenate([x, np.ones((4, 2, 1))], axis=-1), 1, 0)
    np.testing.assert_allclose(
        low_rank(x), np.einsum("bi,bj,ijk->bk", left, right, weight), rtol=1e-5, atol=1e-5
    )


def test_tucker_between_identity_maps_is_bilinear_with_its_core_as_weight(make):
    tucker, x = make(Tucker, core_width=3), normal(4, 2, 3)
    tucker.in_kernel[...] = jnp.float32([np.eye(3)] * 2)
    tucker.out_kernel[...] = jnp.float32(np.eye(3))
    np.testing.assert_allclose(tucker(x), bilinear(make, tucker.core[...])(x), rtol=1e-5, atol=1e-5)


def test_mutan_is_tucker_with_core_slices_of_its_rank(make):
    mutan, tucker, x = make(Mutan, core_width=3, rank=2), make(Tucker, core_width=3), normal(4, 2, 3)
    left, right = np.asarray(mutan.core_factors[...])
    core = np.einsum("rik,rjk->ijk", left, right)
    assert np.linalg.matrix_rank(np.moveaxis(core, 2, 0)).tolist() == [2, 2, 2]
    tucker.in_kernel[...], tucker.out_kernel[...] = mutan.in_kernel[...], mutan.out_kernel[...]
    tucker.core[...] = jnp.asarray(core)
    np.testing.assert_allclose(mutan(x), tucker(x), rtol=1e-5, atol=1e-5)


def test_mutan_of_full_rank_can_be_any_tucker(make):
    mutan, tucker, x = make(Mutan, core_width=3, rank=3), make(Tucker, core_width=3), normal(4, 2, 3)
    mutan.in_kernel[...], mutan.out_kernel[...] = tucker.in_kernel[...], tucker.out_kernel[...]
    # M_r picks entry r of the first vector for every output, N_r is the core's r-th slab.
    picks = np.tile(np.eye(3)[:, :, None], (1, 1, 3))
    mutan.core_factors[...] = jnp.float32([picks, np.asarray(tucker.core[...])])
    np.testing.assert_allclose(mutan(x), tucker(x), rtol=1e-5, atol=1e-5)


# --- Sizes, start, options ---


@pytest.mark.parametrize(
    ("cls", "num_vectors", "options", "width", "count"),
    [
        (Bilinear, 2, {}, 5, 5 * 5 * 5),
        (Bilinear, 2, {"features": 2}, 2, 5 * 5 * 2),
        (LowRankBilinear, 3, {}, 5, 3 * (5 + 1) * 5 + 5 * 5),
        (LowRankBilinear, 3, {"rank": 2}, 5, 3 * (5 + 1) * 2 + 2 * 5),
        (Tucker, 2, {}, 5, 2 * 5 * 3 + 3 * 3 * 3 + 3 * 5),
        (Tucker, 2, {"core_width": 4}, 5, 2 * 5 * 4 + 4 * 4 * 4 + 4 * 5),
        (Mutan, 2, {}, 5, 2 * 5 * 3 + 2 * 2 * 3 * 3 + 3 * 5),
        (Mutan, 2, {"core_width": 4, "rank": 3}, 5, 2 * 5 * 4 + 2 * 3 * 4 * 4 + 4 * 5),
    ],
)
def test_sizes_follow_the_options(cls, num_vectors, options, width, count):
    combiner = nnx.eval_shape(lambda: cls(num_vectors=num_vectors, dim=5, rngs=nnx.Rngs(0), **options))
    assert combiner.out_dim == cls.output_width(num_vectors, 5, **options) == width
    assert cls.parameter_count(num_vectors, 5, **options) == count
    assert sum(leaf.size for leaf in jax.tree.leaves(nnx.state(combiner, nnx.Param))) == count


@pytest.mark.parametrize(
    ("cls", "options"),
    [
        (Bilinear, {"features": 64}),
        (Tucker, {"core_width": 48}),
        (Mutan, {"core_width": 64, "rank": 5}),
    ],
)
def test_at_the_start_the_output_has_the_variance_of_one_vector(cls, options):
    combiner = cls(num_vectors=2, dim=32, rngs=nnx.Rngs(0), **options)
    np.testing.assert_allclose(np.var(combiner(normal(500, 2, 32))), 1, atol=0.35)


@pytest.mark.parametrize("n", [2, 16, 64])
def test_low_rank_bilinear_starts_with_a_bounded_size_for_any_number_of_vectors(n):
    combiner = LowRankBilinear(num_vectors=n, dim=32, rngs=nnx.Rngs(0), rank=256)
    y = combiner(normal(500, n, 32))
    np.testing.assert_allclose(np.mean(np.square(y)), (1 + 1 / n) ** n, rtol=0.25)
    np.testing.assert_allclose(np.mean(np.var(y, axis=0)), (1 + 1 / n) ** n - 1, rtol=0.25)


def test_low_rank_bilinear_of_a_long_bag_of_small_embeddings_varies_and_has_a_gradient():
    combiner, x = LowRankBilinear(num_vectors=64, dim=8, rngs=nnx.Rngs(0)), 0.03 * normal(20, 64, 8)
    y, gradient = jax.jit(lambda x: (combiner(x), jax.grad(lambda x: jnp.sum(combiner(x)))(x)))(x)
    assert np.std(y, axis=0).min() > 0.003
    assert np.std(gradient) > 0.01


@pytest.mark.parametrize(
    ("cls", "option", "wanted"),
    [
        (Bilinear, "features", "a positive integer or None"),
        (LowRankBilinear, "rank", "a positive integer or None"),
        (Tucker, "core_width", "a positive integer or None"),
        (Mutan, "core_width", "a positive integer or None"),
        (Mutan, "rank", "a positive integer"),
    ],
)
@pytest.mark.parametrize("value", [0, -1])
def test_sizes_that_cannot_be_are_refused(cls, option, wanted, value):
    with pytest.raises(ValueError, match=f"^{option} must be {wanted}, got {value}$"):
        cls(num_vectors=2, dim=3, rngs=nnx.Rngs(0), **{option: value})


@each_pair
def test_pairs_are_exactly_two_vectors(cls, make):
    with pytest.raises(ValueError, match="exactly 2 vectors, not 3"):
        cls(num_vectors=3, dim=3, rngs=nnx.Rngs(0))
    with pytest.raises(ValueError, match="exactly 2 vectors, got 1"):
        make(cls)(normal(1, 3))
