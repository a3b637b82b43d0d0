"""The classic grid over many random draws: mean miscount, and how often greedy matching recovers a sum exactly.

Every draw has a table of its own and, for every n, a sum of its own: the draws of a cell of the grid are independent,
so its interval is the ordinary one. Cells of the same V share their draws. As in the classic grid a smaller dimension
is the beginning of a larger one; products over the dimensions between two of them are added to those so far, so that
all dimensions together cost one product of V²·d_max.
"""

import functools
import itertools
import math
import os
import pathlib
from collections.abc import Iterator, Sequence
from concurrent import futures
from typing import Any

import numpy as np
import threadpoolctl
from jaxtyping import Float, Int
from scipy import stats

from analysis.cells import measure_cells

from .classic import check_grid
from .greedy import match, miscount

CHUNK = 100  # draws after which results are kept
_TABLE_BYTES = (
    2**25
)  # of Gram matrices matched at once: memory of such a size is reused, of a larger one returned
_LEVEL = 0.95


def measure_draws(config: Any, output: pathlib.Path) -> dict[str, Any]:
    """Matches sums of the classic grid's sizes over many draws and keeps draws.json.

    Args:
      config: its fields `classic` (vocabularies, dims, numbers) and `draws` (num_draws, seed), as of
        configs/vector_sums.py.
      output: folder of draws.json.

    Returns:
      {"num_draws", "rows": one for each V, n and d, in this order: {"vocabulary", "n", "dim", "miscount": mean,
      "miscount_ci95", "exact": draws that were recovered, "recovery": their share, "recovery_ci95"}}; miscount_ci95 is
      Student's, None for a single draw, recovery_ci95 Wilson's.

    Raises:
      ValueError: for fewer than one draw, and as of `classic.check_grid`.
    """
    grid, num_draws, seed = config.classic, config.draws.num_draws, config.draws.seed
    if num_draws < 1:
        raise ValueError(f"config.draws.num_draws must be at least 1, got {num_draws}")
    check_grid("classic", vocabularies=grid.vocabularies, dims=grid.dims, numbers=grid.numbers)
    dims, numbers = tuple(grid.dims), tuple(grid.numbers)
    settings = {
        "vocabularies": tuple(grid.vocabularies),
        "dims": dims,
        "numbers": numbers,
        "num_draws": num_draws,
        "seed": seed,
    }
    cells = {
        f"V={vocabulary}, draws {first} to {min(first + CHUNK, num_draws) - 1}": functools.partial(
            _measure, seed, vocabulary, range(first, min(first + CHUNK, num_draws)), dims, numbers
        )
        for vocabulary in grid.vocabularies
        for first in range(0, num_draws, CHUNK)
    }
    results = measure_cells(output / "draws.json", settings, cells, "draws")
    rows = []
    for vocabulary in grid.vocabularies:
        chunks = [chunk for name, chunk in results.items() if name.startswith(f"V={vocabulary},")]
        total, squares, exact = (
            np.sum([chunk[key] for chunk in chunks], axis=0) for key in ("total", "squares", "exact")
        )
        for (i, n), (j, dim) in itertools.product(enumerate(numbers), enumerate(dims)):
            rows.append(
                {"vocabulary": vocabulary, "n": n, "dim": dim}
                | _summarise(int(total[j, i]), int(squares[j, i]), int(exact[j, i]), num_draws)
            )
    return {"num_draws": num_draws, "rows": rows}


def wilson_interval(share: float, num_draws: int) -> tuple[float, float]:
    """Returns the 95% score interval of a probability (Wilson 1927).

    Args:
      share: of the draws in which it happened.
      num_draws: N.
    """
    found = stats.binomtest(round(share * num_draws), num_draws).proportion_ci(_LEVEL, method="wilson")
    return float(found.low), float(found.high)


def _summarise(total: int, squares: int, exact: int, num_draws: int) -> dict[str, Any]:
    mean, interval = total / num_draws, None
    if num_draws > 1:
        variance = (squares - total * mean) / (num_draws - 1)
        half = stats.t.isf((1 - _LEVEL) / 2, num_draws - 1) * math.sqrt(max(0.0, variance) / num_draws)
        interval = [float(mean - half), float(mean + half)]
    return {
        "miscount": mean,
        "miscount_ci95": interval,
        "exact": exact,
        "recovery": exact / num_draws,
        "recovery_ci95": list(wilson_interval(exact / num_draws, num_draws)),
    }


