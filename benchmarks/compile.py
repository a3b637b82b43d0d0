"""Seconds until training can begin: tracing and compiling the program of each combiner, without and with the cache.

  python -m benchmarks.compile                   all combiners, some minutes
  python -m benchmarks.compile --combiners=sum,gru
  python -m benchmarks.compile --quick           three of them

The sentiment task with two seeds, on random bags of the shape of the film reviews. First with an empty cache folder,
then once more with what it has been filled with, as a second process of the same configuration finds it: all that the
process remembers is forgotten in between. What the first compilation of a process costs besides is paid beforehand,
and so is the plan of the batches, one program for all combiners, which is timed apart.
"""

import statistics
import tempfile
import time
from typing import Any

import jax
import numpy as np

from benchmarks.measure import describe_machine, machine_line, parser, save
from benchmarks.ours import BATCH, make_dataset
from combiners import COMBINERS
from configs import sentiment
from data import Dataset, TextSpec
from training.compilation import use_compilation_cache
from training.devices import make_layout
from training.plans import compile_plan
from training.replicas import Training

QUICK = ("sum", "attention", "gru")
VOCABULARY, LENGTH, EXAMPLES, SEEDS = 18_000, 52, 8_500, 2
STAGES = {
    "trace_seconds": "trace and lower, s",
    "cold_seconds": "compile, empty cache, s",
    "warm_seconds": "compile, from the cache, s",
}


def main() -> None:
    """Measures and writes benchmarks/results/compile.{json,md}."""
    arguments = parser(__doc__)
    arguments.add_argument("--combiners", default="", help="names, by commas; all without it")
    options = arguments.parse_args()
    names = options.combiners.split(",") if options.combiners else QUICK if options.quick else COMBINERS
    data = _data()
    with tempfile.TemporaryDirectory() as folder:
        use_compilation_cache(folder)
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
        Training(sentiment.get_config("smoke"), data, 1).compile()  # another program than the measured one
        plan = _measure_plan(data)
        rows = {name: _measure(name, data) for name in names}
    machine = describe_machine()
    result = {"machine": machine, "table": rows, "plan": plan}
    save("compile", result, _page(result), quick=options.quick)


def _data() -> Dataset:
    """Returns random texts of 1 to LENGTH words."""
    rng = np.random.default_rng(0)
    tokens = rng.integers(1, VOCABULARY, (EXAMPLES, LENGTH), dtype=np.int32)
    lengths = rng.integers(1, LENGTH + 1, EXAMPLES, dtype=np.int32)
    tokens[np.arange(LENGTH) >= lengths[:, None]] = 0
    spec = TextSpec(num_slots=LENGTH, vocab_size=VOCABULARY, classes=("a", "b"))
    targets = rng.integers(0, 2, EXAMPLES, dtype=np.int32)
    return make_dataset("random texts", spec, {"tokens": tokens}, targets, BATCH, lengths)


def _measure_plan(data: Dataset) -> dict[str, float]:
    """Returns the seconds that the plan of the batches takes to trace and compile, and to find in the cache."""
    config = sentiment.get_config("smoke")
    layout = make_layout(config.engine, SEEDS, config.train.batch_size)
    row = {}
    for stage in ("cold_seconds", "warm_seconds"):
        jax.clear_caches()
        compile_plan.cache_clear()
        began = time.perf_counter()
        compile_plan(layout, SEEDS, len(data.splits["train"]), config.train.batch_size)
        row[stage] = time.perf_counter() - began
    return row


def _measure(name: str, data: Dataset) -> dict[str, Any]:
    """Returns seconds, and how many parameters the model has; {"reason": …} where the task refuses a combiner."""
    config = sentiment.get_config(f"combiner={name},smoke")
    row: dict[str, Any] = {}
    for stage in ("cold_seconds", "warm_seconds"):
        jax.clear_caches()
        began = time.perf_counter()
        try:
            training = Training(config, data, SEEDS)
        except ValueError as refusal:
            return {"reason": str(refusal)}
        row.setdefault("trace_seconds", time.perf_counter() - began)
        began = time.perf_counter()
        training.compile()
        row[stage] = time.perf_counter() - began
    row["parameters"] = sum(
        int(np.prod(leaf.shape[1:])) for leaf in jax.tree.leaves(training.abstract_state.params)
    )
    return row


def _page(result: dict[str, Any]) -> str:
    lines = [
        "# Seconds until training can begin",
        "",
        f"The sentiment task with two seeds: a vocabulary of {VOCABULARY:,}, at most {LENGTH} words, three length "
        "buckets. Each program is traced and compiled once with an empty cache and once more with its own entry.",
        "",
        "The plan of the batches is a program of its own, the same for all combiners. Once for all of them it takes "
        f"{result['plan']['cold_seconds']:.2f} s, from the cache {result['plan']['warm_seconds']:.2f} s.",
        "",
        f"| combiner | {' | '.join(STAGES.values())} |",
        f"|---|{'---:|' * len(STAGES)}",
    ]
    measured = {name: row for name, row in result["table"].items() if "reason" not in row}
    for name, row in sorted(measured.items(), key=lambda item: -item[1]["cold_seconds"]):
        lines.append(f"| `{name}` | {' | '.join(f'{row[stage]:.2f}' for stage in STAGES)} |")
    medians = [statistics.median(row[stage] for row in measured.values()) for stage in STAGES]
    totals = [sum(row[stage] for row in measured.values()) for stage in STAGES]
    lines.append(f"| median of {len(measured)} | {' | '.join(f'{value:.2f}' for value in medians)} |")
    lines.append(f"| all together | {' | '.join(f'{value:.1f}' for value in totals)} |")
    for name, row in result["table"].items():
        if "reason" in row:
            lines += ["", f"`{name}` does not train here: {row['reason']}."]
    return "\n".join([*lines, "", machine_line(result["machine"]), ""])


if __name__ == "__main__":
    main()
