"""Checks the gated sums: numbers worked out by hand, gates that open and shut, what they see, and how they start."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from combiners.gating import GatedMultimodalUnit, GatedSum, SlotExcitation, SqueezeExcitation

CLASSES = [GatedSum, GatedMultimodalUnit, SqueezeExcitation, SlotExcitation]
EXCITATIONS = [SqueezeExcitation, SlotExcitation]
each_class = pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.name)
each_excitation = pytest.mark.parametrize("cls", EXCITATIONS, ids=lambda cls: cls.name)


def normal(*shape):
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def sigmoid(score):
    return 1 / (1 + np.exp(-score))


def silu(score):
    return score * sigmoid(score)


# --- Known values ---


def test_gated_sum_takes_three_quarters_of_a_vector_that_scores_log_3(make):
    combiner = make(GatedSum, num_vectors=3, dim=2)
    combiner.kernel[...], combiner.bias[...] = jnp.float32([np.log(3), 0]), jnp.float32(0)
    y = combiner(np.float32([[1, 4], [0, 8], [-1, 40]]))
    np.testing.assert_allclose(y, [3 / 4 + 0 - 1 / 4, 3 + 4 + 10], rtol=1e-6)


def test_gated_sum_ranges_from_the_sum_to_nothing(make):
    combiner, x = make(GatedSum), normal(2, 4, 3)
    combiner.kernel[...] = jnp.zeros(3)
    for bias, share in ((30, 1), (0, 1 / 2), (-30, 0)):
        combiner.bias[...] = jnp.float32(bias)
        np.testing.assert_allclose(combiner(x), share * x.sum(axis=-2), rtol=1e-5, atol=1e-6)


def test_gated_multimodal_unit_of_two_numbers_by_hand(make):
    combiner = make(GatedMultimodalUnit, num_vectors=2, dim=1)
    combiner.kernel[...] = jnp.float32([2, -1]).reshape(2, 1, 1)
    combiner.gate_kernel[...] = jnp.float32([[0, 1], [3, -2]]).reshape(2, 1, 2, 1)  # [by slot, of slot]
    u, v = 0.5, 0.25
    y = sigmoid(0 * u + 3 * v) * np.tanh(2 * u) + sigmoid(1 * u - 2 * v) * np.tanh(-v)
    np.testing.assert_allclose(combiner(np.float32([[u], [v]])), [y], rtol=1e-6)
    np.testing.assert_allclose(combiner(np.float32([[u]])), [np.tanh(2 * u) / 2], rtol=1e-6)


def test_squeeze_excitation_gates_the_sum_by_the_mean(make):
    combiner = make(SqueezeExcitation, num_vectors=3, dim=2)
    combiner.excitation.inner.kernel[...] = jnp.float32([[1], [1]])
    combiner.excitation.outer.kernel[...] = jnp.float32([[1, -2]])
    y = combiner(np.float32([[1, 2], [3, 0], [9, 9]]), np.array([True, True, False]))
    hidden = silu(2 + 1)  # the mean of the two present is (2, 1)
    np.testing.assert_allclose(y, [4 * sigmoid(hidden), 2 * sigmoid(-2 * hidden)], rtol=1e-6)


def test_slot_excitation_gates_each_slot_by_the_means_of_all(make):
    combiner = make(SlotExcitation, num_vectors=3, dim=2)
    combiner.excitation.inner.kernel[...] = jnp.float32([[1], [2], [4]])
    combiner.excitation.outer.kernel[...] = jnp.float32([[1, -1, 3]])
    x, u, v = np.float32([[1, 3], [0, 2], [9, 9]]), np.array([1, 3]), np.array([0, 2])
    hidden = silu(1 * 2 + 2 * 1)  # the means are 2 and 1
    y = sigmoid(hidden) * u + sigmoid(-hidden) * v
    np.testing.assert_allclose(combiner(x, np.array([True, True, False])), y, rtol=1e-6)
    np.testing.assert_allclose(combiner(x[:2]), y, rtol=1e-6)


# --- What a gate sees ---


def test_a_gate_of_gated_sum_sees_its_own_vector_alone(make):
    combiner, x = make(GatedSum), normal(4, 3)
    np.testing.assert_allclose(
        combiner(x), sum(combiner(x[i : i + 1]) for i in range(4)), rtol=1e-5, atol=1e-6
    )


def test_gated_multimodal_unit_lies_between_minus_and_plus_the_number_of_vectors(make):
    y = make(GatedMultimodalUnit)(1e6 * normal(5, 4, 3))
    assert np.abs(y).max() <= 4


def test_squeeze_excitation_of_a_bag_given_twice_is_twice_as_large(make):
    combiner, x = make(SqueezeExcitation), normal(2, 3)
    np.testing.assert_allclose(combiner(np.tile(x, (2, 1))), 2 * combiner(x), rtol=1e-5)


# --- The start and the options ---


@each_class
def test_gates_start_half_open_and_learn(cls, gradients):
    start, x = cls(num_vectors=4, dim=3, rngs=nnx.Rngs(0)), normal(2, 4, 3)
    if cls is GatedMultimodalUnit:
        vectors = np.tanh(np.einsum("bnd,ndo->bno", x, start.kernel[...]))
        gate = start.gate_kernel
    else:
        vectors = x
        gate = start.kernel if cls is GatedSum else start.excitation.outer.kernel
    np.testing.assert_allclose(start(x), vectors.sum(axis=-2) / 2, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(gate[...], 0)
    of_gates = [leaf for leaf in jax.tree.leaves(gradients(start, x).parameters) if leaf.shape == gate.shape]
    assert all((leaf != 0).any() for leaf in of_gates)


@each_excitation
@pytest.mark.parametrize(("reduction", "hidden"), [(1, 8), (3, 2), (8, 1), (100, 1)])
def test_reduction_divides_the_hidden_width_down_to_one(cls, reduction, hidden, make):
    combiner = make(cls, num_vectors=8, dim=8, reduction=reduction)
    assert combiner.excitation.inner.kernel.shape == (8, hidden)
    assert cls.parameter_count(8, 8, reduction=reduction) == 2 * 8 * hidden
    assert combiner(normal(8, 8)).shape == (8,)


@each_excitation
@pytest.mark.parametrize("reduction", [0, -3])
def test_a_reduction_that_cannot_be_is_refused(cls, reduction, make):
    with pytest.raises(ValueError, match=f"reduction must be a positive integer, got {reduction}"):
        make(cls, reduction=reduction)
