"""The search for the k nearest beside the bare product of the same queries and vectors, whose scores nobody looks at.

  python -m benchmarks.nearest
  python -m benchmarks.nearest --quick

Takes about four minutes and 8 GB. The product is made in four ways, of which the fastest counts: in the search's own
blocks, with a BLAS of one thread on each core; in larger blocks and as a whole, with a BLAS of all cores; in blocks by
XLA. Then a single query, where reading the vectors is what takes the time.
"""

import functools
import os
import resource
import statistics
import sys
from collections.abc import Mapping
from concurrent import futures
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import threadpoolctl
from jaxtyping import Array, Float32

from analysis.nearest import make_index, nearest
from analysis.nearest.host import BLOCK_BYTES
from benchmarks.measure import alternate, compare, describe_machine, machine_line, parser, save

QUERIES, VECTORS, DIM, K = 1000, 1_000_000, 300, 10
ROUNDS = 5
QUICK_VECTORS, QUICK_ROUNDS = 20_000, 2
LARGE = 8192  # rows
CHECKED = 20  # queries, against all cosines in float64
EXPECTED = 1.3  # times the product, at most

PRODUCTS = {
    "blocks": "product in the search's blocks, a BLAS per core",
    "large": f"product in blocks of {LARGE:,} rows, one BLAS",
    "whole": "product as a whole, one BLAS",
    "xla": f"product in blocks of {LARGE:,} rows, XLA",
}
SEARCHES = {
    "search": "search",
    "index": "search of an index",
    "bfloat16": "search of an index in bfloat16",
}


def main() -> None:
    """Times products and searches in turn and writes benchmarks/results/nearest.{json,md}."""
    quick = parser(__doc__).parse_args().quick
    num_vectors, rounds = (QUICK_VECTORS, QUICK_ROUNDS) if quick else (VECTORS, ROUNDS)
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((num_vectors, DIM), np.float32)
    queries = rng.standard_normal((QUERIES, DIM), np.float32)
    peak = _peak_mib(queries, vectors)  # first, because a process's peak never falls
    result = {
        "machine": describe_machine(),
        "settings": {
            **{"queries": QUERIES, "vectors": num_vectors, "dim": DIM, "k": K, "rounds": rounds},
            "block_rows": _block_rows(QUERIES),
        },
        "peak_mib": peak,
        "many": _compare(queries, vectors, tuple(PRODUCTS), rounds),
        "single": _compare(queries[:1], vectors, ("blocks", "whole"), rounds),
        "equal": _equal(queries, vectors),
    }
    save("nearest", result, _page(result), quick=quick)


def _compare(
    queries: Float32[np.ndarray, "Q d"],
    vectors: Float32[np.ndarray, "V d"],
    products: tuple[str, ...],
    rounds: int,
) -> dict[str, Any]:
    """Times products and searches round by round; the ratios are to the product with the least median."""
    blas = threadpoolctl.ThreadpoolController()
    index, rounded = make_index(vectors), make_index(vectors, "bfloat16")
    scores = np.empty((len(queries), len(vectors)), np.float32)

    def with_blas(threads: int, work: Any) -> Any:
        def run() -> None:
            with blas.limit(limits=threads, user_api="blas"):
                work()

        return run

    cores = os.cpu_count()
    contenders = {
        "blocks": with_blas(1, lambda: _multiply_on_every_core(queries, vectors, _block_rows(len(queries)))),
        "large": with_blas(cores, lambda: _multiply(queries, vectors, LARGE)),
        "whole": with_blas(cores, lambda: np.matmul(queries, vectors.T, out=scores)),
        "xla": lambda: _multiply_by_xla(queries, vectors),
        "search": lambda: nearest(queries, vectors, K),
        "index": lambda: nearest(queries, index, K),
        "bfloat16": lambda: nearest(queries, rounded, K),
    }
    seconds = alternate({name: contenders[name] for name in (*products, *SEARCHES)}, rounds)
    fastest = min(products, key=lambda name: statistics.median(seconds[name]))
    return {"seconds": seconds, "fastest": fastest, "table": compare(seconds, fastest)}


def _block_rows(queries: int) -> int:
    """Returns how many rows the search multiplies at once, unless there are more than 1,024 queries."""
    return BLOCK_BYTES // (4 * (DIM + queries))


def _multiply(
    queries: Float32[np.ndarray, "Q d"], vectors: Float32[np.ndarray, "V d"], block_rows: int
) -> None:
    """Multiplies block by block, each product overwriting the last."""
    buffer = np.empty(len(queries) * block_rows, np.float32)
    for start in range(0, len(vectors), block_rows):
        block = vectors[start : start + block_rows]
        np.matmul(queries, block.T, out=buffer[: len(queries) * len(block)].reshape(-1, len(block)))


