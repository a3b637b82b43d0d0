"""The search on a CPU, in NumPy: its BLAS multiplies faster than XLA does there, and a filter needs no sorting."""

import functools
import math
import os
from concurrent import futures

import numpy as np
import threadpoolctl
from jaxtyping import Float32, Int64

from .candidates import Candidates, join, keep_best, measure
from .index import Index, scaled_to_unit

BLOCK_BYTES = 2**22
_QUERIES = 1024  # multiplied with a block at once


def score_error(index: Index) -> float:
    """Returns ε: by how much a score of float32 products can be off its cosine.

    d·2⁻²⁴ for the sum of d products in whatever order (Higham 2002, Accuracy and Stability of Numerical Algorithms,
    section 3.1), half of that for a length, the rest for what is rounded once; and the rounding of the vectors.
    """
    return (1.6 * index.vectors.shape[1] + 32) * 2.0**-24 + index.rounding_error


def search_host(
    queries: Float32[np.ndarray, "Q d"], index: Index, k: int, block_bytes: int | None
) -> tuple[Int64[np.ndarray, "Q k"], Float32[np.ndarray, "Q k"]]:
    """Returns the rows of the k nearest vectors of every query, and their cosines.

    Args:
      queries: of any length but zero.
      index: at least k vectors.
      k: how many.
      block_bytes: of a block of vectors and its scores, on each core; None for 4 MiB.
    """
    number, dim = index.vectors.shape
    at_once = max(1, (block_bytes or BLOCK_BYTES) // (4 * (dim + min(len(queries), _QUERIES))))
    parts = min(os.cpu_count() or 1, math.ceil(number / at_once))
    edges = [number * part // parts for part in range(parts + 1)]
    search = functools.partial(_search_rows, queries, index, k, at_once)
    # Each core has a BLAS of one thread: threads of one BLAS would wait for each other at every block.
    with _blas().limit(limits=1, user_api="blas"), futures.ThreadPoolExecutor(parts) as pool:
        found = join(list(pool.map(search, edges[:-1], edges[1:])))
        found, _ = keep_best(found, len(queries), k, 2 * score_error(index))
        found, _ = keep_best(measure(queries, index.vectors, found, at_once), len(queries), k, None)
    return found.row.reshape(-1, k), found.score.reshape(-1, k)


def _search_rows(
    queries: Float32[np.ndarray, "Q d"], index: Index, k: int, at_once: int, first: int, last: int
) -> Candidates:
    """Returns what may be among the k nearest, of the rows from `first` to before `last`."""
    unit, slack = scaled_to_unit(queries).astype(np.float32), 2 * score_error(index)
    number, dim = queries.shape
    threshold = np.full(number, -np.inf, np.float32)
    products = np.empty(min(number, _QUERIES) * at_once, np.float32)
    scaled = np.empty((at_once, dim), np.float32)
    found: list[Candidates] = []
    pending = 0
    for start in range(first, last, at_once):
        block, scale = index.read(start, min(start + at_once, last))
        if scale is not None and number > dim:  # where a block has fewer numbers than its products
            block, scale = np.multiply(block, scale[:, None], out=scaled[: len(block)]), None
        for low in range(0, number, _QUERIES):
            part = slice(low, low + _QUERIES)
            scores = products[: len(unit[part]) * len(block)].reshape(-1, len(block))
            np.matmul(unit[part], block.T, out=scores)
            if scale is not None:
                scores *= scale
            query, column, score = _pick(scores, threshold[part], k, slack)
            found.append(Candidates(query + low, column + start, score))
            pending += len(query)
            if pending >= k * number:  # about as often as the number of rows doubles
                best, kth = keep_best(join(found), number, k, slack)
                # Where so many are equally near, they must be told apart now.
                if len(best.query) > 4 * k * number:
                    best, kth = keep_best(measure(queries, index.vectors, best, at_once), number, k, None)
                np.maximum(threshold, kth - slack, out=threshold)
                found, pending = [best], 0
    return join(found)


def _pick(
    scores: Float32[np.ndarray, "Q B"], threshold: Float32[np.ndarray, " Q"], k: int, slack: float
) -> tuple[Int64[np.ndarray, " n"], Int64[np.ndarray, " n"], Float32[np.ndarray, " n"]]:
    """Returns queries, columns and scores where the threshold is reached; raises thresholds if they are far too low."""
    queries = np.flatnonzero(scores.max(axis=1) >= threshold)
    some = scores[queries]
    hits = some >= threshold[queries, None]
    if k < scores.shape[1] and np.count_nonzero(hits) > 2 * k * len(queries):
        kth = np.partition(some, -k, axis=1)[:, -k]
        threshold[queries] = np.maximum(threshold[queries], kth - slack)
        hits = some >= threshold[queries, None]
    # Ten times as fast as np.nonzero of two axes.
    query, column = np.divmod(np.flatnonzero(hits), hits.shape[1])
    return queries[query], column, some[query, column]


@functools.cache
def _blas() -> threadpoolctl.ThreadpoolController:
    return threadpoolctl.ThreadpoolController()  # looking for the libraries takes as long as a small search
