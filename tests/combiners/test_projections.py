"""Checks projected_concat against position_sum, and what tanh makes of project_then_mean."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from combiners.concatenation import PositionSum
from combiners.pooling import Mean
from combiners.projections import ProjectedConcat, ProjectThenMean

both = pytest.mark.parametrize("cls", [ProjectedConcat, ProjectThenMean], ids=lambda cls: cls.name)


def normal(*shape, seed=0):
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), jnp.float32)


def assert_close(actual, desired):
    np.testing.assert_allclose(actual, desired, rtol=1e-5, atol=1e-6)


# --- projected_concat ---


@pytest.mark.parametrize("n", [4, 2])
def test_concat_then_dense_is_the_sum_of_one_dense_map_per_slot(n, make):
    mask = np.array([[1, 1, 1, 1], [0, 1, 1, 0], [1, 0, 0, 0], [1, 0, 1, 1], [0, 1, 0, 1]], bool)[:, :n]
    combiner, x = make(ProjectedConcat, num_vectors=4, dim=3, features=5), normal(5, n, 3)
    position_sum = make(PositionSum, num_vectors=4, dim=3, features=5)
    position_sum.kernel[...] = combiner.dense.kernel[...].reshape(4, 3, 5)
    assert_close(combiner(x, mask), position_sum(x, mask) + combiner.dense.bias[...])


def test_numbers_of_projected_concat_worked_out_by_hand(make, expected):
    combiner = make(ProjectedConcat, num_vectors=3, dim=1, features=2)
    combiner.dense.kernel[...] = jnp.float32([[1, 0], [10, 1], [100, -1]])
    combiner.dense.bias[...] = jnp.float32([0.5, 0])
    x = jnp.float32([[2], [3], [4]])
    for mask, y in (([1, 1, 1], [432.5, -1]), ([1, 0, 1], [402.5, -4])):
        np.testing.assert_allclose(combiner(x, np.array(mask, bool)), y)
        np.testing.assert_allclose(expected(combiner, x, np.array(mask, bool)), y)
    np.testing.assert_allclose(combiner(x[:2]), [32.5, 3])


@pytest.mark.parametrize(("n", "variance"), [(8, 1), (2, 0.25)])
def test_a_full_bag_starts_with_the_variance_of_one_vector(n, variance):
    combiner = ProjectedConcat(num_vectors=8, dim=32, rngs=nnx.Rngs(0))
    assert jnp.var(combiner(normal(500, n, 32))) == pytest.approx(variance, rel=0.15)


# --- project_then_mean ---


def test_numbers_of_project_then_mean_worked_out_by_hand(make, expected):
    combiner = make(ProjectThenMean, num_vectors=3, dim=1)
    combiner.dense.kernel[...], combiner.dense.bias[...] = jnp.full((1, 1), 2.0), jnp.ones(1)
    x, mask, weights = jnp.float32([[0], [1], [7]]), np.array([True, True, False]), np.float32([3, 1, 5])
    for w, y in ((None, (np.tanh(1) + np.tanh(3)) / 2), (weights, (3 * np.tanh(1) + np.tanh(3)) / 4)):
        assert_close(combiner(x, mask, w), [y])
        assert_close(expected(combiner, x, mask, w), [y])


def test_near_zero_the_mean_could_as_well_come_first(make):
    combiner, x = make(ProjectThenMean), 1e-3 * normal(5, 4, 3)
    combiner.dense.bias[...] = jnp.zeros(3)
    mapped_mean = Mean(num_vectors=4, dim=3)(x) @ combiner.dense.kernel[...]
    np.testing.assert_allclose(combiner(x), mapped_mean, atol=1e-6)


def test_bags_of_one_mean_are_told_apart(make):
    combiner = make(ProjectThenMean, num_vectors=2, dim=1)
    combiner.dense.bias[...] = jnp.ones(1)
    near, far = combiner(jnp.float32([[-1], [1]])), combiner(jnp.float32([[-3], [3]]))
    assert abs(near - far) > 0.1


def test_a_vector_of_weight_k_counts_k_times(make):
    combiner, x = make(ProjectThenMean, num_vectors=4), normal(2, 3)
    assert_close(combiner(x, weights=jnp.float32([3, 1])), combiner(x[np.array([0, 0, 0, 1])]))


def test_weights_that_cancel_give_zeros_with_a_zero_gradient(make, gradients, expected):
    combiner, x, weights = make(ProjectThenMean), normal(2, 3), jnp.float32([2, -2])
    np.testing.assert_array_equal(combiner(x, None, weights), 0)
    np.testing.assert_array_equal(expected(combiner, x, None, np.asarray(weights)), 0)
    np.testing.assert_array_equal(gradients(combiner, x, None, weights).x, 0)


def test_small_vectors_start_with_their_variance():
    combiner = ProjectThenMean(num_vectors=1, dim=64, rngs=nnx.Rngs(0))
    assert jnp.var(combiner(0.1 * normal(500, 1, 64))) == pytest.approx(0.01, rel=0.1)


# --- Options ---


@both
def test_features_sets_the_width(cls, make):
    combiner = make(cls, num_vectors=4, dim=3, features=5)
    mapped = {ProjectedConcat: 4 * 3, ProjectThenMean: 3}[cls]
    sizes = [leaf.size for leaf in jax.tree.leaves(nnx.state(combiner, nnx.Param))]
    assert combiner(normal(2, 4, 3)).shape == (2, 5)
    assert combiner.out_dim == cls.output_width(4, 3, features=5) == 5
    assert sum(sizes) == cls.parameter_count(4, 3, features=5) == (mapped + 1) * 5


@both
@pytest.mark.parametrize("features", [0, -1])
def test_a_width_that_cannot_be_is_refused(cls, features, make):
    with pytest.raises(ValueError, match=f"features must be a positive integer or None, got {features}"):
        make(cls, features=features)