def _multiply_on_every_core(
    queries: Float32[np.ndarray, "Q d"], vectors: Float32[np.ndarray, "V d"], block_rows: int
) -> None:
    cores = os.cpu_count()
    with futures.ThreadPoolExecutor(cores) as pool:
        parts = [vectors[len(vectors) * i // cores : len(vectors) * (i + 1) // cores] for i in range(cores)]
        list(pool.map(functools.partial(_multiply, queries, block_rows=block_rows), parts))


@jax.jit
def _product(queries: Float32[Array, "Q d"], block: Float32[Array, "B d"]) -> Float32[Array, "Q B"]:
    return queries @ block.T


def _multiply_by_xla(queries: Float32[np.ndarray, "Q d"], vectors: Float32[np.ndarray, "V d"]) -> None:
    on_device = jnp.asarray(queries)
    for start in range(0, len(vectors), LARGE):
        _product(on_device, jnp.asarray(vectors[start : start + LARGE])).block_until_ready()


def _peak_mib(queries: Float32[np.ndarray, "Q d"], vectors: Float32[np.ndarray, "V d"]) -> float:
    """Returns by how much a search raises the greatest memory that the process has ever had."""
    unit = 2**10 if sys.platform == "darwin" else 1  # bytes there, KiB elsewhere
    nearest(queries[:1], vectors[:1000], K)  # what the libraries allocate once
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    nearest(queries, vectors, K)
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / unit / 2**10


def _equal(queries: Float32[np.ndarray, "Q d"], vectors: Float32[np.ndarray, "V d"]) -> bool:
    """Returns whether rows and cosines of the first queries are those of a float64 product, in every precision."""
    checked = queries[:CHECKED].astype(np.float64)
    cosines = np.empty((CHECKED, len(vectors)), np.float32)
    for start in range(0, len(vectors), LARGE):
        block = vectors[start : start + LARGE].astype(np.float64)
        lengths = np.outer(np.linalg.norm(checked, axis=1), np.linalg.norm(block, axis=1))
        cosines[:, start : start + LARGE] = checked @ block.T / lengths
    rows = np.argsort(-cosines, axis=1, kind="stable")[:, :K]
    expected = np.take_along_axis(cosines, rows, axis=1)
    found = [
        nearest(queries, vectors, K),  # all, so that the blocks are those that were timed
        *(nearest(queries[:CHECKED], vectors, K, dtype=dtype) for dtype in ("bfloat16", "float16")),
    ]
    return all(np.array_equal(r[:CHECKED], rows) and np.array_equal(c[:CHECKED], expected) for r, c in found)


def _page(result: Mapping[str, Any]) -> str:
    settings, many, single = result["settings"], result["many"], result["single"]
    vectors, rounds = settings["vectors"], settings["rounds"]
    flops = 2e-9 * QUERIES * vectors * DIM
    names = {**PRODUCTS, **SEARCHES}
    lines = [
        "# The k nearest by cosine: time beside the bare product",
        "",
        f"{QUERIES:,} queries, {vectors:,} vectors of {DIM} standard normal numbers in float32, k = {K}; medians of",
        f"{rounds} alternating rounds in one process. Expected beforehand: the search takes at most {EXPECTED} times",
        "as long as the fastest bare product, whose scores nobody looks at.",
        "",
        "| | seconds | GFLOP/s | times the fastest product (least to greatest) |",
        "|---|---:|---:|---:|",
        *(
            _row(names[name], row, 1, f" {flops / row['median_seconds']:.0f} |")
            for name, row in many["table"].items()
        ),
        "",
        f"The search adds {result['peak_mib']:,.0f} MiB to the process's memory; all scores would be "
        f"{4 * QUERIES * vectors / 2**20:,.0f} MiB. Each core multiplies {settings['block_rows']:,} rows at once.",
        f"Rows and cosines of the first {CHECKED} queries are {'' if result['equal'] else 'NOT '}those of a float64 "
        "product of everything, in float32, bfloat16 and float16.",
        "",
        "## A single query",
        "",
        "| | milliseconds | times the fastest product (least to greatest) |",
        "|---|---:|---:|",
        *(_row(names[name], row, 1000, "") for name, row in single["table"].items()),
        "",
        "An index in bfloat16 is half as many bytes to read, and has to be converted to float32.",
        "",
        machine_line(result["machine"]),
        "",
    ]
    return "\n".join(lines)


def _row(name: str, row: Mapping[str, float], scale: int, column: str) -> str:
    ratio = f"{row['ratio']:.2f} ({row['ratio_min']:.2f} to {row['ratio_max']:.2f})"
    return f"| {name} | {scale * row['median_seconds']:.{2 if scale == 1 else 0}f} |{column} {ratio} |"


if __name__ == "__main__":
    main()
