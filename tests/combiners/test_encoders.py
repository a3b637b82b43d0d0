"""Checks the encoders: what a set can tell apart, steps worked out by hand, masks in between, options and the start."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from combiners.encoders import GRU, LSTM, DeepSets

each_recurrent = pytest.mark.parametrize("cls", [GRU, LSTM], ids=lambda cls: cls.name)
each_option = pytest.mark.parametrize(
    ("cls", "option"),
    [(DeepSets, "hidden"), (GRU, "features"), (LSTM, "features")],
    ids=["deep_sets", "gru", "lstm"],
)


def normal(*shape):
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def sigmoid(score):
    return 1 / (1 + np.exp(-score))


# --- Deep sets ---


def test_deep_sets_can_multiply_two_numbers(make):
    # silu(a) + silu(-a) = a tanh(a/2) ≈ a²/2 near zero: it makes (u + v)², and a feature of u and v apart cannot.
    combiner, u, v = make(DeepSets, num_vectors=2, dim=1, hidden=2), 0.2, -0.1
    nnx.update(combiner, jax.tree.map(jnp.zeros_like, nnx.state(combiner, nnx.Param)))
    shift = 20.0  # silu(x + 20) = x + 20 to float32's last digit: φ hands u + v through
    combiner.phi.kernel[...], combiner.phi.bias[...] = jnp.float32([[1, 0]]), jnp.float32([shift, 0])
    combiner.rho.kernel[...] = jnp.float32([[1, -1], [0, 0]])
    combiner.rho.bias[...] = jnp.float32([-2 * shift, 2 * shift])
    combiner.readout.kernel[...] = jnp.float32([[2], [2]])
    np.testing.assert_allclose(combiner(np.float32([[u], [v]])), [(u + v) ** 2], atol=1e-5)


def test_deep_sets_tell_a_bag_from_the_same_bag_twice(make):
    combiner, x, half = make(DeepSets), np.tile(normal(2, 3), (2, 1)), np.arange(4) < 2
    assert np.abs(combiner(x) - combiner(x, half)).max() > 0.1


def test_a_zero_vector_counts_in_deep_sets_and_a_masked_one_does_not(make):
    combiner, x, half = make(DeepSets), np.zeros((4, 3), np.float32), np.arange(4) < 2
    x[half] = normal(2, 3)
    np.testing.assert_allclose(combiner(x, half), combiner(x[half]), rtol=1e-5)
    assert np.abs(combiner(x) - combiner(x, half)).max() > 0.1


# --- Recurrent cells ---


def test_gru_of_one_dimension_takes_two_steps_by_hand(make):
    combiner = make(GRU, num_vectors=2, dim=1)
    combiner.cell.dense_i.kernel[...] = jnp.float32([[0, 0, 2]])
    combiner.cell.dense_i.bias[...] = jnp.float32([0, np.log(3), 0])  # keeps three quarters of the state
    combiner.cell.dense_h.kernel[...] = jnp.float32([[0, 0, 1]])
    once = np.tanh(2 * 0.5) / 4
    twice = np.tanh(2 * 0.25 + once / 2) / 4 + once * 3 / 4
    np.testing.assert_allclose(combiner(np.float32([[0.5]])), [once], rtol=1e-6)
    np.testing.assert_allclose(combiner(np.float32([[0.5], [0.25]])), [twice], rtol=1e-6)


def test_lstm_of_one_dimension_takes_two_steps_by_hand(make):
    combiner = make(LSTM, num_vectors=2, dim=1)
    combiner.cell.dense_i.kernel[...] = jnp.float32([[0, 0, 2, 0]])  # input, forget, candidate, output
    combiner.cell.dense_h.kernel[...] = jnp.float32([[0, 0, 1, 0]])
    combiner.cell.dense_h.bias[...] = jnp.float32([0, np.log(3), 0, 0])  # keeps three quarters of the memory
    memory = np.tanh(2 * 0.5) / 2
    once = np.tanh(memory) / 2
    memory = memory * 3 / 4 + np.tanh(2 * 0.25 + once) / 2
    np.testing.assert_allclose(combiner(np.float32([[0.5]])), [once], rtol=1e-6)
    np.testing.assert_allclose(combiner(np.float32([[0.5], [0.25]])), [np.tanh(memory) / 2], rtol=1e-6)


@each_recurrent
def test_masked_slots_anywhere_are_as_if_they_were_not_there(cls, make):
    combiner, x, present = make(cls), normal(2, 4, 3), np.array([[0, 2], [1, 2]])
    mask = (np.arange(4) == present[..., None]).any(axis=1)
    without = np.take_along_axis(x, present[..., None], axis=1)
    np.testing.assert_allclose(combiner(x, mask), combiner(without), rtol=1e-6)
    with jax.no_tracing():  # a shape is compiled once, not with every call
        combiner(x + 1, mask)


def test_the_state_is_as_wide_as_the_wider_of_vectors_and_parameters(make):
    with jax.enable_x64(True):
        wide = make(GRU)
        assert {leaf.dtype for leaf in jax.tree.leaves(nnx.state(wide))} == {np.dtype(np.float64)}
        y, narrow = wide(np.float64(normal(4, 3))), wide(normal(4, 3))
        assert (y.dtype, narrow.dtype) == (np.float64, np.float32)
        np.testing.assert_allclose(narrow, y, rtol=1e-6)


# --- The start and the options ---


def test_the_forget_gate_of_lstm_starts_at_one_and_all_else_at_zero():
    start = LSTM(num_vectors=4, dim=3, features=2, rngs=nnx.Rngs(0))
    np.testing.assert_array_equal(start.cell.dense_h.bias[...], [0, 0, 1, 1, 0, 0, 0, 0])
    np.testing.assert_array_equal(GRU(num_vectors=4, dim=3, rngs=nnx.Rngs(0)).cell.dense_i.bias[...], 0)


@pytest.mark.parametrize(("cls", "low", "high"), [(DeepSets, 0.5, 1.2), (GRU, 0.3, 0.6), (LSTM, 0.15, 0.3)])
def test_the_scale_at_the_start_is_that_of_a_fraction_of_the_inputs(cls, low, high):
    start_and_combine = jax.jit(lambda x: cls(num_vectors=4, dim=64, rngs=nnx.Rngs(0))(x))
    assert low < np.std(start_and_combine(normal(100, 4, 64))) < high


@each_option
@pytest.mark.parametrize("width", [1, 5])
def test_an_option_sets_the_width(cls, option, width):
    def output_and_parameters(x):
        combiner = cls(num_vectors=4, dim=3, rngs=nnx.Rngs(0), **{option: width})
        return combiner(x), nnx.state(combiner, nnx.Param)

    y, parameters = jax.eval_shape(output_and_parameters, normal(2, 4, 3))
    out_dim = 3 if cls is DeepSets else width
    assert y.shape == (2, out_dim)
    assert cls.output_width(4, 3, **{option: width}) == out_dim
    numbers = sum(leaf.size for leaf in jax.tree.leaves(parameters))
    assert numbers == cls.parameter_count(4, 3, **{option: width})


@each_option
@pytest.mark.parametrize("width", [0, -1])
def test_a_width_that_cannot_be_is_refused(cls, option, width, make):
    with pytest.raises(ValueError, match=f"{option} must be a positive integer or None, got {width}"):
        make(cls, **{option: width})
