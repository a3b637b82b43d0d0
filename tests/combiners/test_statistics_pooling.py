"""Checks statistics pooling: values by hand, limits of power means and softmax, gradients at ties, options refused."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from combiners.pooling import Max, Mean
from combiners.statistics_pooling import (
    KMax,
    LearnedPowerMean,
    LearnedSoftmaxAggregation,
    Median,
    Min,
    PowerMean,
    SoftmaxAggregation,
    Std,
    Variance,
)

POSITIVE = np.float32([[0.5, 1], [2, 4], [8, 4]])


def at_start(cls, n=3, dim=2, **options):
    """Makes a combiner with the parameters it starts with."""
    return cls(num_vectors=n, dim=dim, rngs=nnx.Rngs(0), **options)


def parameter_gradient(combiner, x):
    """Differentiates the sum of the output by the one parameter of a combiner."""
    return jax.tree.leaves(nnx.grad(lambda combiner: combiner(x).sum())(combiner))[0]


@pytest.mark.parametrize(
    ("cls", "mask", "y"),
    [
        (Min, [1, 1, 1], [-4, 0]),
        (Min, [1, 0, 1], [1, 0]),
        (Median, [1, 1, 1], [1, 2]),
        (Median, [1, 0, 1], [3, 1]),  # of two, their mean
        (Median, [0, 1, 0], [-4, 8]),
        (Variance, [1, 0, 1], [4, 1]),
        (Variance, [0, 1, 0], [0, 0]),
        (Std, [1, 0, 1], [2, 1]),
        (Std, [0, 1, 0], [0, 0]),
        (KMax, [1, 1, 1], [5, 8, 1, 2]),  # both largest, then both second largest
        (KMax, [0, 1, 0], [-4, 8, 0, 0]),
        (SoftmaxAggregation, [0, 1, 0], [-4, 8]),
        (PowerMean, [0, 1, 0], [1e-6, 8]),  # what is negative counts as 1e-6
    ],
)
def test_numbers_worked_out_by_hand(cls, mask, y, make, expected):
    combiner, mask = make(cls, num_vectors=3, dim=2), np.array(mask, bool)
    x = np.float32([[1, 2], [-4, 8], [5, 0]])
    np.testing.assert_allclose(combiner(x, mask), y, rtol=1e-6)
    np.testing.assert_allclose(expected(combiner, x, mask), y, rtol=1e-6)


# --- Power means ---


@pytest.mark.parametrize("cls", [PowerMean, LearnedPowerMean])
@pytest.mark.parametrize(
    ("p", "y"),
    [
        (1, [3.5, 3]),
        (-1, [8 / 7, 2]),
        (2, [np.sqrt(22.75), np.sqrt(11)]),
        (1e-6, [2, 16 ** (1 / 3)]),
        (-1e-6, [2, 16 ** (1 / 3)]),
        (1e6, [8, 4]),
        (-1e6, [0.5, 1]),
    ],
    ids=["mean", "harmonic", "quadratic", "geometric", "geometric from below", "maximum", "minimum"],
)
def test_a_power_mean_runs_from_the_minimum_to_the_maximum(cls, p, y, gradients):
    combiner = at_start(cls, p=p)
    # Within 3e-4 of zero the learned p stands at 3e-4, where the mean is larger by p · var(log x) / 2.
    np.testing.assert_allclose(combiner(POSITIVE), y, rtol=4e-4 if cls is LearnedPowerMean else 4e-6)
    assert np.isfinite(gradients(combiner, POSITIVE).x).all()


@pytest.mark.parametrize("p", [0.0, 1e-5, -1e-5])
def test_a_learned_power_passes_through_zero_with_the_slope_of_the_geometric_mean(p):
    # d/dp of the power mean at 0 is the geometric mean times var(log x) / 2.
    slope = np.exp(np.log(POSITIVE).mean(0)) * np.log(POSITIVE).var(0) / 2
    np.testing.assert_allclose(
        parameter_gradient(at_start(LearnedPowerMean, p=p), POSITIVE), slope.sum(), rtol=2e-3
    )


def test_powers_of_large_numbers_do_not_overflow():
    combiner = at_start(PowerMean, p=3)
    np.testing.assert_allclose(combiner(POSITIVE * 1e30), 1e30 * combiner(POSITIVE), rtol=1e-5)


@pytest.mark.parametrize("p", [3.0, 0.5, -2.0])
def test_what_a_power_mean_clamps_gets_no_gradient(p, gradients):
    gradient = gradients(at_start(PowerMean, p=p), np.float32([[0, 1], [-2, 1], [1, -1]])).x
    assert ((gradient > 0) == np.array([[0, 1], [0, 1], [1, 0]])).all()
    assert np.isfinite(gradient).all()


def test_the_mean_as_a_power_mean_has_the_gradient_of_the_mean_at_every_size_of_value(gradients):
    x = np.float32([[1e-5, 1], [1e-3, 1e5], [1, 1e10]])
    np.testing.assert_allclose(gradients(at_start(PowerMean, p=1), x).x, [[1 / 3, 2 / 3]] * 3, rtol=1e-5)


def test_power_means_want_embeddings_around_one():
    assert PowerMean.embedding_mean == LearnedPowerMean.embedding_mean == 1.0


# --- Softmax aggregation ---


def test_softmax_aggregation_runs_from_the_mean_to_the_maximum():
    hot, cold = (at_start(SoftmaxAggregation, temperature=t)(POSITIVE) for t in (1e6, 1e-3))
    np.testing.assert_allclose(hot, POSITIVE.mean(axis=0), rtol=1e-4)
    np.testing.assert_allclose(cold, POSITIVE.max(axis=0))


@pytest.mark.parametrize(
    ("temperature", "shares"), [(1, [1 / 8, 3 / 8, 4 / 8]), (0.5, [1 / 26, 9 / 26, 16 / 26])]
)
def test_softmax_aggregation_by_hand(temperature, shares):
    x = np.log(np.float32([[1, 4], [3, 3], [4, 1]]))
    y = at_start(SoftmaxAggregation, temperature=temperature)(x)
    np.testing.assert_allclose(y, [np.dot(shares, x[:, 0])] * 2, rtol=1e-6)


def test_learned_aggregations_start_as_the_fixed_ones():
    np.testing.assert_array_equal(
        at_start(LearnedSoftmaxAggregation)(POSITIVE), at_start(SoftmaxAggregation)(POSITIVE)
    )
    np.testing.assert_allclose(at_start(LearnedPowerMean)(POSITIVE), at_start(Mean)(POSITIVE), rtol=1e-6)


def test_at_beta_zero_softmax_aggregation_is_the_mean_and_its_slope_the_variance():
    combiner = at_start(LearnedSoftmaxAggregation)
    combiner.beta[...] = jnp.zeros(())
    np.testing.assert_allclose(combiner(POSITIVE), POSITIVE.mean(0), rtol=1e-6)
    np.testing.assert_allclose(parameter_gradient(combiner, POSITIVE), POSITIVE.var(0).sum(), rtol=1e-5)


@pytest.mark.parametrize(
    ("cls", "beta"),
    [(SoftmaxAggregation, 1e30), (LearnedSoftmaxAggregation, 1e30), (LearnedSoftmaxAggregation, -1e30)],
)
def test_softmax_aggregation_is_finite_where_beta_times_x_is_not(cls, beta, gradients):
    if cls is SoftmaxAggregation:
        combiner = at_start(cls, temperature=1e-30)
    else:
        combiner = at_start(cls)
        combiner.beta[...] = jnp.asarray(beta)
    x = np.float32([[1e9, -1e9], [-3e9, -2e9], [2e9, -3e9]])
    np.testing.assert_array_equal(combiner(x), x.max(axis=0) if beta > 0 else x.min(axis=0))
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(gradients(combiner, x)))


# --- Spread ---


@pytest.mark.parametrize("cls", [Variance, Std])
@pytest.mark.parametrize("value", [0.0, 0.1, -1e4, 1e30])
def test_equal_vectors_have_exactly_no_spread_and_no_gradient(cls, value, gradients):
    # Three times 0.1, added up and divided by three, need not be 0.1 again.
    x = np.full((3, 2), value, np.float32)
    np.testing.assert_array_equal(at_start(cls)(x), 0)
    np.testing.assert_array_equal(gradients(at_start(cls), x).x, 0)


def test_variance_does_not_cancel_far_from_zero():
    x = np.float32([[4096.25, -1], [4096.5, 0], [4096.75, 1]])
    np.testing.assert_allclose(at_start(Variance)(x), [1 / 24, 2 / 3], rtol=1e-6)


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_std_neither_overflows_nor_vanishes_at_any_scale(scale, gradients):
    deviations = np.float32([[1, 1], [1, -2], [-2, 1]])
    np.testing.assert_allclose(at_start(Std)(deviations * np.float32(scale)), [2**0.5 * scale] * 2, rtol=1e-6)
    gradient = gradients(at_start(Std), deviations * np.float32(scale)).x
    np.testing.assert_allclose(gradient, deviations * [1, 2] / (3 * 2**0.5), rtol=1e-5)


# --- Order statistics ---


@pytest.mark.parametrize(
    ("cls", "mask", "gradient"),
    [
        (Min, [1, 1, 1], [[0, 1], [0.5, 1], [0.5, 0]]),  # ties share; the loss counts the second output twice
        (Median, [1, 1, 0], [[0.5, 1], [0.5, 1], [0, 0]]),
        (KMax, [1, 0, 1], [[1, 4], [0, 0], [3, 2]]),  # and the third three times, the fourth four times
    ],
)
def test_only_the_values_taken_get_a_gradient(cls, mask, gradient, gradients):
    x = np.float32([[7, 2], [4, 2], [4, 9]])
    np.testing.assert_array_equal(gradients(at_start(cls), x, np.array(mask, bool)).x, gradient)


def test_of_values_tied_for_the_median_some_get_a_whole_gradient(gradients):
    gradient = gradients(at_start(Median), np.ones((3, 2), np.float32)).x
    assert gradient.min() >= 0
    np.testing.assert_array_equal(gradient.sum(axis=0), [1, 2])


def test_of_tied_values_in_k_max_the_first_in_the_bag_takes_the_first_place(gradients):
    x = np.float32([[0, 5], [3, 5], [3, 5], [3, 9]])
    # The loss counts the places of the two dimensions 1 and 2, then 3 and 4 times.
    gradient = gradients(at_start(KMax, n=4), x).x
    np.testing.assert_array_equal(gradient, [[0, 4], [1, 0], [3, 0], [0, 2]])
    gradient = gradients(at_start(KMax, n=4), x, np.array([0, 0, 1, 1], bool)).x
    np.testing.assert_array_equal(gradient, [[0, 0], [0, 0], [1, 4], [3, 2]])


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float32])
def test_order_statistics_of_a_longer_bag_are_those_of_its_sorted_values(dtype):
    x = jax.random.normal(jax.random.key(0), (2, 33, 3), dtype)
    mask = np.arange(33) < np.array([[33], [20]])
    k_max, median = at_start(KMax, n=33, dim=3, k=5)(x, mask), at_start(Median, n=33, dim=3)(x, mask)
    for bag, number in enumerate([33, 20]):
        present = np.asarray(x[bag, :number], np.float32)
        np.testing.assert_array_equal(k_max[bag].reshape(5, 3), np.sort(present, axis=0)[:-6:-1])
        np.testing.assert_allclose(median[bag], np.median(present, axis=0), rtol=4e-3)


@pytest.mark.parametrize("nan", [np.nan, -np.nan])
def test_a_nan_of_either_sign_shows_in_k_max(nan):
    assert np.isnan(at_start(KMax, k=1)(np.float32([[1, 2], [nan, nan], [3, 4]]))).all()


def test_k_max_of_one_is_the_maximum_and_of_more_than_there_are_is_padded():
    np.testing.assert_array_equal(at_start(KMax, k=1)(POSITIVE), at_start(Max)(POSITIVE))
    np.testing.assert_array_equal(at_start(KMax, k=4)(POSITIVE), [8, 4, 2, 4, 0.5, 1, 0, 0])
    assert KMax.output_width(3, 2) == 4
    assert KMax.output_width(3, 2, k=4) == 8


@pytest.mark.parametrize(
    ("cls", "options"),
    [(PowerMean, {"p": p}) for p in (0, np.nan, np.inf, 1e39, True)]
    + [(LearnedPowerMean, {"p": p}) for p in (np.nan, -np.inf, True, False)]
    + [(SoftmaxAggregation, {"temperature": t}) for t in (0, -1.0, np.nan, np.inf, True)]
    + [(KMax, {"k": k}) for k in (0, -1, True)],
)
def test_an_option_that_has_no_meaning_is_refused_by_its_value(cls, options):
    ((name, value),) = options.items()
    with pytest.raises(ValueError, match=rf"{name} must be .*, got {re.escape(repr(value))}"):
        at_start(cls, **options)
