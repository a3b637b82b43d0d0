"""Checks the multiplicative forms against each other, film's neutral start, and the polynomials of cross_network."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from combiners.concatenation import Concat
from combiners.multiplicative import (
    CrossNetwork,
    Film,
    MultiplicativeMatrix,
    MultiplicativeScalar,
    MultiplicativeVector,
)

TWO_VECTORS = [MultiplicativeMatrix, MultiplicativeVector, MultiplicativeScalar, Film]
each_of_two_vectors = pytest.mark.parametrize("cls", TWO_VECTORS, ids=lambda cls: cls.name)


def normal(*shape, seed=0):
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), jnp.float32)


def fresh(cls, num_vectors=2, dim=3, **options):
    return cls(num_vectors=num_vectors, dim=dim, rngs=nnx.Rngs(0), **options)


def number_of_parameters(combiner):
    return sum(leaf.size for leaf in jax.tree.leaves(nnx.state(combiner, nnx.Param)))


def assert_close(actual, desired):
    np.testing.assert_allclose(actual, desired, rtol=1e-5, atol=1e-5)


# --- The bilinear form and its restrictions ---


def test_every_entry_of_the_tensor_is_the_weight_of_one_product(make, expected):
    combiner = make(MultiplicativeMatrix, dim=2)
    for parameter in (combiner.first.kernel, combiner.second.kernel, combiner.second.bias):
        parameter[...] = jnp.zeros(parameter.shape)
    combiner.tensor[...] = jnp.float32([[[1, 0], [10, 0]], [[100, 0], [1000, 1]]])
    x = jnp.float32([[2, 3], [5, 7]])  # products 10 14; 15 21
    np.testing.assert_allclose(combiner(x), [10 + 140 + 1500 + 21000, 21], rtol=1e-6)
    np.testing.assert_allclose(expected(combiner, x), [22650, 21])


def test_a_zero_tensor_leaves_two_linear_maps(make):
    combiner, x = make(MultiplicativeMatrix), normal(5, 2, 3)
    combiner.tensor[...] = jnp.zeros((3, 3, 3))
    both = jnp.concatenate([combiner.first.kernel[...], combiner.second.kernel[...]])
    assert_close(combiner(x), x.reshape(5, 6) @ both + combiner.second.bias[...])


def test_the_tensor_of_the_identity_is_the_elementwise_product(make):
    combiner, x = make(MultiplicativeMatrix), normal(5, 2, 3)
    combiner.tensor[...] = jnp.float32(np.einsum("ij,jk->ijk", np.eye(3), np.eye(3)))
    linear = combiner.first(x[:, 0]) + combiner.second(x[:, 1])
    assert_close(combiner(x) - linear, x[:, 0] * x[:, 1])


def test_the_diagonal_form_is_the_general_one_with_a_diagonal_tensor(make):
    diagonal, general, x = make(MultiplicativeVector), make(MultiplicativeMatrix), normal(5, 2, 3)
    general.tensor[...] = jnp.einsum("ik,jk->ijk", diagonal.scale.kernel[...], jnp.eye(3))
    general.first.kernel[...] = diagonal.shift.kernel[...]
    general.second.kernel[...] = jnp.diag(diagonal.scale.bias[...])
    general.second.bias[...] = diagonal.shift.bias[...]
    assert_close(general(x), diagonal(x))


def test_the_scalar_form_is_the_diagonal_one_with_equal_scales(make):
    scalar, diagonal, x = make(MultiplicativeScalar), make(MultiplicativeVector), normal(5, 2, 3)
    diagonal.scale.kernel[...] = jnp.repeat(scalar.scale.kernel[...], 3, axis=1)
    diagonal.scale.bias[...] = jnp.repeat(scalar.scale.bias[...], 3)
    nnx.update(diagonal.shift, nnx.state(scalar.shift))
    assert_close(diagonal(x), scalar(x))


@each_of_two_vectors
def test_a_masked_vector_counts_as_zeros(cls, make):
    combiner, x = make(cls), normal(2, 2, 3)
    mask = np.array([[True, False], [False, True]])
    assert_close(combiner(x, mask), combiner(jnp.where(mask[..., None], x, 0)))


@each_of_two_vectors
def test_both_vectors_must_be_given(cls, make):
    with pytest.raises(ValueError, match="exactly 2 vectors, not 3"):
        make(cls, num_vectors=3)
    with pytest.raises(ValueError, match="exactly 2 vectors, got 1"):
        make(cls)(normal(1, 3))


@pytest.mark.parametrize("cls", TWO_VECTORS[:3], ids=lambda cls: cls.name)
def test_independent_vectors_of_variance_one_start_as_one_of_variance_one(cls):
    assert jnp.var(fresh(cls, dim=32)(normal(400, 2, 32))) == pytest.approx(1, rel=0.2)


# --- film ---


def test_film_starts_as_the_second_vector():
    x = normal(5, 2, 3)
    np.testing.assert_array_equal(fresh(Film)(x), x[:, 1])


def test_film_scales_and_shifts_by_its_hidden_units(make):
    combiner = make(Film, dim=2, hidden=1)
    combiner.hidden.kernel[...], combiner.hidden.bias[...] = jnp.float32([[1], [0]]), jnp.zeros(1)
    combiner.modulation.kernel[...] = jnp.float32([[2, 0, 0, 4]])  # γ_1 = 2h, β_2 = 4h
    combiner.modulation.bias[...] = jnp.float32([0, 1, 0, 0])  # γ_2 = 1
    h = np.tanh(0.5)
    assert_close(combiner(jnp.float32([[0.5, 9], [3, 5]])), [(1 + 2 * h) * 3, 2 * 5 + 4 * h])


def test_film_without_the_vector_that_conditions_is_a_fixed_modulation(make):
    combiner, x = make(Film), normal(3, 2, 3)
    y = combiner(x, np.tile([False, True], (3, 1)))
    slope = (y[1] - y[0]) / (x[1, 1] - x[0, 1])
    assert_close(y[2], y[0] + slope * (x[2, 1] - x[0, 1]))


@pytest.mark.parametrize(("hidden", "size"), [(None, 4 * 3 + 4 * 6), (7, 4 * 7 + 8 * 6)])
def test_the_option_hidden_sets_the_number_of_hidden_units(hidden, size):
    assert number_of_parameters(fresh(Film, hidden=hidden)) == size
    assert Film.parameter_count(2, 3, hidden=hidden) == size


# --- cross_network ---


def test_one_cross_layer_worked_out_by_hand(make, expected):
    combiner = make(CrossNetwork, num_vectors=2, dim=1, num_layers=1)
    combiner.layers[0].kernel[...], combiner.layers[0].bias[...] = jnp.float32([[0, 1], [2, 0]]), jnp.ones(2)
    x = jnp.float32([[3], [5]])
    np.testing.assert_allclose(combiner(x), [3 * (2 * 5 + 1) + 3, 5 * (3 + 1) + 5])
    np.testing.assert_allclose(expected(combiner, x), [36, 25])
    alone = combiner(x, np.array([False, True]))
    np.testing.assert_allclose(alone, [0, 10])  # the masked place stays zero, its bias without effect


@pytest.mark.parametrize("num_layers", [1, 3])
def test_each_cross_layer_raises_the_degree_of_the_polynomial_by_one(num_layers, make):
    combiner, x = make(CrossNetwork, num_vectors=2, num_layers=num_layers), normal(2, 3)
    along_a_line = np.asarray(combiner(jnp.linspace(-1, 1, 7)[:, None, None] * x))

    def largest_difference(order):
        return np.abs(np.diff(along_a_line, order, axis=0)).max() / np.abs(along_a_line).max()

    assert largest_difference(num_layers + 1) > 1e-2
    assert largest_difference(num_layers + 2) < 1e-5


def test_cross_layers_of_zeros_give_the_concatenation(make):
    combiner, x = make(CrossNetwork, num_vectors=4), normal(5, 3, 3)
    nnx.update(combiner, jax.tree.map(jnp.zeros_like, nnx.state(combiner, nnx.Param)))
    np.testing.assert_array_equal(combiner(x), Concat(num_vectors=4, dim=3)(x))


def test_missing_slots_stay_zeros_through_all_layers(make):
    y = make(CrossNetwork, num_vectors=4)(normal(5, 3, 3))
    np.testing.assert_array_equal(y[:, 9:], 0)
    assert (y[:, :9] != 0).all()


def test_unequal_widths_are_crossed_as_their_concatenation(make, expected):
    combiner = make(CrossNetwork, num_vectors=3, dim=(3, 1, 2))
    parts = [normal(2, 3), normal(2, 1), normal(2, 2)]
    assert combiner.out_dim == 6
    assert number_of_parameters(combiner) == CrossNetwork.parameter_count(3, (3, 1, 2)) == 2 * 7 * 6
    assert_close(combiner(parts), expected(combiner, parts))
    assert_close(
        combiner(parts), make(CrossNetwork, num_vectors=1, dim=6)(jnp.concatenate(parts, -1)[:, None])
    )


@pytest.mark.parametrize("num_layers", [1, 4])
def test_layers_together_start_by_multiplying_the_variance_by_less_than_e(num_layers):
    variance = jnp.var(fresh(CrossNetwork, 2, 50, num_layers=num_layers)(normal(500, 2, 50)))
    assert variance == pytest.approx((1 + 1 / num_layers) ** num_layers, rel=0.15)


# --- Options ---


@pytest.mark.parametrize(
    ("cls", "option", "value", "wanted"),
    [
        (Film, "hidden", 0, "a positive integer or None, got 0"),
        (Film, "hidden", -1, "a positive integer or None, got -1"),
        (CrossNetwork, "num_layers", 0, "a positive integer, got 0"),
    ],
)
def test_an_option_that_cannot_be_is_refused(cls, option, value, wanted, make):
    with pytest.raises(ValueError, match=f"{option} must be {wanted}"):
        make(cls, **{option: value})
