"""Lists the nearest neighbours of words under every combination, and how far they depend on the seed."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float32, Int64

from .combining import COMBINATIONS, combine, named_combination, scaled_to_unit

ACROSS = "word→context"  # by cos(w_query, c): what occurs beside the query
COLUMNS = (*COMBINATIONS, ACROSS)


def check_columns(names: Sequence[str]) -> None:
    """Raises ValueError for a column that is neither a combination nor `ACROSS`, with the nearest name."""
    for name in names:
        if name != ACROSS:
            named_combination(name)


def measure_neighbours(
    queries: Mapping[str, int],
    probes: Mapping[str, Sequence[int]],
    centre: Float32[np.ndarray, "seeds words dim"],
    context: Float32[np.ndarray, "seeds words dim"],
    column: str,
    k: int,
) -> dict[str, Any]:
    """Finds the k nearest words of every query by cosine, the query itself excepted.

    Args:
      queries: word -> its row.
      probes: query -> rows of words whose rank among its neighbours is asked for.
      centre: word vectors of every seed, of all words that may be neighbours.
      context: context vectors of every seed.
      column: of `COLUMNS`.
      k: how many neighbours; at most all other words.

    Returns:
      {"lists": {query: [[row, cosine] of the nearest, of the first seed]}, "overlap": {query: share of the k nearest
      that two seeds have in common, over all pairs of seeds; None for a single seed}, "ranks": {query: [per probe, its
      rank of every seed, 1 for the nearest]}}.
    """
    asked = np.asarray(list(queries.values()), np.int64)
    k = min(k, centre.shape[1] - 1)
    nearest, lists = [], {}
    ranks: dict[str, list[list[int]]] = {query: [[] for _ in rows] for query, rows in probes.items()}
    for seed, (w, c) in enumerate(zip(centre, context, strict=True)):
        if column == ACROSS:
            sources, targets = w[asked], c
        else:
            targets = combine(COMBINATIONS[column], w, c)
            sources = targets[asked]
        cosines = scaled_to_unit(sources) @ scaled_to_unit(targets).T
        cosines[np.arange(len(asked)), asked] = -np.inf
        order = _order(cosines)
        nearest.append(order[:, :k])
        for row, query in enumerate(queries):
            if seed == 0:
                lists[query] = [[int(i), float(cosines[row, i])] for i in order[row, :k]]
            for probe, found in zip(probes.get(query, ()), ranks.get(query, ()), strict=True):
                found.append(int(np.flatnonzero(order[row] == probe)[0]) + 1)
    overlap = {query: _overlap([of_seed[row] for of_seed in nearest]) for row, query in enumerate(queries)}
    return {"lists": lists, "overlap": overlap, "ranks": ranks}


def _order(cosines: Float32[np.ndarray, "queries words"]) -> Int64[np.ndarray, "queries words"]:
    """Returns the rows by falling cosine, of equal ones the more frequent word first."""
    return np.argsort(-cosines, axis=1, kind="stable")


def _overlap(lists: Sequence[Int64[np.ndarray, " k"]]) -> float | None:
    shares = [len(np.intersect1d(a, b)) / len(a) for a, b in itertools.combinations(lists, 2) if len(a)]
    return float(np.mean(shares)) if shares else None
