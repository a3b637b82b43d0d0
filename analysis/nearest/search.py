"""The one entry to the search: checks what it is given, leaves out what is excluded."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32, Int64

from .accelerator import search_accelerator
from .host import search_host
from .index import Index, check_finite, has_accelerator


def nearest(
    queries: Float32[np.ndarray, "Q d"],
    vectors: Float32[np.ndarray, "V width"] | Index,
    k: int,
    *,
    block_bytes: int | None = None,
    dtype: str = "float32",
    exclude: Sequence[Sequence[int]] | None = None,
) -> tuple[Int64[np.ndarray, "Q k"], Float32[np.ndarray, "Q k"]]:
    """Finds the k vectors with the highest cosine to each query, exactly.

    A cosine is Σ_i u_i v_i / (‖u‖ ‖v‖), computed in float64 and rounded to float32; of equal ones the lower row comes
    first. A vector of zeros has the cosine 0 to everything, and so has a query of zeros.

    Nothing of size Q × V is held: beside the result some `block_bytes` per core. Where very many vectors are equally
    near, to within the error of a float32 product or of `dtype`, all of those are measured again, which is slow.

    Args:
      queries: of any length.
      vectors: of any length, may be a np.memmap; or an `Index` of them, which pays from the second search on.
      k: how many; at least 1.
      block_bytes: of vectors and their scores that a core works on at a time, best if its cache holds them: None for
        4 MiB, or half a GiB on an accelerator.
      dtype: 'float32', or 'bfloat16' or 'float16' to multiply rounded vectors and measure more of them again; what
        comes out is the same. It pays in an `Index`, which has its own dtype, and on an accelerator.
      exclude: for each query the rows that are no answers.

    Returns:
      Rows, the nearest first, and their cosines. Where fewer than k vectors are left, rows −1 with cosines NaN follow.

    Raises:
      ValueError: for sizes, rows or a dtype that cannot be, and for a number that is not finite.
    """
    index = vectors if isinstance(vectors, Index) else Index(vectors, dtype)
    number, dim = index.vectors.shape
    if queries.shape[1] != dim:
        raise ValueError(
            f"queries: expected {dim} numbers each, as the vectors have, found {queries.shape[1]}"
        )
    if k < 1:
        raise ValueError(f"k: expected at least 1, found {k}")
    excluded = [np.zeros(0, np.int64)] * len(queries) if exclude is None else _distinct(exclude, number)
    if len(excluded) != len(queries):
        raise ValueError(f"exclude: expected rows for each of {len(queries)} queries, found {len(excluded)}")

    wanted = min(number, k + max(map(len, excluded), default=0))
    # To a query of zeros all vectors are equally near.
    found = np.tile(np.arange(wanted), (len(queries), 1))
    cosines = np.zeros(found.shape, np.float32)
    check_finite(queries, np.arange(len(queries)), "queries")
    asked = np.flatnonzero(queries.any(axis=1))
    if len(asked):
        search = search_accelerator if has_accelerator() else search_host
        found[asked], cosines[asked] = search(queries[asked], index, wanted, block_bytes)

    for query, rows in enumerate(excluded):
        if len(rows):
            answer = ~np.isin(found[query], rows)
            order = np.argsort(~answer, kind="stable")  # answers first, in the order that they have
            found[query] = np.where(answer[order], found[query, order], -1)
            cosines[query] = np.where(answer[order], cosines[query, order], np.nan)
    missing = ((0, 0), (0, max(0, k - wanted)))
    return (
        np.pad(found[:, :k], missing, constant_values=-1),
        np.pad(cosines[:, :k], missing, constant_values=np.nan),
    )


def _distinct(exclude: Sequence[Sequence[int]], vectors: int) -> list[Int64[np.ndarray, " rows"]]:
    """Returns the distinct rows that are excluded for each query."""
    excluded = [np.unique(np.asarray(rows, np.int64)) for rows in exclude]
    for query, rows in enumerate(excluded):
        if len(rows) and not 0 <= rows[0] <= rows[-1] < vectors:
            wrong = rows[0] if rows[0] < 0 else rows[-1]
            raise ValueError(
                f"exclude: expected rows from 0 to {vectors - 1}, found {wrong} for query {query}"
            )
    return excluded
