"""Checks product and hybrid: identities, gradients that are exact at zeros, and work that grows as n does."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from combiners import COMBINERS

eighths = st.integers(-16, 16).map(lambda i: i / 8)


def columns(*values):
    """Vectors of one dimension: [n, 1]."""
    return jnp.asarray(values, jnp.float32)[:, None]


@pytest.mark.parametrize(
    ("name", "x", "mask", "y"),
    [
        ("product", [[1, 2], [3, -4]], None, [3, -8]),
        ("product", [[1, 2], [3, -4], [5, 0]], None, [15, 0]),
        ("product", [[1, 2], [3, -4], [5, 0]], [1, 0, 1], [5, 0]),
        ("product", [[1, 2], [3, -4], [5, 0]], [0, 1, 0], [3, -4]),
        ("hybrid", [[1, 2], [3, -4]], None, [3.5, -5]),  # ½(3 + 1 + 3), ½(−8 + 2 − 4)
        ("hybrid", [[1, 2], [3, -4], [5, 0]], None, [23.5, -5]),  # ½(2·4·6 − 1), ½(3·(−3)·1 − 1)
        ("hybrid", [[1, 2], [3, -4], [5, 0]], [1, 0, 1], [5.5, 1]),
        ("hybrid", [[1, 2], [3, -4], [5, 0]], [0, 1, 0], [1.5, -2]),
    ],
)
def test_numbers_worked_out_by_hand(name, x, mask, y, make, expected):
    combiner = make(name, num_vectors=3, dim=2)
    x, mask = np.float32(x), None if mask is None else np.array(mask, bool)
    np.testing.assert_allclose(combiner(x, mask), y, rtol=1e-6)
    np.testing.assert_allclose(expected(combiner, x, mask), y, rtol=1e-6)


@pytest.mark.parametrize("name", ["product", "hybrid"])
@pytest.mark.parametrize("n", range(1, 10))
def test_every_number_of_vectors_is_folded_right(name, n, make, expected):
    x = np.float32(np.random.default_rng(n).uniform(-2, 2, size=(n, 2)))
    combiner = make(name, num_vectors=9, dim=2)
    np.testing.assert_allclose(combiner(x), expected(combiner, x), rtol=1e-5, atol=1e-6)


# --- Identities ---


@given(u=eighths, v=eighths)
def test_hybrid_of_two_is_half_their_product_and_sum(make, u, v):
    assert float(make("hybrid", dim=1)(columns(u, v))[0]) == (u * v + u + v) / 2


@given(values=st.lists(eighths, min_size=4, max_size=4))
def test_hybrid_is_half_the_sum_of_the_products_of_all_non_empty_subsets(make, values):
    subsets = itertools.chain.from_iterable(itertools.combinations(values, size) for size in range(1, 5))
    half_sum = sum(np.prod(subset) for subset in subsets) / 2
    np.testing.assert_allclose(make("hybrid", dim=1)(columns(*values))[0], half_sum, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("name", "neutral"), [("hybrid", 0), ("product", 1)])
@pytest.mark.parametrize("at", range(4))
def test_a_neutral_vector_changes_nothing(name, neutral, at, make):
    combiner, x = make(name), np.float32(np.random.default_rng(0).normal(size=(3, 3)))
    np.testing.assert_allclose(combiner(np.insert(x, at, neutral, axis=0)), combiner(x), rtol=1e-6)


def test_product_of_positives_is_exp_of_the_sum_of_logs(make):
    x = np.float32(np.random.default_rng(0).uniform(0.2, 3, size=(3, 4, 3)))
    np.testing.assert_allclose(make("product")(x), np.exp(make("sum")(np.log(x))), rtol=1e-5)


def test_hybrid_near_zero_is_half_a_sum_to_the_last_digits(make):
    # ½(Π(1 + x) − 1) as it stands would lose every digit here: 1 + 1e-9 is 1 in float32.
    x = np.float32(1e-9 * np.random.default_rng(0).normal(size=(4, 3)))
    np.testing.assert_allclose(make("hybrid")(x), 0.5 * make("sum")(x), rtol=1e-5)


def test_products_and_power_means_want_embeddings_around_one():
    around = {name: cls.embedding_mean for name, cls in COMBINERS.items() if cls.embedding_mean}
    assert around == {"product": 1.0, "power_mean": 1.0, "learned_power_mean": 1.0}


# --- Gradients ---


@pytest.mark.parametrize(
    ("name", "x", "gradient"),
    [
        pytest.param("product", [5, 2, 3], [6, 15, 10], id="product without a zero"),
        pytest.param("product", [0, 2, 3], [6, 0, 0], id="product with one zero"),
        pytest.param("product", [2, 0, 3], [0, 6, 0], id="product with one zero in the middle"),
        pytest.param("product", [0, 0, 3], [0, 0, 0], id="product with two zeros"),
        pytest.param("product", [0, 0, 0], [0, 0, 0], id="product of zeros"),
        pytest.param("hybrid", [0, 0, 0], [0.5, 0.5, 0.5], id="hybrid at zeros is half a sum"),
        pytest.param("hybrid", [0, 2, 3], [6, 2, 1.5], id="hybrid with one zero"),
        pytest.param("hybrid", [-1, 2, 3], [6, 0, 0], id="hybrid where a factor 1 + x is zero"),
        pytest.param("hybrid", [-1, -1, 3], [0, 0, 0], id="hybrid where two factors are zero"),
    ],
)
def test_gradients_are_exact_at_zeros(name, x, gradient, make, gradients):
    got = gradients(make(name, num_vectors=3, dim=1), columns(*x)).x[:, 0]
    np.testing.assert_array_equal(got, gradient)


@pytest.mark.parametrize("name", ["product", "hybrid"])
def test_the_work_of_the_gradient_grows_as_n_does(name, make):
    def operations(n):
        combiner = make(name, num_vectors=n, dim=4)
        gradient = jax.jit(jax.grad(lambda x: jnp.sum(combiner(x))))
        return gradient.lower(jnp.ones((n, 4))).cost_analysis()["flops"]

    once, twice, four_times = operations(64), operations(128), operations(256)
    # n log n would already be 2.3 times as much at twice the n.
    assert twice < 2.1 * once
    assert four_times < 2.1 * twice
