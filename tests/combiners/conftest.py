"""Makes combiners, float64 answers and gradients for the tests beside it."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from combiners import COMBINERS


class Gradients(NamedTuple):
    """The gradients of one scalar made of everything a combiner returned; None where there was no such input."""

    parameters: Any
    x: Any
    weights: Any


@pytest.fixture(scope="session")
def make():
    """Makes a combiner, of a name or a class, whose parameters are random: at their start some are all zero."""

    def make(combiner, num_vectors=None, dim=3, **options):
        cls = COMBINERS[combiner] if isinstance(combiner, str) else combiner
        made = cls(num_vectors=num_vectors or cls.arity or 4, dim=dim, rngs=nnx.Rngs(0), **options)
        rng = np.random.default_rng(1)
        parameters = nnx.state(made, nnx.Param)
        nnx.update(made, jax.tree.map(lambda p: jnp.asarray(rng.normal(size=p.shape), p.dtype), parameters))
        return made

    return make


@pytest.fixture(scope="session")
def expected():
    """Computes numpy_reference bag by bag: x [..., n, dim], or a list of arrays [..., dim_i], in float64."""

    def expected(combiner, x, mask=None, weights=None):
        parts = [np.asarray(p) for p in (x if isinstance(x, list | tuple) else np.moveaxis(x, -2, 0))]
        batch = parts[0].shape[:-1]
        mask = np.ones((*batch, len(parts)), bool) if mask is None else mask
        y = np.empty((*batch, combiner.out_dim), np.float64)
        for bag in np.ndindex(batch):
            w = None if weights is None else weights[bag]
            y[bag] = combiner.numpy_reference([part[bag] for part in parts], mask[bag], w)
        return y

    return expected


@pytest.fixture(scope="session")
def gradients():
    """Differentiates Σ_j (1 + j) y_j, summed over the bags, by all that a combiner was given."""

    def gradients(combiner, x, mask=None, weights=None):
        graph, parameters, rest = nnx.split(combiner, nnx.Param, ...)

        def loss(parameters, x, weights):
            y = nnx.merge(graph, parameters, rest)(x, mask, weights)
            return jnp.sum(y * jnp.arange(1, combiner.out_dim + 1, dtype=y.dtype))

        return Gradients(*jax.grad(loss, argnums=(0, 1, 2))(parameters, x, weights))

    return gradients
