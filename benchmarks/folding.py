"""What folding a concatenation into a sum gains, by the number of parts: tables of features, one model after the other.

  python -m benchmarks.folding        a minute
  python -m benchmarks.folding --quick

A model of k categorical features, an embedding of each, a concatenation (`match=embed`), one hidden layer and one
output, at its initial parameters, beside the sum that it folds into: the same function, as is checked first.
"""

import jax
import numpy as np
from flax import nnx

import models
from analysis.throughput import examples_per_second, median_ratio
from benchmarks.measure import describe_machine, machine_line, parser, save
from configs import categorical
from data.table_preprocessor import CategoricalField, TableSpec

PARTS = (2, 4, 16)
ROWS, DIM, HIDDEN, BATCH, ROUNDS = 10_000, 32, 64, 1024, 15


def main() -> None:
    """Measures and writes benchmarks/results/folding.{json,md}."""
    quick = parser(__doc__).parse_args().quick
    rounds = 2 if quick else ROUNDS
    rows = [_measure(parts, rounds) for parts in (PARTS[:2] if quick else PARTS)]
    machine = describe_machine()
    save("folding", {"machine": machine, "rows": rows}, _page(rows, rounds, machine), quick=quick)


def _measure(parts: int, rounds: int) -> dict[str, float]:
    spec = TableSpec(
        categorical=tuple(CategoricalField(name=f"f{i}", num_rows=ROWS, max_values=1) for i in range(parts))
    )
    config = categorical.get_config("combiner=concat").model
    config.update({"match": "embed", "dim": DIM, "hidden": (HIDDEN,), "embedding_scale": 1.0})
    concat = models.make_model("categorical", config, spec, rngs=nnx.Rngs(0))
    _, total = models.fold(concat, config, spec, max_bytes=2**31)
    rng = np.random.default_rng(0)
    inputs = {"categories": rng.integers(0, ROWS, (BATCH, parts), np.int32)}
    np.testing.assert_allclose(total(inputs), concat(inputs), rtol=1e-5, atol=1e-5)
    speeds = examples_per_second({"concat": concat, "sum": total}, inputs, rounds)
    ratio, least, most = median_ratio(speeds, "sum", "concat")
    return {
        "parts": parts,
        "bytes_concat": _bytes(concat),
        "bytes_sum": _bytes(total),
        "concat": float(np.median(speeds["concat"])),
        "sum": float(np.median(speeds["sum"])),
        "ratio": ratio,
        "ratio_min": least,
        "ratio_max": most,
    }


def _bytes(model: nnx.Module) -> int:
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(nnx.state(model, nnx.Param)))


def _page(rows: list[dict[str, float]], rounds: int, machine: dict[str, object]) -> str:
    lines = [
        "# A concatenation folded into a sum",
        "",
        f"Tables of {ROWS:,} rows of {DIM} numbers, concatenated, a hidden layer of {HIDDEN}, one output; batches of "
        f"{BATCH:,} examples, compiled, median of {rounds} alternating rounds. Folded, a row has {HIDDEN} numbers and "
        "the hidden layer's matrix is gone.",
        "",
        "| parts | bytes, concat | bytes, sum | examples/s, concat | examples/s, sum | times as fast |",
        "|---:|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        lines.append(
            f"| {row['parts']} | {row['bytes_concat']:,} | {row['bytes_sum']:,} | {row['concat']:,.0f} | "
            f"{row['sum']:,.0f} | {row['ratio']:.2f} ({row['ratio_min']:.2f} to {row['ratio_max']:.2f}) |"
        )
    return "\n".join([*lines, "", machine_line(machine), ""])


if __name__ == "__main__":
    main()
