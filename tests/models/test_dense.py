"""The dense layers: outputs and gradients are those of plain products, for few outputs and for many."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from models.dense import Dense

WIDTH, HIDDEN, BATCH = 5, 7, 11


def made(num_outputs, dtype="float32"):
    return Dense(WIDTH, (HIDDEN,), num_outputs, dropout=0.0, dtype=jnp.dtype(dtype), rngs=nnx.Rngs(0))


def plain(params, h):
    hidden, output = params["hidden"][0], params["output"]
    h = jnp.maximum(h @ hidden["kernel"] + hidden["bias"], 0)
    return h @ output["kernel"] + output["bias"]


@pytest.mark.parametrize("num_outputs", [1, 10, 32, 33, 200])
def test_outputs_and_gradients_are_those_of_plain_products(num_outputs):
    graphdef, params = nnx.split(made(num_outputs), nnx.Param)
    h = jax.random.normal(jax.random.key(1), (BATCH, WIDTH))
    towards = jax.random.normal(jax.random.key(2), (BATCH, num_outputs))

    def loss(params, h):
        return jnp.sum(nnx.merge(graphdef, params)(h) * towards)

    def plain_loss(params, h):
        return jnp.sum(plain(params, h) * towards)

    found = jax.value_and_grad(loss, (0, 1))(params, h)
    expected = jax.value_and_grad(plain_loss, (0, 1))(nnx.to_pure_dict(params), h)
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-5, atol=1e-5)
    found_gradient, expected_gradient = nnx.to_pure_dict(found[1][0]), expected[1][0]
    for a, b in zip(
        jax.tree.leaves((found_gradient, found[1][1])),
        jax.tree.leaves((expected_gradient, expected[1][1])),
        strict=True,
    ):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("num_outputs", [3, 40])
def test_several_replicas_have_the_outputs_of_each_alone(num_outputs):
    graphdef, params = nnx.split(made(num_outputs), nnx.Param)
    both = jax.tree.map(lambda leaf: jnp.stack([leaf, 2 * leaf]), params)
    h = jax.random.normal(jax.random.key(1), (BATCH, WIDTH))
    together = jax.vmap(lambda params: nnx.merge(graphdef, params)(h))(both)
    for replica in range(2):
        alone = nnx.merge(graphdef, jax.tree.map(lambda leaf, r=replica: leaf[r], both))(h)
        np.testing.assert_allclose(together[replica], alone, rtol=1e-5, atol=1e-6)


def test_outputs_of_a_computation_in_bfloat16_are_float32():
    h = jnp.ones((BATCH, WIDTH))
    found = made(2, "bfloat16")(h)
    assert found.dtype == jnp.float32
    np.testing.assert_allclose(found, made(2)(h), rtol=0.05, atol=0.05)
