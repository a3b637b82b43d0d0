"""A sweep beside what people otherwise run: a loop over a process of its own for every rate and seed.

  python -m benchmarks.sweeps          some minutes
  python -m benchmarks.sweeps --quick  two epochs, one round

Both train the same grid: a combiner on the reviews, four rates from five seeds each and five fresh seeds. Of the
loop's processes only the first seed of every rate, and of the chosen one, is run; the other seeds are taken to need as
long.
"""

import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence

from benchmarks.measure import compare, describe_machine, machine_line, parser, save
from configs.sweeps import sentiment_combiners

COMBINERS = ("sum",)
ROUNDS = 2
CONFIG = f"configs/sweeps/sentiment_combiners.py:combiners={'+'.join(COMBINERS)}"
QUICK_CONFIG = f"{CONFIG},smoke"


def main() -> None:
    """Times both in turn and writes benchmarks/results/sweeps.{json,md}."""
    quick = parser(__doc__).parse_args().quick
    config, rounds, rates = (QUICK_CONFIG, 1, 1) if quick else (CONFIG, ROUNDS, None)
    seconds: dict[str, list[float]] = {"one sweep": [], "a process each": []}
    with tempfile.TemporaryDirectory() as folder:
        _sweep(config, pathlib.Path(folder) / "warm")  # data and compiled programs are there for both
        _processes(pathlib.Path(folder) / "warm", pathlib.Path(folder), rates=1)
        for turn in range(rounds):
            workdir = pathlib.Path(folder) / str(turn)
            seconds["one sweep"].append(_sweep(config, workdir))
            seconds["a process each"].append(_processes(workdir, pathlib.Path(folder), rates=rates))
    table = compare(seconds, "one sweep")
    tuning = sentiment_combiners.make_experiment().tuning
    machine = describe_machine()
    runs = len(COMBINERS) * (len(tuning.learning_rates) + 1) * len(tuning.seeds)
    save(
        "sweeps",
        {"machine": machine, "combiners": COMBINERS, "runs": runs, "seconds": seconds, "table": table},
        _page(table, runs, rounds, machine),
        quick=quick,
    )


def _sweep(config: str, workdir: pathlib.Path) -> float:
    """Returns how long the sweep takes, its report included."""
    return _timed(["sweep.py", f"--config={config}", f"--workdir={workdir}"])


def _processes(sweep: pathlib.Path, folder: pathlib.Path, rates: int | None = None) -> float:
    """Returns how long a loop over processes takes that trains what a finished sweep has trained.

    Args:
      sweep: its folder.
      folder: for the workdirs of the processes.
      rates: how many of the rates are run for each combiner; None = all, and the chosen one again.
    """
    experiment = sentiment_combiners.make_experiment()
    total = 0.0
    for combiner in COMBINERS:
        tuning = json.loads((sweep / f"trials/sentiment/{combiner}/tuning.json").read_text("utf-8"))
        for rate in (*tuning["learning_rates"], tuning["chosen"]["learning_rate"])[:rates]:
            workdir = folder / "process"
            arguments = [
                "train.py",
                f"--config=configs/sentiment.py:combiner={combiner}",
                "--config.seeds=(100,)",
                f"--config.optimizer.learning_rate={rate}",
                f"--config.optimizer.weight_decay={experiment.base.optimizer.weight_decay}",
                f"--config.model.embedding_scale={experiment.base.model.embedding_scale}",
                f"--config.train.batch_size={experiment.base.train.batch_size}",
                f"--workdir={workdir}",
            ]
            total += _timed(arguments) * len(tuning["seeds"])
            shutil.rmtree(workdir)
    return total


def _timed(arguments: Sequence[str]) -> float:
    began = time.perf_counter()
    command = [sys.executable, "-m", "benchmarks.without_pytorch", *arguments]
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - began


def _page(table: dict[str, dict[str, float]], runs: int, rounds: int, machine: dict[str, object]) -> str:
    own, loop = table["one sweep"], table["a process each"]
    return f"""# A sweep beside a loop of processes

{", ".join(COMBINERS)} on the reviews, {runs} trained seeds. `sweep.py` takes {own["median_seconds"]:.0f} s, its report
included; a process of `train.py` for each of them, one after the other, {loop["median_seconds"]:.0f} s:
{loop["ratio"]:.1f} times as long ({loop["ratio_min"]:.1f} to {loop["ratio_max"]:.1f}, {rounds} rounds). Of the loop a
fifth was run: one seed for each rate.

{machine_line(machine)}
"""


if __name__ == "__main__":
    main()
