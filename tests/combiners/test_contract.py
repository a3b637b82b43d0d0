"""Holds every combiner to the contract that all share, whatever it computes.

To hold a combiner of your own to it as well:

    COMBINER=my_module:MyCombiner python -m pytest tests/combiners/test_contract.py
"""

import dataclasses
import os

import hypothesis.extra.numpy as hnp
import jax
import jax.numpy as jnp
import jax.test_util
import numpy as np
import pytest
from flax import nnx
from hypothesis import given
from hypothesis import strategies as st

from combiners import COMBINERS, Combiner, combiner_class

DIM = 3
POISON = (np.nan, -np.inf, 3e38)


class BiasedSum(Combiner):
    """A user's combiner: a sum and a learned bias, which an empty bag must not show."""

    name = "biased_sum"
    formula = "y = b + Σ_i w_i x_i"
    citation = "this test"
    permutation_invariant = True
    accepts_weights = True

    def __init__(self, *, num_vectors, dim, rngs=None):
        super().__init__(num_vectors=num_vectors, dim=dim, rngs=rngs)
        self.bias = nnx.Param(jnp.ones(self.out_dim))

    @classmethod
    def parameter_count(cls, num_vectors, dim, **options):
        return cls.output_width(num_vectors, dim, **options)

    def combine(self, x, mask, weights):
        return self.bias[...] + jnp.sum(x if weights is None else weights[..., None] * x, axis=-2)

    def numpy_reference(self, x, mask, weights):
        w = mask if weights is None else np.where(mask, weights, 0.0)
        if not np.any(w):
            return np.zeros(self.out_dim)
        return np.asarray(self.bias[...], np.float64) + sum(w[i] * x[i] for i in range(len(x)) if mask[i])


@dataclasses.dataclass(frozen=True)
class Case:
    """One combiner, and whether it is given weights."""

    cls: type[Combiner]
    weighted: bool

    def __str__(self):
        return f"{self.cls.name}-weighted" if self.weighted else self.cls.name

    @property
    def num_vectors(self):
        return self.cls.arity or 4

    def shapes(self):
        """The [..., n] to draw, few so that compiled programs are shared: all vectors, and one where that is taken."""
        return ((2, 3, self.num_vectors), (1 if self.cls.variable_length else self.num_vectors,))

    def bags(self, num_bags=3, n=None, dtype=np.float32):
        """Random bags: the first is full, the second lacks its last vector, the third its first."""
        rng = np.random.default_rng(0)
        n = self.num_vectors if n is None else n
        x = rng.normal(size=(num_bags, n, DIM)).astype(dtype)
        mask = np.ones((num_bags, n), bool)
        mask[1:2, -1:] = mask[2:3, :1] = False
        weights = rng.uniform(0.5, 2, size=(num_bags, n)).astype(dtype) if self.weighted else None
        return x, mask, weights


CLASSES = [*COMBINERS.values(), BiasedSum]
if "COMBINER" in os.environ:
    CLASSES.append(combiner_class(os.environ["COMBINER"]))
CASES = [Case(cls, weighted) for cls in CLASSES for weighted in (False, True)[: 1 + cls.accepts_weights]]

each_class = pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.name)
each_case = pytest.mark.parametrize("case", CASES, ids=str)
each_closed_form = pytest.mark.parametrize(
    "case", [c for c in CASES if c.cls.numpy_reference is not Combiner.numpy_reference], ids=str
)


def float64(x):
    return np.asarray(x, np.float64)


def assert_all_finite(tree):
    for leaf in jax.tree.leaves(tree):
        assert np.isfinite(float64(leaf)).all()


# --- What it computes ---


@st.composite
def drawn_bags(draw, case):
    """Bags of eighths: zeros, ties, cancelling weights and empty bags all come up, and sums are exact."""
    slots = draw(st.sampled_from(case.shapes()))

    def eighths(shape):
        return draw(hnp.arrays(np.int8, shape, elements=st.integers(-16, 16))).astype(np.float32) / 8

    mask = draw(hnp.arrays(bool, slots))
    return eighths((*slots, DIM)), mask, eighths(slots) if case.weighted else None


@each_closed_form
def test_equals_its_float64_reference(case, make, expected):
    combiner = make(case.cls)

    @given(drawn_bags(case))
    def check(bags):
        np.testing.assert_allclose(combiner(*bags), expected(combiner, *bags), rtol=1e-5, atol=1e-6)

    check()


@each_closed_form
def test_bfloat16_gives_bfloat16_near_the_float64_reference(case, make, expected):
    x, mask, weights = case.bags(dtype=jnp.bfloat16)
    combiner = make(case.cls)
    y = combiner(x, mask, weights)
    reference = expected(combiner, float64(x), mask, None if weights is None else float64(weights))
    assert y.dtype == jnp.bfloat16
    # bfloat16 keeps 8 bits, a rounding of at most 2^-9; a few of them follow each other.
    np.testing.assert_allclose(float64(y), reference, rtol=2**-6, atol=2**-6)


