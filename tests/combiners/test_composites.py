"""Checks multi and mixture: what they make of their parts, gates at their start, and facts that the parts decide."""

import math

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from combiners.composites import Mixture, Multi

MASK = np.array([[1, 1, 1, 1], [0, 1, 1, 0], [0, 0, 0, 0]], bool)

each_composite = pytest.mark.parametrize("cls", [Multi, Mixture], ids=lambda cls: cls.name)


@pytest.fixture
def x():
    return np.random.default_rng(0).normal(size=(3, 4, 3)).astype(np.float32)


def start(cls, num_vectors=4, dim=3, **options):
    return cls(num_vectors=num_vectors, dim=dim, rngs=nnx.Rngs(0), **options)


# --- Values ---


def test_multi_lays_its_parts_side_by_side(x, make):
    parts = [make(name)(x, MASK) for name in ("sum", "mean", "max")]
    np.testing.assert_array_equal(Multi(num_vectors=4, dim=3)(x, MASK), np.concatenate(parts, axis=-1))


def test_multi_projects_its_parts_by_one_matrix(make, expected):
    x = np.random.default_rng(0).integers(-8, 8, size=(3, 4, 3)).astype(np.float32)
    combiner = make(Multi, combiners=("sum", "concat"), project=True)
    combiner.projection.kernel[...] = jnp.concatenate([2 * jnp.eye(3), jnp.tile(-jnp.eye(3), (4, 1))])
    np.testing.assert_allclose(combiner(x, MASK), make("sum")(x, MASK), rtol=1e-6)  # 2 Σ_i x_i − Σ_i x_i
    np.testing.assert_allclose(expected(combiner, x, MASK), make("sum")(x, MASK), rtol=1e-6)


def test_a_projection_starts_with_the_variance_of_the_parts():
    x = np.random.default_rng(0).normal(size=(200, 4, 32)).astype(np.float32)
    parts = start(Multi, dim=32, combiners=("sum", "sqrtn"))
    projected = start(Multi, dim=32, combiners=("sum", "sqrtn"), project=True)
    np.testing.assert_allclose(np.var(projected(x)), np.var(parts(x)), rtol=0.2)


def test_a_mixture_adds_its_parts_by_their_gates(x, make):
    mixture = start(Mixture, combiners=("sum", "max"))
    mixture.logits[...] = jnp.float32([math.log(3), 0])
    y = 0.75 * make("sum")(x, MASK) + 0.25 * make("max")(x, MASK)
    np.testing.assert_allclose(mixture(x, MASK), y, rtol=1e-5, atol=1e-6)


def test_a_mixture_starts_with_equal_gates_that_learn(x, make, gradients):
    mixture = start(Mixture)
    y = sum(make(name)(x, MASK) for name in ("sum", "mean", "max")) / 3
    np.testing.assert_allclose(mixture(x, MASK), y, rtol=1e-5, atol=1e-6)
    assert (gradients(mixture, x, MASK).parameters["logits"][...] != 0).all()


def test_a_mixture_can_come_down_to_one_part(x, make):
    mixture = start(Mixture)
    mixture.logits[...] = jnp.float32([0, 0, 1e4])
    np.testing.assert_allclose(mixture(x, MASK), make("max")(x, MASK), rtol=1e-6)


def test_parts_are_named_by_class_too_and_may_be_composites(x, make):
    combiner = start(Multi, combiners=["combiners.pooling:Sum", "multi"])
    parts = [make(name)(x, MASK) for name in ("sum", "sum", "mean", "max")]
    np.testing.assert_array_equal(combiner(x, MASK), np.concatenate(parts, axis=-1))


def test_weights_reach_every_part(x, make):
    weights = np.random.default_rng(1).uniform(0.5, 2, size=(3, 4)).astype(np.float32)
    parts = [make(name)(x, MASK, weights) for name in ("sum", "sqrtn")]
    y = start(Multi, combiners=("sum", "sqrtn"))(x, MASK, weights)
    np.testing.assert_array_equal(y, np.concatenate(parts, axis=-1))


