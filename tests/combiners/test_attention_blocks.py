"""Checks attention blocks and transformers: heads worked out by hand, the mean as their start, where order is seen."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from combiners.attention import Attention
from combiners.attention_blocks import MultiHeadAttention, SelfAttentionMean
from combiners.transformers import SetTransformer, Transformer

BLOCKS = [MultiHeadAttention, SelfAttentionMean, SetTransformer, Transformer]
MASK = np.array([[1, 1, 1, 1], [0, 1, 1, 0], [0, 0, 0, 1]], bool)

each_block = pytest.mark.parametrize("cls", BLOCKS, ids=lambda cls: cls.name)


@pytest.fixture
def x():
    return np.random.default_rng(0).normal(size=(3, 4, 3)).astype(np.float32)


def start(cls, dim=3, num_vectors=4, **options):
    return cls(num_vectors=num_vectors, dim=dim, rngs=nnx.Rngs(0), **options)


def run(combiner, *inputs):
    """Calls the combiner as one program: operation by operation every block would be compiled in many pieces."""
    return np.asarray(jax.jit(lambda *inputs: combiner(*inputs))(*inputs))


def parameters(cls, dim=3, **options):
    """The paths and shapes of the parameters, nothing computed."""
    made = nnx.eval_shape(lambda: start(cls, dim=dim, **options))
    return {path: leaf.shape for path, leaf in nnx.to_flat_state(nnx.state(made, nnx.Param))}


def mean_of_present(x):
    return np.stack([bag[present].mean(axis=0) for bag, present in zip(x, MASK, strict=True)])


def with_identity_maps(num_heads, query):
    combiner = start(MultiHeadAttention, dim=2, num_heads=num_heads)
    for layer in (combiner.key, combiner.value, combiner.out):
        layer.kernel[...] = jnp.eye(2).reshape(layer.kernel.shape)
    combiner.query[...] = jnp.float32(query).reshape(combiner.query.shape)
    return combiner


# --- Values ---


def test_every_head_takes_its_own_shares_worked_out_by_hand():
    combiner = with_identity_maps(num_heads=2, query=[1, 1])
    x = np.float32([[math.log(3), 0], [0, math.log(2)], [9, 9]])
    # The first head scores log 3 and 0, three to one; the second 0 and log 2, one to two.
    y = [3 / 4 * math.log(3), 2 / 3 * math.log(2)]
    np.testing.assert_allclose(run(combiner, x, np.array([True, True, False])), y, rtol=1e-6)


def test_one_head_without_its_maps_is_the_combiner_attention(x):
    query = [0.5, -2]
    attention = start(Attention, dim=2)
    attention.query[...] = jnp.float32(query)
    heads = with_identity_maps(num_heads=1, query=query)
    np.testing.assert_allclose(run(heads, x[..., :2], MASK), run(attention, x[..., :2], MASK), rtol=1e-5)


def test_a_vector_alone_attends_to_itself_whatever_the_queries(x, make):
    combiner = make(SelfAttentionMean)
    value, out = (
        layer.kernel[...].reshape(3, 3) for layer in (combiner.attention.value, combiner.attention.out)
    )
    vector = x[0, 0]
    np.testing.assert_allclose(run(combiner, vector[None]), vector + vector @ value @ out, rtol=1e-5)


@pytest.mark.parametrize(
    "cls", [MultiHeadAttention, SelfAttentionMean, SetTransformer], ids=lambda cls: cls.name
)
def test_a_bag_and_the_same_bag_twice_look_alike(cls, x, make):
    combiner = make(cls, num_vectors=8)
    np.testing.assert_allclose(run(combiner, np.tile(x, (1, 2, 1))), run(combiner, x), rtol=1e-4, atol=1e-5)


@each_block
def test_float64_is_computed_in_float64_softmax_included(cls, make, expected):
    with jax.enable_x64(True):
        combiner, x = make(cls, dim=4), np.random.default_rng(0).normal(size=(3, 4, 4))
        np.testing.assert_allclose(
            run(combiner, x, MASK), expected(combiner, x, MASK), rtol=1e-12, atol=1e-12
        )


def test_a_transformer_sees_order_by_its_positions_alone(x, make):
    combiner, backwards = make(Transformer), x[:, ::-1]
    assert np.abs(run(combiner, x) - run(combiner, backwards)).max() > 0.1
    combiner.positions[...] = jnp.zeros((4, 3))
    np.testing.assert_allclose(run(combiner, x), run(combiner, backwards), rtol=1e-4, atol=1e-5)


# --- Start ---


def test_multi_head_attention_starts_as_the_mean_mapped_twice(x):
    combiner = start(MultiHeadAttention)
    value, out = (layer.kernel[...].reshape(3, 3) for layer in (combiner.value, combiner.out))
    np.testing.assert_allclose(run(combiner, x, MASK), mean_of_present(x) @ value @ out, rtol=1e-4, atol=1e-6)


def test_self_attention_starts_as_the_mean(x):
    np.testing.assert_allclose(
        run(start(SelfAttentionMean), x, MASK), mean_of_present(x), rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize(("scale", "distance"), [(1, 0.02), (0.1, 0.19), (0.03, 0.65)])
def test_how_far_a_transformer_starts_from_the_mean_depends_on_the_scale(scale, distance):
    x = np.float32(scale * np.random.default_rng(0).normal(size=(50, 8, 64)))
    mean = x.mean(axis=1)
    off = run(start(Transformer, dim=64, num_vectors=8), x) - mean
    np.testing.assert_allclose(np.linalg.norm(off) / np.linalg.norm(mean), distance, rtol=0.1)


def test_a_transformer_starts_as_the_mean_of_vectors_and_small_positions(x):
    combiner = start(Transformer)
    positions = np.asarray(combiner.positions[...])
    assert 0.005 < positions.std() < 0.05
    np.testing.assert_allclose(run(combiner, x, MASK), mean_of_present(x + positions), rtol=1e-5, atol=1e-6)


def test_a_set_transformer_starts_with_outputs_of_variance_one_at_any_scale(x):
    for scale in (0.1, 10):
        np.testing.assert_allclose(np.var(run(start(SetTransformer), scale * x), axis=-1), 1, rtol=1e-3)


# --- Parameters and options ---


@each_block
def test_no_bias_is_added_to_keys(cls):
    assert not [path for path in parameters(cls) if "key" in path and "bias" in path]


@pytest.mark.parametrize(("dim", "num_heads"), [(8, 4), (12, 4), (6, 2), (5, 1), (1, 1)])
def test_there_are_as_many_heads_of_four_two_and_one_as_divide_the_width(dim, num_heads):
    assert parameters(MultiHeadAttention, dim=dim)["query",] == (num_heads, dim // num_heads)


@each_block
def test_the_number_of_heads_can_be_chosen_and_costs_no_parameters(cls):
    shapes = parameters(cls, num_heads=3).values()
    assert list(shapes) != list(parameters(cls).values())
    assert sum(map(math.prod, shapes)) == cls.parameter_count(4, 3, num_heads=3) == cls.parameter_count(4, 3)


@pytest.mark.parametrize("cls", [SetTransformer, Transformer], ids=lambda cls: cls.name)
def test_the_hidden_width_is_four_times_the_vectors_unless_chosen(cls):
    for hidden in (None, 12, 5):
        size = sum(map(math.prod, parameters(cls, hidden=hidden).values()))
        assert size == cls.parameter_count(4, 3, hidden=hidden)
    assert cls.parameter_count(4, 3) == cls.parameter_count(4, 3, hidden=12)


@each_block
@pytest.mark.parametrize(
    ("num_heads", "wanted"),
    [
        (2, "divide dim=3"),
        (0, "be a positive integer or None"),
        (-1, "be a positive integer or None"),
        (True, "be a positive integer or None"),
    ],
)
def test_heads_that_cannot_be_are_refused_with_rngs_or_without(cls, num_heads, wanted):
    for rngs in (nnx.Rngs(0), None):
        with pytest.raises(ValueError, match=f"^num_heads must {wanted}, got {num_heads}$"):
            cls(num_vectors=4, dim=3, rngs=rngs, num_heads=num_heads)
    with pytest.raises(ValueError, match="num_heads must"):
        cls.parameter_count(4, 3, num_heads=num_heads)


@pytest.mark.parametrize("cls", [SetTransformer, Transformer], ids=lambda cls: cls.name)
def test_a_hidden_width_of_nothing_is_refused(cls):
    with pytest.raises(ValueError, match="hidden must be a positive integer or None, got 0"):
        start(cls, hidden=0)