def _measure(
    seed: int, vocabulary: int, draws: Sequence[int], dims: tuple[int, ...], numbers: tuple[int, ...]
) -> dict[str, list[list[int]]]:
    """Returns, over the draws, the total of miscounts, of their squares, and of exact recoveries, [dims][numbers]."""
    miscounts = measure_miscounts(seed, vocabulary, draws, dims, numbers)
    return {
        "total": miscounts.sum(axis=0).tolist(),
        "squares": (miscounts**2).sum(axis=0).tolist(),
        "exact": (miscounts == 0).sum(axis=0).tolist(),
    }


def measure_miscounts(
    seed: int, vocabulary: int, draws: Sequence[int], dims: tuple[int, ...], numbers: tuple[int, ...]
) -> Int[np.ndarray, "draws dims numbers"]:
    """Returns the miscount of every sum of some draws.

    In float32, which takes a third of float64's processor time: of 11,200 sums of the classic grid's sizes (V = 8, 128
    and 1024) none had another miscount in float64.

    Args:
      seed: of all draws.
      vocabulary: V.
      draws: their numbers.
      dims: ascending.
      numbers: how many summands.
    """
    most = _TABLE_BYTES // (4 * vocabulary**2)
    parts = _equal_parts(draws, most // len(dims))
    match_part = functools.partial(
        _match_draws, seed, vocabulary, dims=dims, numbers=numbers, most_dims=most // len(parts[0])
    )
    # A part per core, each with a BLAS of one thread: together they share the work better than the threads of a BLAS,
    # which wait for each other at every product.
    with (
        threadpoolctl.threadpool_limits(1, user_api="blas"),
        futures.ThreadPoolExecutor(os.cpu_count()) as pool,
    ):
        return np.concatenate(list(pool.map(match_part, parts)))


def draw_tables_and_counts(
    seed: int, vocabulary: int, draws: Sequence[int], dim: int, numbers: Sequence[int]
) -> tuple[Float[np.ndarray, "draws V d"], Int[np.ndarray, "draws numbers V"]]:
    """Returns, for every draw, standard normal embeddings, and how often each of them is in the sum of every n."""
    tables = np.empty((len(draws), vocabulary, dim), np.float32)
    counts = np.empty((len(draws), len(numbers), vocabulary), np.int64)
    for i, draw in enumerate(draws):
        rng = np.random.default_rng([seed, vocabulary, draw])
        rng.standard_normal(out=tables[i], dtype=np.float32)
        for j, n in enumerate(numbers):
            counts[i, j] = np.bincount(rng.integers(vocabulary, size=n), minlength=vocabulary)
    return tables, counts


def _match_draws(
    seed: int,
    vocabulary: int,
    draws: Sequence[int],
    dims: tuple[int, ...],
    numbers: tuple[int, ...],
    most_dims: int,
) -> Int[np.ndarray, "draws dims numbers"]:
    """Returns the miscounts of some draws, of which `most_dims` dimensions are matched at once."""
    tables, true = draw_tables_and_counts(seed, vocabulary, draws, dims[-1], numbers)
    miscounts, grams = [], _gram_matrices(tables, dims)
    for some_dims in _equal_parts(dims, most_dims):
        at_once = np.stack(list(itertools.islice(grams, len(some_dims))))
        # e_i·Σ_k c_k e_k / ‖e_i‖ is Σ_k c_k Ĝ[k, i].
        scores = np.moveaxis(true.astype(np.float32) @ at_once, 2, 0)
        found = match(
            at_once.reshape(-1, vocabulary, vocabulary),
            scores.reshape(len(numbers), -1, 1, vocabulary),
            numbers,
        )
        of_number = np.moveaxis(true, 1, 0)[:, None]
        miscounts.append(miscount(of_number, np.asarray(found).reshape(scores.shape)))
    return np.concatenate(miscounts, axis=1).transpose(2, 1, 0)


def _gram_matrices(
    tables: Float[np.ndarray, "draws V d"], dims: tuple[int, ...]
) -> Iterator[Float[np.ndarray, "draws V V"]]:
    """Yields greedy.gram_matrix of the first `dim` dimensions of every table, for one of the dims after the other."""
    num_draws, vocabulary, _ = tables.shape
    products = np.zeros((num_draws, vocabulary, vocabulary), tables.dtype)
    for done, dim in itertools.pairwise((0, *dims)):
        block = tables[:, :, done:dim]
        # A copy, since NumPy fills half of A Aᵀ element by element.
        products += block @ block.swapaxes(1, 2).copy()
        lengths = np.sqrt(np.diagonal(products, axis1=1, axis2=2))
        yield products / lengths[:, None]


def _equal_parts(items: Sequence[int], most: int) -> list[Sequence[int]]:
    """Cuts into parts of one size, so that there is one program for all; the largest up to `most` that divides."""
    size = max(size for size in range(1, len(items) + 1) if size <= max(1, most) and len(items) % size == 0)
    return [items[first : first + size] for first in range(0, len(items), size)]
