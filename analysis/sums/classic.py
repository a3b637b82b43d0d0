"""The classic grid of miscounts and the illustration grid of counts, from NumPy's legacy generator, digit for digit.

For each V the seed is set anew and the samples are drawn in the order of n; for each d it is set again and the
embeddings are randn(d, V).T, so that smaller dimensions share the values of larger ones.
"""

import functools
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import threadpoolctl
from jaxtyping import Float, Int

from analysis.cells import measure_cells

from .greedy import greedy_counts, greedy_counts_reference, miscount


def measure_classic(config: Any, output: pathlib.Path) -> dict[str, Any]:
    """Matches every sum of both grids, by the Gram matrix and by the plain procedure, and keeps classic.json.

    Args:
      config: its fields `classic` and `illustration`, as of configs/vector_sums.py.
      output: folder of classic.json.

    Returns:
      {"classic": rows of {"vocabulary", "dim", "n", "miscount", "identical"},
      "illustration": rows of these and {"true", "estimated"}: counts per embedding};
      "identical" says whether both ways came to the same counts.

    Raises:
      ValueError: as of `check_grid`.
    """
    classic, illustration = config.classic, config.illustration
    check_grid("classic", vocabularies=classic.vocabularies, dims=classic.dims, numbers=classic.numbers)
    check_grid(
        "illustration",
        vocabulary=(illustration.vocabulary,),
        dims=illustration.dims,
        numbers=illustration.numbers,
    )
    settings = {"classic": classic.to_dict(), "illustration": illustration.to_dict()}
    cells = {
        f"classic, V={vocabulary}, d={dim}": functools.partial(
            _measure, classic.seed, vocabulary, dim, classic.numbers, keep_counts=False
        )
        for vocabulary in classic.vocabularies
        for dim in classic.dims
    } | {
        f"illustration, d={dim}": functools.partial(
            _measure, illustration.seed, illustration.vocabulary, dim, illustration.numbers, keep_counts=True
        )
        for dim in illustration.dims
    }
    # The products are small: on a busy machine the threads of BLAS wait for each other far longer than they work.
    with threadpoolctl.threadpool_limits(1, user_api="blas"):
        results = measure_cells(output / "classic.json", settings, cells, "classic grid")
    return {
        grid: [row for name, rows in results.items() if name.startswith(grid) for row in rows]
        for grid in settings
    }


def check_grid(name: str, **sizes: Sequence[int]) -> None:
    """Refuses sizes of config.<name> below one, none at all, and those that do not ascend.

    Raises:
      ValueError: naming the field.
    """
    for field, values in sizes.items():
        if not values or min(values) < 1 or list(values) != sorted(set(values)):
            raise ValueError(f"config.{name}.{field} must ascend from at least 1, got {tuple(values)}")


def draw_samples(seed: int, vocabulary: int, numbers: Sequence[int]) -> list[Int[np.ndarray, " _"]]:
    """Returns, for each n, the ids of n summands, from one legacy generator in the order of n."""
    generator = np.random.RandomState(seed)
    return [generator.choice(vocabulary, size=n) for n in numbers]


def draw_embeddings(seed: int, vocabulary: int, dim: int) -> Float[np.ndarray, "V d"]:
    """Returns standard normal embeddings whose first dimensions are those of a smaller `dim`."""
    return np.random.RandomState(seed).randn(dim, vocabulary).T


def _measure(
    seed: int, vocabulary: int, dim: int, numbers: Sequence[int], *, keep_counts: bool
) -> list[dict[str, Any]]:
    embeddings = draw_embeddings(seed, vocabulary, dim)
    samples = draw_samples(seed, vocabulary, numbers)
    true = [np.bincount(sample, minlength=vocabulary) for sample in samples]
    totals = [embeddings[sample].sum(axis=0) for sample in samples]
    found = greedy_counts(embeddings, np.stack(totals)[:, None], tuple(numbers))[:, 0]
    rows = []
    for n, count, total, estimated in zip(numbers, true, totals, found, strict=True):
        reference = greedy_counts_reference(embeddings, total, n)
        row = {
            "vocabulary": vocabulary,
            "dim": dim,
            "n": n,
            "miscount": int(miscount(count, estimated)),
            "identical": bool((reference == estimated).all()),
        }
        if keep_counts:
            row |= {"true": count.tolist(), "estimated": estimated.tolist()}
        rows.append(row)
    return rows
