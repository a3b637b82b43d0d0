"""Checks attention: shares worked out by hand, the mean as its start, and one parameter that learns."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from combiners import make_combiner


@pytest.fixture
def attend():
    """Attends over x with a given query."""

    def attend(query, x, mask=None):
        x = np.float32(x)
        combiner = make_combiner("attention", num_vectors=len(x), dim=x.shape[-1], rngs=nnx.Rngs(0))
        combiner.query[...] = jnp.float32(query)
        return combiner(x, None if mask is None else np.array(mask, bool))

    return attend


X = [[1.0, 0, 8, 0], [0.0, 0, 0, 4], [0.0, 0, 0, 100]]


@pytest.mark.parametrize(
    ("query", "mask", "y"),
    [
        pytest.param(
            [2 * math.log(3), 0, 0, 0], [1, 1, 0], [3 / 4, 0, 6, 1], id="scores log 3 and 0: three to one"
        ),
        pytest.param(
            [2 * math.log(2), 0, 0, 0], [1, 1, 1], [2 / 4, 0, 4, 26], id="log 2, 0 and 0: two to one to one"
        ),
        pytest.param([7, 7, 7, 7], [0, 1, 0], [0, 0, 0, 4], id="alone"),
    ],
)
def test_shares_worked_out_by_hand(query, mask, y, attend):
    # √dim is 2 here, so that a query of 2 log 3 scores log 3.
    np.testing.assert_allclose(attend(query, X, mask), y, rtol=1e-5)


@pytest.mark.parametrize("mask", [[1, 1, 1, 1], [1, 0, 1, 0], [0, 0, 1, 0]])
def test_starts_as_the_mean(mask, make):
    x, mask = np.float32(np.random.default_rng(0).normal(size=(3, 4, 3))), np.array([mask] * 3, bool)
    start = make_combiner("attention", num_vectors=4, dim=3, rngs=nnx.Rngs(0))
    np.testing.assert_allclose(start(x, mask), make("mean")(x, mask), rtol=1e-5, atol=1e-6)


def test_has_a_query_and_no_key_bias(make):
    (path, query), *others = nnx.to_flat_state(nnx.state(make("attention", dim=7)))
    assert path == ("query",)
    assert query.shape == (7,)
    assert others == []


def test_learns_from_its_start(gradients):
    start = make_combiner("attention", num_vectors=4, dim=3, rngs=nnx.Rngs(0))
    gradient = gradients(start, np.random.default_rng(0).normal(size=(3, 4, 3)).astype(np.float32))
    (query,) = jax.tree.leaves(gradient.parameters)
    assert np.abs(query).min() > 1e-3


def test_lies_between_the_smallest_and_the_largest(make):
    x = np.random.default_rng(0).normal(size=(3, 4, 3)).astype(np.float32)
    y = np.asarray(make("attention")(x))
    assert (x.min(axis=-2) - 1e-6 <= y).all()
    assert (y <= x.max(axis=-2) + 1e-6).all()


def test_a_vector_repeated_is_itself_however_many_are_masked(make):
    x = np.tile(np.float32([1.5, -2, 0.25]), (3, 4, 1))
    mask = np.tri(3, 4, dtype=bool)
    np.testing.assert_allclose(make("attention")(x, mask), x[:, 0], rtol=1e-6)


@pytest.mark.parametrize("scale", [1e4, -1e4, 1e18, -1e18])
def test_huge_scores_pick_one_vector_and_do_not_overflow(scale, attend):
    x = [[1.0, 2], [3, 4], [5, 6]]
    np.testing.assert_allclose(attend([scale, 0], x), x[2] if scale > 0 else x[0], rtol=1e-6)
