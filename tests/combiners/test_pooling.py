"""Checks sum, mean, sqrtn and max: numbers worked out by hand, TensorFlow's weights, counts, cancelling and ties."""

import math

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

X = np.float32([[1, 2], [3, -4], [5, 0]])
FIRST_TWO = np.array([True, True, False])
WEIGHTS = np.float32([1, -2, 3])  # Σw = 2, Σw² = 14


@pytest.mark.parametrize(
    ("name", "mask", "weights", "y"),
    [
        ("sum", None, None, [9, -2]),
        ("sum", FIRST_TWO, None, [4, -2]),
        ("sum", None, WEIGHTS, [10, 10]),
        ("sum", FIRST_TWO, WEIGHTS, [-5, 10]),
        ("mean", None, None, [3, -2 / 3]),
        ("mean", FIRST_TWO, None, [2, -1]),
        ("mean", None, WEIGHTS, [5, 5]),
        ("mean", FIRST_TWO, WEIGHTS, [5, -10]),
        ("sqrtn", None, None, [9 / math.sqrt(3), -2 / math.sqrt(3)]),
        ("sqrtn", FIRST_TWO, None, [4 / math.sqrt(2), -2 / math.sqrt(2)]),
        ("sqrtn", None, WEIGHTS, [10 / math.sqrt(14), 10 / math.sqrt(14)]),
        ("sqrtn", FIRST_TWO, WEIGHTS, [-5 / math.sqrt(5), 10 / math.sqrt(5)]),
        ("max", None, None, [5, 2]),
        ("max", FIRST_TWO, None, [3, 2]),
    ],
)
def test_numbers_worked_out_by_hand(name, mask, weights, y, make, expected):
    combiner = make(name, num_vectors=3, dim=2)
    np.testing.assert_allclose(combiner(X, mask, weights), y, rtol=1e-6)
    np.testing.assert_allclose(expected(combiner, X, mask, weights), y, rtol=1e-6)


# --- Sum, mean and sqrtn are one sum, divided by different lengths ---


@given(present=st.lists(st.booleans(), min_size=4, max_size=4), seed=st.integers(0, 10))
def test_mean_is_sum_over_n_and_sqrtn_is_sum_over_root_n(make, present, seed):
    x, mask, n = (
        np.float32(np.random.default_rng(seed).normal(size=(4, 3))),
        np.array(present),
        max(1, sum(present)),
    )
    total = make("sum")(x, mask)
    np.testing.assert_allclose(make("mean")(x, mask), total / n, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(make("sqrtn")(x, mask), total / math.sqrt(n), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(("name", "by_minus_two"), [("sum", -2), ("mean", 1), ("sqrtn", -1)])
def test_scaling_all_weights_scales_the_sum_alone(name, by_minus_two, make):
    combiner = make(name, num_vectors=3, dim=2)
    np.testing.assert_allclose(
        combiner(X, weights=-2 * WEIGHTS), by_minus_two * combiner(X, weights=WEIGHTS), rtol=1e-6
    )


def test_sqrtn_keeps_the_variance_of_one_vector(make):
    x = np.float32(np.random.default_rng(0).normal(size=(50, 4000)))
    weights = np.float32(np.random.default_rng(1).uniform(0.1, 3, size=50))
    combiner = make("sqrtn", num_vectors=50, dim=4000)
    # 4000 independent values: their variance is known to √(2/4000), about 2%.
    assert np.var(combiner(x)) == pytest.approx(1, abs=0.1)
    assert np.var(combiner(x, weights=weights)) == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("name", "y"), [("mean", 1), ("sqrtn", math.sqrt(1000))])
def test_bfloat16_counts_past_256(name, y, weighted, make):
    ones = jnp.ones((1000, 1), jnp.bfloat16)
    combiner = make(name, num_vectors=1000, dim=1)
    assert float(combiner(ones, weights=ones[:, 0] if weighted else None)[0]) == pytest.approx(y, rel=2**-8)


# --- Weights that cancel ---


def test_mean_of_cancelling_weights_is_zero_with_a_zero_gradient(make, gradients):
    weights = np.float32([1, 2, -3])
    combiner = make("mean", num_vectors=3, dim=2)
    np.testing.assert_array_equal(combiner(X, weights=weights), [0, 0])
    gradient = gradients(combiner, jnp.asarray(X), None, jnp.asarray(weights))
    np.testing.assert_array_equal(gradient.x, np.zeros((3, 2)))
    np.testing.assert_array_equal(gradient.weights, np.zeros(3))


@pytest.mark.parametrize(
    ("name", "y"), [("sum", [-8, -6]), ("sqrtn", [-8 / math.sqrt(14), -6 / math.sqrt(14)])]
)
def test_cancelling_weights_are_nothing_special_to_sum_and_sqrtn(name, y, make):
    np.testing.assert_allclose(
        make(name, num_vectors=3, dim=2)(X, weights=np.float32([1, 2, -3])), y, rtol=1e-6
    )


# --- Max ---


def test_max_never_takes_a_masked_slot_for_a_zero(make):
    x = np.float32([[-5, -1], [-2, -3], [9, 9]])
    np.testing.assert_array_equal(make("max", num_vectors=3, dim=2)(x, FIRST_TWO), [-2, -1])


@pytest.mark.parametrize(
    ("x", "mask", "gradient"),
    [
        pytest.param([1.0, 3, 2], [1, 1, 1], [0, 1, 0], id="one largest"),
        pytest.param([3.0, 3, 2], [1, 1, 1], [1 / 2, 1 / 2, 0], id="two tie"),
        pytest.param([3.0, 3, 3], [1, 1, 1], [1 / 3, 1 / 3, 1 / 3], id="three tie"),
        pytest.param([0.0, 0, 0], [1, 1, 0], [1 / 2, 1 / 2, 0], id="a masked slot does not tie"),
        pytest.param([-1.0, -1, 0], [1, 1, 0], [1 / 2, 1 / 2, 0], id="nor win"),
    ],
)
def test_ties_share_the_gradient_of_max_equally(x, mask, gradient, make, gradients):
    combiner = make("max", num_vectors=3, dim=1)
    got = gradients(combiner, jnp.asarray(x)[:, None], np.array(mask, bool)).x[:, 0]
    np.testing.assert_allclose(got, gradient, rtol=1e-6)
