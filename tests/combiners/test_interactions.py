"""Checks differences, pairwise products, convolution and correlation: known values, identities, what is missing."""

import itertools

import jax.numpy as jnp
import numpy as np
import pytest

from combiners.interactions import (
    AbsDifference,
    BiInteraction,
    CircularConvolution,
    CircularCorrelation,
    Difference,
    Matching,
    PairwiseDots,
)

U, V, W = [1, 2, 3], [4, 0, -1], [2, 2, 2]


def bags(*shape, seed=0):
    return np.float32(np.random.default_rng(seed).normal(size=shape))


@pytest.mark.parametrize(
    ("cls", "x", "mask", "y"),
    [
        (Difference, [U, V, W], [1, 1, 1], [-5, 0, 2]),
        (Difference, [U, V, W], [0, 1, 1], [-6, -2, -1]),
        (Difference, [U, V, W], [1, 0, 1], [-1, 0, 1]),
        (AbsDifference, [U, V], [1, 1], [3, 2, 4]),
        (AbsDifference, [U, V], [0, 1], [4, 0, 1]),
        (BiInteraction, [U, V, W], [1, 1, 1], [14, 4, 1]),  # 1·4 + 1·2 + 4·2, 0 + 2·2 + 0, −3 + 6 − 2
        (BiInteraction, [U, V, W], [1, 0, 1], [2, 4, 6]),
        (BiInteraction, [U, V, W], [0, 1, 0], [0, 0, 0]),
        (PairwiseDots, [U, V, W], [1, 1, 1], [1, 12, 6]),  # u·v, u·w, v·w
        (PairwiseDots, [U, V, W], [1, 0, 1], [0, 12, 0]),
        (Matching, [U, V], [1, 1], [*U, *V, 3, 2, 4, 4, 0, -3]),
        (Matching, [U, V], [1, 0], [*U, 0, 0, 0, *U, 0, 0, 0]),
        (CircularConvolution, [U, V], [1, 1], [2, 5, 11]),  # 1·4 + 2·(−1) + 3·0, 1·0 + 2·4 + 3·(−1), …
        (CircularConvolution, [U, V, W], [1, 1, 1], [36, 36, 36]),
        (CircularConvolution, [U, V, W], [0, 1, 0], V),
        (CircularCorrelation, [U, V], [1, 1], [1, 10, 7]),  # 1·4 + 2·0 + 3·(−1), 1·0 + 2·(−1) + 3·4, …
        (CircularCorrelation, [U, V], [0, 1], V),
        (CircularCorrelation, [U, V], [1, 0], [1, 3, 2]),
    ],
)
def test_numbers_worked_out_by_hand(cls, x, mask, y, make, expected):
    combiner, x, mask = make(cls, num_vectors=len(x), dim=3), np.float32(x), np.array(mask, bool)
    np.testing.assert_allclose(combiner(x, mask), y, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(expected(combiner, x, mask), y, rtol=1e-12, atol=1e-12)


# --- Pairs ---


def test_bi_interaction_is_the_sum_of_all_pairwise_products(make):
    x = bags(6, 4)
    products = sum(x[i] * x[k] for i, k in itertools.combinations(range(6), 2))
    np.testing.assert_allclose(make(BiInteraction, num_vectors=6, dim=4)(x), products, rtol=1e-5, atol=1e-6)


def test_bi_interaction_keeps_the_digits_of_a_small_product_beside_a_large_square(make):
    # ½((Σx)² − Σx²) would be 0 here in float32: (1e6 + 1e-3)² and 1e12 are the same number.
    y = make(BiInteraction, num_vectors=2, dim=1)(np.float32([[1e6], [1e-3]]))
    np.testing.assert_allclose(y, [1e3], rtol=1e-6)


@pytest.mark.parametrize("n", [1, 2, 7])
def test_the_gradient_of_bi_interaction_is_the_sum_of_the_other_vectors(n, make, gradients):
    x = bags(n, 3)
    others = (x.sum(axis=0) - x) * [1, 2, 3]
    gradient = gradients(make(BiInteraction, num_vectors=7), x).x
    np.testing.assert_allclose(gradient, others, rtol=1e-5, atol=1e-5)


def test_the_dots_of_pairs_have_their_places_whatever_is_missing(make):
    x = bags(4, 3)
    dots = [x[i] @ x[k] for i, k in ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))]
    np.testing.assert_allclose(make(PairwiseDots)(x), dots, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(make(PairwiseDots)(x[:3]), [*dots[:3], 0, 0, 0], rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(make(PairwiseDots)(x[:1]), 0)


def test_the_dots_of_one_vector_are_refused_for_want_of_a_pair(make):
    with pytest.raises(ValueError, match=r"pairwise_dots.*num_vectors of at least 2, got 1"):
        make(PairwiseDots, num_vectors=1)


@pytest.mark.parametrize("cls", [AbsDifference, Matching, CircularCorrelation])
def test_what_is_said_of_two_takes_two(cls, make):
    with pytest.raises(ValueError, match="exactly 2"):
        make(cls, num_vectors=3)
    with pytest.raises(ValueError, match="exactly 2"):
        make(cls)(bags(1, 3))


def test_the_gradient_of_a_tie_is_zero(make, gradients):
    tied = np.float32([U, U])
    np.testing.assert_array_equal(gradients(make(AbsDifference), tied).x, 0)
    apart, product = [[1, 2, 3], [4, 5, 6]], np.multiply(U, [10, 11, 12])  # what [u; v] and u∘v pass on
    np.testing.assert_array_equal(gradients(make(Matching), tied).x, apart + product)


# --- Convolution and correlation ---


def test_correlation_reads_a_part_back_out_of_a_convolution(make):
    candidates = bags(50, 512) / np.sqrt(512)
    bound = make(CircularConvolution, num_vectors=2, dim=512)(candidates[:2])
    # Binding makes a vector unlike its parts; correlating with one part brings the other back.
    assert np.abs(candidates @ bound).max() < 0.3
    recovered = make(CircularCorrelation, dim=512)(jnp.stack([candidates[0], bound]))
    assert (candidates @ recovered).argmax() == 1


def test_correlation_is_convolution_with_the_involution_and_not_commutative(make):
    u, v = bags(2, 8)
    correlate, convolve = (
        make(cls, num_vectors=2, dim=8) for cls in (CircularCorrelation, CircularConvolution)
    )
    involution = -np.arange(8) % 8
    y = correlate(np.stack([u, v]))
    np.testing.assert_allclose(y, convolve(np.stack([u[involution], v])), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(correlate(np.stack([v, u])), y[involution], rtol=1e-4, atol=1e-5)
    # Of HolE: the first number is u·v, and rᵀ(u ⋆ v) = vᵀ(u ⊛ r).
    np.testing.assert_allclose(y[0], u @ v, rtol=1e-4)
    r = bags(8, seed=1)
    np.testing.assert_allclose(r @ y, v @ convolve(np.stack([u, r])), rtol=1e-4)


def test_delta_changes_nothing_and_a_shifted_delta_shifts(make):
    combiner, x, unit = make(CircularConvolution, dim=5), bags(2, 5), np.eye(5, dtype=np.float32)
    y = combiner(x)
    np.testing.assert_allclose(combiner(np.stack([*x, unit[0]])), y, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(combiner(np.stack([*x, unit[2]])), np.roll(y, 2), rtol=1e-4, atol=1e-5)


def test_plain_binding_keeps_a_length_of_about_one_for_few_vectors_only(make):
    lengths = [
        np.median(
            np.linalg.norm(make(CircularConvolution, num_vectors=n, dim=64)(bags(500, n, 64) / 8), axis=-1)
        )
        for n in (2, 8, 32)
    ]
    np.testing.assert_allclose(lengths, [0.98, 0.67, 0.02], atol=0.05)


def test_around_the_identity_a_convolution_is_the_sum_and_all_bindings(make, expected):
    combiner = make(CircularConvolution, num_vectors=3, around_identity=True)
    bind = make(CircularConvolution, num_vectors=3)
    x = np.float32([U, V, W])
    y = sum(
        np.asarray(bind(np.stack(part))) for size in (1, 2, 3) for part in itertools.combinations(x, size)
    )
    np.testing.assert_allclose(combiner(x), y, rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(expected(combiner, x), y, rtol=1e-5, atol=1e-4)
    present, pair = np.array([True, True, False]), [1 + 4 + 2, 2 + 0 + 5, 3 - 1 + 11]  # u + v + u ⊛ v
    np.testing.assert_allclose(combiner(x, present), pair, rtol=1e-5)
    np.testing.assert_allclose(expected(combiner, x, present), pair, rtol=1e-12)


def test_around_the_identity_small_vectors_give_their_sum_and_keep_their_digits(make):
    x = 1e-9 * bags(64, 8)
    y = make(CircularConvolution, num_vectors=64, dim=8, around_identity=True)(x)
    np.testing.assert_allclose(y, x.sum(axis=0), rtol=1e-4, atol=1e-14)


def test_around_the_identity_zeros_pass_a_gradient_on_as_a_sum_does(make, gradients):
    combiner = make(CircularConvolution, around_identity=True)
    gradient = gradients(combiner, np.zeros((4, 3), np.float32)).x
    np.testing.assert_allclose(gradient, np.tile([1, 2, 3], (4, 1)), rtol=1e-6)


def test_the_gradient_of_a_convolution_is_exact_at_zeros(make, gradients):
    # (0 ⊛ u ⊛ v)_k changes with the first vector's entry j by (u ⊛ v)_{k−j}; u and v can change nothing.
    gradient = gradients(make(CircularConvolution, num_vectors=3), np.float32([[0, 0, 0], U, V])).x
    product = np.array([2, 5, 11])
    np.testing.assert_allclose(gradient[0], [np.roll(product, j) @ [1, 2, 3] for j in range(3)], rtol=1e-5)
    np.testing.assert_array_equal(gradient[1:], 0)
