"""Greedy matching by the Gram matrix beside the plain NumPy procedure, in sums read back per second.

  python -m benchmarks.vector_sums
  python -m benchmarks.vector_sums --quick

First all sums share one table, whose Gram matrix is made beforehand and timed apart; then every sum has a table of its
own, Gram matrix included; then a table serves the sums of the whole classic grid, as it does in the many draws of
configs/vector_sums.py. What both ways find is compared.
"""

import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np
from jaxtyping import Float, Int

from analysis.sums.draws import draw_tables_and_counts, measure_miscounts
from analysis.sums.greedy import (
    first_scores,
    gram_matrix,
    greedy_counts,
    greedy_counts_reference,
    match_in_float64,
    miscount,
)
from benchmarks.measure import alternate, compare, describe_machine, machine_line, parser, save

VOCABULARY, DIM, NUMBER = 1024, 1000, 200
DIMS, NUMBERS = (10, 20, 50, 70, *range(100, 1001, 100)), (10, 20, 50, 100, 200)
SUMS, PLAIN_SUMS = 2048, 8  # read back in a round, of one table
TABLES = 4  # in a round, with a sum each, or a grid of sums each
ROUNDS = 7
EXPECTED = 100  # times as many sums per second with one table

Work = Callable[[], Int[np.ndarray, "..."]]


def main() -> None:
    """Times both ways in turn and writes benchmarks/results/vector_sums.{json,md}."""
    quick = parser(__doc__).parse_args().quick
    sums, num_tables, rounds = (64, 1, 1) if quick else (SUMS, TABLES, ROUNDS)
    rng = np.random.default_rng(0)
    tables = [rng.standard_normal((VOCABULARY, DIM)) for _ in range(num_tables)]
    samples = rng.integers(VOCABULARY, size=(sums, NUMBER))
    totals = np.stack([tables[0][sample].sum(axis=0) for sample in samples])
    own_totals = np.stack([table[sample].sum(axis=0) for table, sample in zip(tables, samples, strict=False)])
    result = {
        "machine": describe_machine(),
        "settings": {"vocabulary": VOCABULARY, "dim": DIM, "number": NUMBER, "rounds": rounds},
        "shared": _shared(tables[0], totals, rounds),
        "fresh": _fresh(tables, own_totals, rounds),
        "grid": _grid(num_tables, rounds),
    }
    save("vector_sums", result, _page(result), quick=quick)


def _shared(
    table: Float[np.ndarray, "V d"], totals: Float[np.ndarray, "sums d"], rounds: int
) -> dict[str, Any]:
    """Times sums of one table."""
    gram_seconds = statistics.median(_seconds(lambda: gram_matrix(table)) for _ in range(rounds))
    with jax.enable_x64(True):
        gram = jax.device_put(gram_matrix(table))

    def by_gram() -> Int[np.ndarray, "sums V"]:
        return match_in_float64(gram, first_scores(table, totals)[None], (NUMBER,))[0]

    def plain() -> Int[np.ndarray, "some V"]:
        return np.stack([greedy_counts_reference(table, total, NUMBER) for total in totals[:PLAIN_SUMS]])

    first_seconds = _seconds(by_gram)
    result = _compare(by_gram, plain, len(totals), PLAIN_SUMS, rounds)
    compile_seconds = first_seconds - len(totals) * result["table"]["gram"]["median_seconds"]
    return {"gram_seconds": gram_seconds, "compile_seconds": compile_seconds, **result}


def _fresh(
    tables: list[Float[np.ndarray, "V d"]], totals: Float[np.ndarray, "sums d"], rounds: int
) -> dict[str, Any]:
    """Times a sum of each table, whose Gram matrix nobody has made."""

    def by_gram() -> Int[np.ndarray, "sums V"]:
        pairs = zip(tables, totals, strict=True)
        return np.stack([greedy_counts(table, total[None, None], (NUMBER,))[0, 0] for table, total in pairs])

    def plain() -> Int[np.ndarray, "sums V"]:
        pairs = zip(tables, totals, strict=True)
        return np.stack([greedy_counts_reference(table, total, NUMBER) for table, total in pairs])

    return _compare(by_gram, plain, len(tables), len(tables), rounds)


