"""The search on an accelerator: one jitted function per block, and the host for what it cannot be certain of."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float32, Int, Int32, Int64

from .candidates import Candidates, keep_best, measure
from .host import BLOCK_BYTES, score_error, search_host
from .index import Index, scaled_to_unit

_DEVICE_BYTES = 2**29


@functools.partial(jax.jit, donate_argnums=(3, 4))
def keep_best_of_block(
    queries: Float[Array, "Q d"],
    block: Float[Array, "B d"],
    start: Int[Array, ""] | int,
    scores: Float32[Array, "Q m"],
    rows: Int32[Array, "Q m"],
) -> tuple[Float32[Array, "Q m"], Int32[Array, "Q m"]]:
    """Returns the m best scores of every query among those given and those of a block, and their rows.

    Args:
      queries: at length one.
      block: vectors at length one, in the same dtype.
      start: the first one's row.
      scores: the best so far.
      rows: theirs.
    """
    products = jnp.matmul(queries, block.T, precision="highest", preferred_element_type=jnp.float32)
    m = scores.shape[1]
    scores, chosen = jax.lax.top_k(jnp.concatenate([scores, products], axis=1), m)
    known = jnp.take_along_axis(rows, jnp.minimum(chosen, m - 1), axis=1)
    return scores, jnp.where(chosen < m, known, start + chosen - m)


def search_accelerator(
    queries: Float32[np.ndarray, "Q d"], index: Index, k: int, block_bytes: int | None
) -> tuple[Int64[np.ndarray, "Q k"], Float32[np.ndarray, "Q k"]]:
    """Returns what `search_host` does.

    More than k are kept by score and measured again. All others score no more than the last one kept, so where the k-th
    cosine is higher than that by more than ε, none of them is among the k nearest; elsewhere the host searches.

    Args:
      queries: of any length but zero.
      index: at least k vectors.
      k: how many.
      block_bytes: of a block of vectors and its scores on the device; None for half a GiB.
    """
    number, dim = index.vectors.shape
    m = min(number, 4 * k + 64)
    at_once = max(1, (block_bytes or _DEVICE_BYTES) // (4 * (dim + 2 * len(queries))))
    unit = jnp.asarray(scaled_to_unit(queries), index.dtype)
    scores, rows = jnp.full((len(queries), m), -jnp.inf), jnp.zeros((len(queries), m), jnp.int32)
    for start in range(0, number, at_once):
        stop = min(start + at_once, number)
        block = jnp.asarray(index.read_unit(start, stop) if index.unit is None else index.unit[start:stop])
        scores, rows = keep_best_of_block(unit, block, start, scores, rows)
    lowest = np.asarray(scores)[:, -1]
    query = np.repeat(np.arange(len(queries)), m)
    found = Candidates(query, np.asarray(rows, np.int64).ravel(), np.asarray(scores).ravel())
    found = measure(queries, index.vectors, found, BLOCK_BYTES // (16 * dim) + 1)
    found, kth = keep_best(found, len(queries), k, None)
    nearest, cosines = found.row.reshape(-1, k), found.score.reshape(-1, k)
    # The queries are rounded, too; and twice the error of a float32 sum, since tensor cores do not round to nearest.
    error = 2 * score_error(index)
    unsure = np.flatnonzero(kth <= lowest + error) if m < number else []
    if len(unsure):
        nearest[unsure], cosines[unsure] = search_host(queries[unsure], Index(index.vectors), k, None)
    return nearest, cosines
