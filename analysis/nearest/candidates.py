"""Pairs of a query and a row that may be among the query's nearest: kept by score, and measured again in float64."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Int64


class Candidates(NamedTuple):
    """One of each per pair."""

    query: Int64[np.ndarray, " n"]
    row: Int64[np.ndarray, " n"]
    score: Float32[np.ndarray, " n"]


def join(parts: Sequence[Candidates]) -> Candidates:
    """Returns the candidates of all parts."""
    return Candidates(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def keep_best(
    found: Candidates, queries: int, k: int, slack: float | None
) -> tuple[Candidates, Float32[np.ndarray, " Q"]]:
    """Keeps what may be among the k best of its query.

    Args:
      found: in any order.
      queries: how many there are.
      k: how many are wanted of each.
      slack: candidates this much below the k-th best score are kept, too; None where scores are final: then k are kept,
        of equal scores the lower rows.

    Returns:
      What is kept, by query and then the best first; and every query's k-th best score, −inf where it has fewer.
    """
    order = np.lexsort((found.row, -found.score, found.query))
    found = Candidates(*(column[order] for column in found))
    starts = np.searchsorted(found.query, np.arange(queries + 1))
    full = np.flatnonzero(np.diff(starts) >= k)
    kth = np.full(queries, -np.inf, np.float32)
    kth[full] = found.score[starts[full] + k - 1]
    if slack is None:
        keep = np.arange(len(order)) - starts[found.query] < k
    else:
        keep = found.score >= (kth - slack)[found.query]
    return Candidates(*(column[keep] for column in found)), kth


def measure(
    queries: Float32[np.ndarray, "Q d"], vectors: Float32[np.ndarray, "V d"], found: Candidates, at_once: int
) -> Candidates:
    """Returns the candidates with their cosines for scores: Σ_i u_i v_i / (‖u‖ ‖v‖) in float64, rounded to float32.

    Args:
      queries: of any length but zero.
      vectors: of any length; zeros have the cosine 0.
      found: what is to be measured.
      at_once: how many candidates' vectors are held in float64 at a time.
    """
    cosines = np.empty(len(found.query), np.float32)
    for start in range(0, len(cosines), at_once):
        part = slice(start, start + at_once)
        # In float64 the products of two float32 numbers are exact: what is orthogonal in small numbers has cosine 0.
        u = queries[found.query[part]].astype(np.float64)
        v = vectors[found.row[part]].astype(np.float64)
        lengths = np.sqrt(np.vecdot(u, u)) * np.sqrt(np.vecdot(v, v))
        cosines[part] = np.vecdot(u, v) / np.where(lengths > 0, lengths, 1)
    return found._replace(score=cosines)
