"""Identities between combiners, computed in float64 on random bags: how far two ways to the same vector differ."""

import dataclasses
import math
from collections.abc import Callable

import jax
import numpy as np
from flax import nnx
from jaxtyping import Bool, Float

from combiners import make_combiner

# The vectors are of size one; sums of some hundred products of them in float64 err by about 1e-15 to 1e-14.
TOLERANCE = 1e-10
_BATCH = 16


@dataclasses.dataclass(frozen=True)
class Identity:
    """Two formulas that are said to be the same function.

    Attributes:
      formula: both sides, for readers.
      difference: draws bags and weights of several shapes; returns the largest |left − right| of any element.
    """

    formula: str
    difference: Callable[[np.random.Generator], float]


def sum_of_heads(
    x: Float[np.ndarray, "batch n dim"],
    mask: Bool[np.ndarray, "batch n"],
    query: Float[np.ndarray, "heads width"],
    key: Float[np.ndarray, "dim heads width"],
    value: Float[np.ndarray, "dim heads width"],
    out: Float[np.ndarray, "heads width features"],
) -> Float[np.ndarray, "batch features"]:
    """Returns Σ_k h_k W_k: every head attends for itself and has an output map of its own.

    Vaswani et al. 2017 write concat(h_1, …, h_H) W instead; W_k are the rows of W that head k meets.

    Args:
      x: the vectors of each bag.
      mask: True = present; at least one in every bag.
      query: one learned query per head.
      key: per head a map to keys.
      value: per head a map to values.
      out: per head a map to the output.
    """
    total = np.zeros((len(x), out.shape[-1]))
    for head in range(len(query)):
        scores = x @ key[:, head] @ query[head] / math.sqrt(query.shape[1])
        scores = np.where(mask, scores, -np.inf)
        shares = np.exp(scores - scores.max(axis=1, keepdims=True))
        shares /= shares.sum(axis=1, keepdims=True)
        found = np.einsum("bn,bnw->bw", shares, x @ value[:, head])
        total += found @ out[head]
    return total


def _heads(rng: np.random.Generator) -> float:
    largest = 0.0
    for num_heads, width in ((1, 6), (2, 4), (4, 16), (8, 8)):
        n, dim = int(rng.integers(2, 20)), num_heads * width
        x, mask = rng.normal(size=(_BATCH, n, dim)), _masks(rng, n)
        with jax.enable_x64(True):
            rngs = nnx.Rngs(int(rng.integers(2**31)))
            combiner = make_combiner(
                "multi_head_attention", num_vectors=n, dim=dim, rngs=rngs, num_heads=num_heads
            )
            # At the start the queries are zero, and all shares equal.
            combiner.query[...] = jax.numpy.asarray(rng.normal(size=(num_heads, width)))
            concatenated = np.asarray(combiner(x, mask=mask))
            kernels = (layer.kernel[...] for layer in (combiner.key, combiner.value, combiner.out))
            parameters = [np.asarray(parameter) for parameter in (combiner.query[...], *kernels)]
        largest = max(largest, _distance(concatenated, sum_of_heads(x, mask, *parameters)))
    return largest


def _concat_is_sum(rng: np.random.Generator) -> float:
    largest = 0.0
    for n, features in ((2, 1), (2, 32), (3, 8), (12, 16)):
        widths = tuple(int(width) for width in rng.integers(1, 24, size=n))
        rows = rng.integers(0, 50, size=(_BATCH, n))
        tables = [rng.normal(size=(50, width)) for width in widths]
        maps = [rng.normal(size=(width, features)) / math.sqrt(width) for width in widths]
        mask = _masks(rng, n)
        with jax.enable_x64(True):
            concat = make_combiner("concat", num_vectors=n, dim=widths)
            vectors = [table[rows[:, i]] for i, table in enumerate(tables)]
            left = np.asarray(concat(vectors, mask=mask)) @ np.concatenate(maps)
            mapped_tables = [table @ kernel for table, kernel in zip(tables, maps, strict=True)]
            mapped = np.stack([table[rows[:, i]] for i, table in enumerate(mapped_tables)], axis=1)
            right = np.asarray(make_combiner("sum", num_vectors=n, dim=features)(mapped, mask=mask))
        largest = max(largest, _distance(left, right))
    return largest


def _masks(rng: np.random.Generator, n: int) -> Bool[np.ndarray, "batch n"]:
    mask = rng.random((_BATCH, n)) < 0.8
    mask[:, 0] = True
    return mask


def _distance(left: Float[np.ndarray, "*shape"], right: Float[np.ndarray, "*shape"]) -> float:
    if left.dtype != np.float64:
        raise TypeError(f"an identity is computed in float64, got {left.dtype}")
    return float(np.abs(left - right).max())


IDENTITIES: dict[str, Identity] = {
    # Both sides on one line; W_k are the rows of W that head k meets, W_i the columns that slot i meets.
    "heads": Identity("[h_1; …; h_H] W = Σ_k h_k W_k", _heads),
    "concat_is_sum": Identity("W [E_1(a); …; E_n(z)] = (W_1 E_1)(a) + … + (W_n E_n)(z)", _concat_is_sum),
}
