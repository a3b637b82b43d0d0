"""A table of 5 million words of 100 numbers, trained the way train.py trains: peak memory and time per step.

  python -m benchmarks.big_table          needs about 12 GB and some minutes
  python -m benchmarks.big_table --quick  50,000 words

Texts of random words, each word about once, are written to a file; `training.run` reads it, counts the vocabulary,
trains one seed by Adam with optimizer.sparse=auto and tests the best epoch, in a process of its own whose peak is read
at its end. That the words' counts and the texts themselves are held in memory is part of it.
"""

import json
import pathlib
import resource
import subprocess
import sys
import tempfile
import time
from typing import Any

import numpy as np

from benchmarks.measure import describe_machine, machine_line, parser, save

WORDS, QUICK_WORDS, WIDTH, BAG, BATCH, EPOCHS = 5_000_000, 50_000, 100, 32, 128, 2
HELD_OUT = 256  # texts of validation and of test
TARGET_GB = 12


def main() -> None:
    """Trains and writes benchmarks/results/big_table.{json,md}."""
    arguments = parser(__doc__)
    arguments.add_argument("--words", type=int, default=0)
    arguments.add_argument(
        "--train-in", default="", help="a folder of texts: what the process of its own does"
    )
    options = arguments.parse_args()
    if options.train_in:
        print(json.dumps(train(pathlib.Path(options.train_in))))
        return
    words = options.words or (QUICK_WORDS if options.quick else WORDS)
    with tempfile.TemporaryDirectory() as folder:
        _write_texts(pathlib.Path(folder), words)
        command = [sys.executable, "-m", "benchmarks.big_table", f"--train-in={folder}"]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    measured = json.loads(done.stdout.splitlines()[-1])
    machine = describe_machine()
    result = {"machine": machine, "words": words, "width": WIDTH, **measured}
    save("big_table", result, _page(result), quick=options.quick)


def train(folder: pathlib.Path) -> dict[str, Any]:
    """Trains on the texts of a folder with `training.run`, and returns what it took."""
    import training
    from configs import sentiment

    began = time.perf_counter()
    config = sentiment.get_config("combiner=sum")
    config.seeds = (0,)
    config.data.path = str(folder / "train.csv")
    config.data.path_validation, config.data.path_test = (
        str(folder / f"{s}.csv") for s in ("validation", "test")
    )
    config.model.dim, config.model.hidden, config.model.word_dropout = WIDTH, (), 0.0
    config.optimizer.name, config.optimizer.weight_decay, config.optimizer.sparse = "adam", 0.0, "auto"
    config.train.epochs, config.train.batch_size, config.train.length_buckets = EPOCHS, BATCH, 1
    results = training.run(config, folder / "run")
    timing = results["timing"]
    return {
        # ru_maxrss is in KiB on Linux.
        "peak_bytes": 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
        "total_seconds": time.perf_counter() - began,
        "train_seconds": timing["train_seconds"],
        "step_seconds": timing.get("step_seconds"),
        "parameters": results["num_params"]["total"],
        "steps": EPOCHS * -(-results["num_examples"]["train"] // BATCH),
        "test": results["metrics"]["test"],
    }


def _write_texts(folder: pathlib.Path, words: int) -> None:
    """Writes texts in which every word occurs once, and a few texts of the same words to validate and to test on."""
    ids = np.random.default_rng(0).permutation(words)
    ids = ids[: words // BAG * BAG].reshape(-1, BAG)
    parts = {"train": ids, "validation": ids[:HELD_OUT], "test": ids[HELD_OUT : 2 * HELD_OUT]}
    for name, rows in parts.items():
        with (folder / f"{name}.csv").open("w", encoding="utf-8") as file:
            file.write("text,label\n")
            for i, row in enumerate(rows):
                # A prefix of letters keeps the tokenizer from taking numbers apart.
                file.write(f"{' '.join(f'w{word}' for word in row)},{'ab'[i % 2]}\n")


def _page(result: dict[str, Any]) -> str:
    table_bytes = 4 * result["words"] * result["width"]
    step, peak = result["step_seconds"] or 0.0, result["peak_bytes"]
    rows = {
        "parameters": f"{result['parameters']:,}",
        "one table": f"{table_bytes / 1e9:.2f} GB",
        "peak memory of the process": f"{peak / 1e9:.2f} GB, {peak / table_bytes:.1f} tables",
        "fastest epoch, per step": f"{1e3 * step:.2f} ms",
        "all epochs": f"{result['train_seconds']:.1f} s for {result['steps']:,} steps",
        "the whole run, reading and testing included": f"{result['total_seconds']:.0f} s",
    }
    return "\n".join(
        [
            f"# A table of {result['words']:,} rows",
            "",
            f"Width {result['width']}, batch {BATCH}, bags of {BAG}, one seed, {EPOCHS} epochs, Adam, "
            f"optimizer.sparse=auto, by `training.run` from a file of texts. Expected: within {TARGET_GB} GB.",
            "",
            "| | |",
            "|---|---:|",
            *(f"| {name} | {value} |" for name, value in rows.items()),
            "",
            machine_line(result["machine"]),
            "",
        ]
    )


if __name__ == "__main__":
    main()