@each_case
def test_gradients_equal_finite_differences_in_float64(case, make):
    with jax.enable_x64(True):
        x, mask, weights = case.bags(dtype=np.float64)
        graph, parameters, rest = nnx.split(make(case.cls), nnx.Param, ...)

        def combine(parameters, x, weights):
            return nnx.merge(graph, parameters, rest)(x, mask, weights)

        assert combine(parameters, x, weights).dtype == np.float64
        jax.test_util.check_grads(
            combine, (parameters, x, weights), order=1, modes=["rev"], rtol=1e-6, atol=1e-6
        )


@each_case
def test_order_matters_exactly_where_it_is_declared_to(case, make):
    combiner = make(case.cls)
    x, mask, weights = case.bags()
    y = combiner(x, mask, weights)
    changes = []
    for shift in range(1, case.num_vectors):
        order = np.roll(np.arange(case.num_vectors), shift)
        shuffled = combiner(x[:, order], mask[:, order], None if weights is None else weights[:, order])
        changes.append(np.abs(np.asarray(shuffled) - np.asarray(y)).max())
    if case.cls.permutation_invariant:
        assert max(changes) < 1e-5
    else:
        assert max(changes) > 0.1


# --- Masks ---


@each_case
def test_masked_slots_change_nothing_and_get_no_gradient_whatever_they_hold(case, make, gradients):
    combiner = make(case.cls)
    x, mask, weights = case.bags()
    y, gradient = combiner(x, mask, weights), gradients(combiner, x, mask, weights)
    for poison in POISON:
        bags = (
            np.where(mask[..., None], x, np.float32(poison)),
            mask,
            None if weights is None else np.where(mask, weights, np.float32(poison)),
        )
        poisoned = gradients(combiner, *bags)
        np.testing.assert_array_equal(combiner(*bags), y)
        np.testing.assert_array_equal(np.asarray(poisoned.x)[~mask], 0)
        if weights is not None:
            np.testing.assert_array_equal(np.asarray(poisoned.weights)[~mask], 0)
        jax.tree.map(np.testing.assert_array_equal, poisoned, gradient)


@pytest.mark.parametrize("case", [c for c in CASES if c.cls.variable_length], ids=str)
def test_more_masked_slots_change_nothing(case, make):
    combiner = make(case.cls)
    x, mask, weights = case.bags(n=case.num_vectors - 1)

    def with_masked_slot(at):
        return combiner(
            np.insert(x, at, np.nan, axis=1),
            np.insert(mask, at, False, axis=1),
            None if weights is None else np.insert(weights, at, np.nan, axis=1),
        )

    y = combiner(x, mask, weights)
    np.testing.assert_allclose(with_masked_slot(at=case.num_vectors - 1), y, rtol=1e-6)
    if case.cls.permutation_invariant:
        np.testing.assert_allclose(with_masked_slot(at=0), y, rtol=1e-6)


@each_class
def test_without_a_mask_all_vectors_are_present(cls, make):
    x, mask, _ = Case(cls, weighted=False).bags()
    np.testing.assert_array_equal(make(cls)(x), make(cls)(x, np.ones_like(mask)))


@each_case
def test_bags_of_one_batch_do_not_influence_each_other(case, make, gradients):
    combiner = make(case.cls)
    x, mask, weights = case.bags()
    y, gradient = combiner(x, mask, weights), gradients(combiner, x, mask, weights)
    x[0] = np.nan
    np.testing.assert_array_equal(np.asarray(combiner(x, mask, weights))[1:], np.asarray(y)[1:])
    after = gradients(combiner, x, mask, weights)
    np.testing.assert_array_equal(np.asarray(after.x)[1:], np.asarray(gradient.x)[1:])


# --- Weights ---


@pytest.mark.parametrize("cls", [c for c in CLASSES if c.accepts_weights], ids=lambda cls: cls.name)
def test_weights_of_one_are_no_weights(cls, make):
    x, mask, _ = Case(cls, weighted=True).bags()
    np.testing.assert_allclose(
        make(cls)(x, mask, np.ones(mask.shape, np.float32)), make(cls)(x, mask), rtol=1e-6
    )


# --- Empty bags ---