def test_parts_have_parameters_of_their_own(make):
    multi = start(Multi, combiners=("position_sum", "position_sum"), project=True)
    first, second = (np.asarray(part.kernel[...]) for part in multi.parts)
    assert np.abs(first - second).min() > 0
    # Two maps [4, 3, 3], and a projection [6, 3].
    assert (
        Multi.parameter_count(4, 3, combiners=("position_sum", "position_sum"), project=True) == 2 * 36 + 18
    )
    assert Mixture.parameter_count(4, 3, combiners=("position_sum", "position_sum")) == 2 * 36 + 2


# --- Facts ---


@each_composite
@pytest.mark.parametrize(
    ("combiners", "fact", "holds"),
    [
        (("sum", "mean"), "accepts_weights", True),
        (("sum", "max"), "accepts_weights", False),
        (("sum", "mean"), "weights_are_counts", True),
        (("sum", "sqrtn"), "weights_are_counts", False),
        (("sum", "max"), "permutation_invariant", True),
        (("sum", "position_sum"), "permutation_invariant", False),
        (("sum", "max"), "variable_length", True),
        (("sum", "abs_difference"), "variable_length", False),
        (("sum", "max"), "needs_rngs", False),
        (("sum", "permuted_sum"), "needs_rngs", True),
        (("sum", "max"), "arity", None),
        (("sum", "abs_difference"), "arity", 2),
    ],
)
def test_what_holds_for_all_parts_holds_for_the_composite(cls, combiners, fact, holds):
    assert getattr(start(cls, num_vectors=2, combiners=combiners), fact) == holds


@each_composite
def test_the_class_declares_the_facts_of_its_default_parts(cls):
    facts = (
        "permutation_invariant",
        "variable_length",
        "accepts_weights",
        "weights_are_counts",
        "needs_rngs",
        "arity",
    )
    assert [getattr(cls, fact) for fact in facts] == [getattr(start(cls), fact) for fact in facts]


# --- Refusals ---


@each_composite
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"combiners": "sum,max"},
            r"must be a list of names such as \('sum', 'mean', 'max'\), got 'sum,max'",
        ),
        ({"combiners": ()}, r"must be a list of names .*got \(\)"),
        ({"combiners": ("sum", "maxx")}, r"unknown combiner 'maxx' \(did you mean 'max'\?\)"),
        ({"combiners": ("sum", "abs_difference")}, "'abs_difference' combines exactly 2 vectors, not 4"),
    ],
)
def test_parts_that_cannot_be_are_refused(cls, options, message):
    with pytest.raises(ValueError, match=message):
        start(cls, **options)


def test_a_mixture_of_different_widths_names_them():
    with pytest.raises(ValueError, match="'mixture' needs parts of one output width, got sum 3, concat 12"):
        start(Mixture, combiners=("sum", "concat"))


def test_a_mixture_of_one_is_refused_since_its_gate_could_not_learn():
    with pytest.raises(ValueError, match=r"at least two to mix, got \('sum',\)"):
        start(Mixture, combiners=("sum",))


def test_weights_are_refused_where_one_part_has_no_meaning_for_them(x):
    with pytest.raises(ValueError, match="'multi' has no meaning for weights"):
        Multi(num_vectors=4, dim=3)(x, weights=np.ones((3, 4), np.float32))


def test_parts_without_parameters_need_no_rngs_and_others_do():
    assert Multi(num_vectors=4, dim=3).out_dim == 9
    with pytest.raises(ValueError, match=r"'multi' has parameters: pass rngs=nnx\.Rngs"):
        Multi(num_vectors=4, dim=3, combiners=("sum", "attention"))
    with pytest.raises(ValueError, match=r"'multi' draws fixed random numbers: pass rngs=nnx\.Rngs"):
        Multi(num_vectors=4, dim=3, combiners=("sum", "permuted_sum"))
