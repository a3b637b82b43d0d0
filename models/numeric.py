"""Measured numbers on their way into a model: as they are, through a linear map, by pieces, or as bins.

Numbers come standardised; NaN is a missing one. What they are is decided here from the edges of bins in the
specification, so that the data stays as it is read.
"""

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float32, Int

KINDS = ("raw", "linear", "embedded", "binned")
Edges = Sequence[Sequence[float]]


def vectors(
    numbers: Float[Array, "batch columns"], groups: Sequence[Sequence[int]]
) -> tuple[Float[Array, "batch _"], ...]:
    """Returns the measured vectors: group by group, the columns that it names; a missing number is 0, the mean.

    Args:
      numbers: [batch, columns], standardised.
      groups: indices of columns.
    """
    known = jnp.where(jnp.isnan(numbers), 0, numbers)
    return tuple(known[:, np.asarray(group)] for group in groups)


def with_constant(x: Float[Array, "batch width"]) -> Float[Array, "batch width_plus_1"]:
    """Returns [1; x], so that a matrix times it is a linear map with a bias."""
    return jnp.pad(x, [(0, 0), (1, 0)], constant_values=1)


def piecewise_linear(
    numbers: Float[Array, "batch columns"], edges: Edges
) -> tuple[Float[Array, "batch _"], ...]:
    """Encodes each number by how far it reaches into every bin (Gorishniy et al. 2022, arXiv 2203.05556, equation 1).

    With edges b_0 < … < b_T and x in bin t the encoding is [missing, present, 1, …, 1, (x − b_t−1)/(b_t − b_t−1),
    0, …, 0]: bins that x has passed are 1, those that it has not reached 0. The first bin goes on below its edge and
    the last above it, so that a linear map of the encoding is a continuous, piecewise linear function of x, with
    straight ends. A missing number is [1, 0, 0, …, 0].

    Args:
      numbers: [batch, columns], standardised.
      edges: of each column, rising.

    Returns:
      For each column [batch, `piecewise_width(edges)`].
    """
    encoded = []
    for column, column_edges in enumerate(edges):
        bounds = _distinct(column_edges)
        missing = jnp.isnan(numbers[:, column, None])
        reach = (jnp.where(missing, 0, numbers[:, column, None]) - bounds[:-1]) / np.diff(bounds)
        lowest, highest = np.zeros(reach.shape[1]), np.ones(reach.shape[1])
        lowest[:1], highest[-1:] = -np.inf, np.inf
        reach = jnp.where(missing, 0, jnp.clip(reach, lowest, highest))
        encoded.append(jnp.concatenate([missing, ~missing, reach], axis=1, dtype=numbers.dtype))
    return tuple(encoded)


def piecewise_width(edges: Sequence[float]) -> int:
    """Returns the width of a column's piecewise linear encoding: two flags and the bins."""
    return 2 + max(len(_distinct(edges)) - 1, 0)


def bin_ids(numbers: Float[Array, "batch columns"], edges: Edges) -> tuple[Int[Array, "batch 1"], ...]:
    """Returns the bin of each number: 0 = missing, 1 = the lowest; what lies outside the edges is in the outermost.

    Args:
      numbers: [batch, columns], standardised.
      edges: of each column, rising.

    Returns:
      For each column int32 [batch, 1], below `num_bin_rows(edges)`.
    """
    ids = []
    for column, column_edges in enumerate(edges):
        x = numbers[:, column, None]
        passed = (x >= _distinct(column_edges)[1:-1]).sum(axis=1, keepdims=True, dtype=jnp.int32)
        ids.append(jnp.where(jnp.isnan(x), 0, 1 + passed))
    return tuple(ids)


def num_bin_rows(edges: Sequence[float]) -> int:
    """Returns how many ids `bin_ids` makes of a column."""
    return 1 + max(len(_distinct(edges)) - 1, 1)


def _distinct(edges: Sequence[float]) -> Float32[np.ndarray, "edges"]:
    """Returns the edges that float32 tells apart."""
    return np.unique(np.asarray(edges, np.float32))