def _grid(num_tables: int, rounds: int) -> dict[str, Any]:
    """Times the sums of the classic grid of each table; drawing the tables counts on both sides."""

    def by_gram() -> Int[np.ndarray, "tables dims numbers"]:
        return measure_miscounts(0, VOCABULARY, range(num_tables), DIMS, NUMBERS)

    def plain() -> Int[np.ndarray, "tables dims numbers"]:
        tables, counts = draw_tables_and_counts(0, VOCABULARY, range(num_tables), DIM, NUMBERS)
        miscounts = np.empty((num_tables, len(DIMS), len(NUMBERS)), int)
        for i, j, k in np.ndindex(miscounts.shape):
            embeddings, count = tables[i, :, : DIMS[j]].astype(np.float64), counts[i, k]
            found = greedy_counts_reference(embeddings, count @ embeddings, NUMBERS[k])
            miscounts[i, j, k] = miscount(count, found)
        return miscounts

    sums = num_tables * len(DIMS) * len(NUMBERS)
    return _compare(by_gram, plain, sums, sums, rounds)


def _compare(by_gram: Work, plain: Work, sums: int, plain_sums: int, rounds: int) -> dict[str, Any]:
    """Returns seconds per sum of both ways, round by round and compared, and how many of their results are equal."""
    found: dict[str, Int[np.ndarray, ...]] = {}

    def keep(way: str, work: Work) -> Callable[[], None]:
        def run() -> None:
            found[way] = work()

        return run

    seconds = alternate({"gram": keep("gram", by_gram), "plain": keep("plain", plain)}, rounds)
    per_sum = {
        "gram": [second / sums for second in seconds["gram"]],
        "plain": [second / plain_sums for second in seconds["plain"]],
    }
    equal = found["gram"][: len(found["plain"])] == found["plain"]
    return {
        "sums": {"gram": sums, "plain": plain_sums},
        "equal": float(equal.mean()),
        "seconds_per_sum": per_sum,
        "table": compare(per_sum, "gram"),
    }


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _page(result: Mapping[str, Any]) -> str:
    shared, rounds = result["shared"], result["settings"]["rounds"]
    rows = {
        "shared": f"one table, d = {DIM}, n = {NUMBER}, float64",
        "fresh": f"a table per sum, d = {DIM}, n = {NUMBER}, float64",
        "grid": f"a table per {len(DIMS)} dimensions × {len(NUMBERS)} n of the classic grid, float32",
    }
    lines = [
        "# Reading summands back out of sums: sums per second",
        "",
        f"Greedy matching among V = {VOCABULARY} embeddings; medians of {rounds} alternating rounds in one process.",
        f"Expected beforehand: at least {EXPECTED}x with one table, every count the same; with a table per sum about",
        "as fast as the plain procedure, because the V²·d products of its Gram matrix are as many as those of some",
        "hundred plain steps; in between where a table serves a whole grid.",
        "",
        "| | plain NumPy, sums/s | by the Gram matrix, sums/s | faster by (least to greatest) | counts equal |",
        "|---|---:|---:|---:|---:|",
    ]
    for part, name in rows.items():
        table = result[part]["table"]
        plain, gram = (1 / table[way]["median_seconds"] for way in ("plain", "gram"))
        row = table["plain"]
        ratio = f"{row['ratio']:.1f}x ({row['ratio_min']:.1f} to {row['ratio_max']:.1f})"
        lines.append(
            f"| {name} | {plain:,.1f} | {gram:,.1f} | {ratio} | {100 * result[part]['equal']:.4g}% |"
        )
    lines += [
        "",
        "The last row compares miscounts, and draws its tables within the time of both ways; the plain procedure is in",
        "float64 there too. With one table",
        f"{shared['sums']['gram']:,} sums are read back at once, {shared['sums']['plain']} by the plain procedure, and",
        f"what is made once is not counted: the Gram matrix in {1e3 * shared['gram_seconds']:.0f} ms, the compiled",
        f"program in {shared['compile_seconds']:.1f} s.",
        "",
        machine_line(result["machine"]),
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