EMPTY = [(case, "all masked") for case in CASES]
EMPTY += [(case, "all weights zero") for case in CASES if case.weighted]
EMPTY += [(case, "no slots") for case in CASES if case.cls.variable_length]


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16], ids=["float32", "bfloat16"])
@pytest.mark.parametrize(("case", "why"), EMPTY, ids=lambda value: str(value))
def test_an_empty_bag_gives_zeros_with_a_zero_gradient(case, why, dtype, make, gradients):
    combiner = make(case.cls)
    x, mask, weights = case.bags(n=0 if why == "no slots" else None, dtype=dtype)
    if why == "all masked":
        mask[0] = False
        x[0] = np.inf
    if why == "all weights zero":
        weights[0] = 0
    with jax.debug_nans(True):  # raises where a NaN comes up on the way, even if a select hides it later
        y, gradient = combiner(x, mask, weights), gradients(combiner, x, mask, weights)
    assert y.shape == (3, combiner.out_dim)
    assert y.dtype == dtype
    np.testing.assert_array_equal(float64(y)[0], 0)
    np.testing.assert_array_equal(float64(gradient.x)[0], 0)
    assert_all_finite(gradient)
    if why == "no slots":
        np.testing.assert_array_equal(float64(y), 0)
    else:
        assert (float64(y)[1:] != 0).any()


# --- Transformations ---


@each_case
def test_eager_jitted_vmapped_and_scanned_are_the_same(case, make):
    combiner = make(case.cls)
    bags = case.bags()
    eager = combiner(*bags)
    _, scanned = jax.lax.scan(lambda carry, bag: (carry, combiner(*bag)), None, bags)
    for y in (jax.jit(lambda *bags: combiner(*bags))(*bags), jax.vmap(combiner)(*bags), scanned):
        assert y.dtype == eager.dtype
        np.testing.assert_allclose(y, eager, rtol=1e-6, atol=1e-6)


@each_case
def test_gradients_are_the_same_compiled_from_split_state(case, make, gradients):
    combiner = make(case.cls)
    x, mask, weights = case.bags()
    graph, parameters = nnx.split(combiner)

    @jax.jit
    def value_and_gradients(parameters, x, weights):
        def loss(*inputs):
            parameters, x, weights = inputs
            y = nnx.merge(graph, parameters)(x, mask, weights)
            return jnp.sum(y * jnp.arange(1, combiner.out_dim + 1))

        return jax.value_and_grad(loss, argnums=(0, 1, 2))(parameters, x, weights)

    value, compiled = value_and_gradients(parameters, x, weights)
    y = combiner(x, mask, weights)
    np.testing.assert_allclose(value, np.sum(np.asarray(y) * np.arange(1, combiner.out_dim + 1)), rtol=1e-5)
    eager = tuple(gradients(combiner, x, mask, weights))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5), compiled, eager)


@each_class
def test_every_parameter_gets_a_gradient(cls, make, gradients):
    for leaf in jax.tree.leaves(gradients(make(cls), Case(cls, weighted=False).bags()[0]).parameters):
        assert (leaf != 0).any()


# --- Declarations ---


def test_a_name_is_the_key_of_its_class():
    assert {key: cls.name for key, cls in COMBINERS.items()} == {key: key for key in COMBINERS}


@each_class
def test_facts_are_declared(cls):
    assert all(isinstance(fact, str) and fact.strip() for fact in (cls.formula, cls.citation, cls.__doc__))
    assert cls.arity in (None, 2)
    for fact in ("permutation_invariant", "variable_length", "accepts_weights", "accepts_unequal_widths"):
        assert isinstance(getattr(cls, fact), bool), fact


@pytest.mark.parametrize("dim", [1, 5])
@pytest.mark.parametrize("num_vectors", [1, 2, 7])
@each_class
def test_declared_sizes_are_the_real_ones(cls, num_vectors, dim):
    if cls.arity not in (None, num_vectors):
        pytest.skip(f"arity {cls.arity}")

    def output_and_parameters(x):
        combiner = cls(num_vectors=num_vectors, dim=dim, rngs=nnx.Rngs(0))
        assert combiner.out_dim == cls.output_width(num_vectors, dim)
        return combiner(x), nnx.state(combiner, nnx.Param)

    bags = jax.ShapeDtypeStruct((2, 3, num_vectors, dim), jnp.float32)
    y, parameters = jax.eval_shape(output_and_parameters, bags)
    assert y.shape == (2, 3, cls.output_width(num_vectors, dim))
    assert sum(leaf.size for leaf in jax.tree.leaves(parameters)) == cls.parameter_count(num_vectors, dim)


@each_class
def test_parameters_need_rngs_and_only_they(cls):
    num_vectors = cls.arity or 4
    if cls.parameter_count(num_vectors, DIM) > 0:
        with pytest.raises(ValueError, match=rf"{cls.name}.*rngs=nnx\.Rngs"):
            cls(num_vectors=num_vectors, dim=DIM)
    else:
        assert cls(num_vectors=num_vectors, dim=DIM).out_dim > 0
