"""Alternating rounds, medians and ratios; the machine described; results kept as JSON and shown as Markdown."""

import argparse
import gc
import json
import os
import pathlib
import platform
import re
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

import jax

from data.atomic import write_text

RESULTS = pathlib.Path(__file__).parent / "results"
# On a GPU, JAX would take three quarters of the memory at once and leave too little to PyTorch beside it.
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
_LOAD = os.getloadavg()[0]  # processes that wanted to run in the last minute before this one began
QUICK_RESULTS = pathlib.Path("runs/benchmarks_quick")


WARM_STEPS = (
    3  # what is compiled at the first step may be compiled again at the second, once there is a state
)


class UnavailableError(Exception):
    """Why a contender cannot take part: the table says so."""


class Contender(Protocol):
    """A training that can be timed.

    Attributes:
      steps: that a round must have; None = any number up to `most_steps`.
      most_steps: that a round can have.
    """

    steps: int | None
    most_steps: int

    def take(self, steps: int) -> None:
        """Takes so many optimiser steps; they are finished when it returns."""


Makers = Mapping[str, Callable[[], Contender]]  # name -> what makes the contender, or raises UnavailableError


def beside(
    ours: tuple[str, Contender], groups: Iterable[Makers], *, rounds: int, round_seconds: float
) -> dict[str, dict[str, Any]]:
    """Times our training and its peers in turn, A B C A B C …, group by group: a group is freed before the next.

    Args:
      ours: our name in the table, and our training, which takes part in every group.
      groups: the peers that fit in memory together.
      rounds: counted rounds of each contender in its group.
      round_seconds: how long a round is to be, about; one step at least.

    Returns:
      name -> {"seconds_per_step": of every round, "steps": of a round, and what `compare` says}, or {"reason": …}.
    """
    own_name, own = ours
    own_seconds: list[float] = []
    table: dict[str, dict[str, Any]] = {own_name: {}}
    for group in groups:
        contenders: dict[str, Contender] = {own_name: own}
        steps = {own_name: _fitting_steps(own, round_seconds)}
        for name, make in group.items():
            print(f"{name} …", file=sys.stderr)
            table[name] = {}  # its place
            try:
                contender = make()
                steps[name] = _fitting_steps(contender, round_seconds)
            except UnavailableError as reason:
                table[name] = {"reason": str(reason)}
                continue
            contenders[name] = contender
        seconds = alternate(
            {name: _round(contender, steps[name]) for name, contender in contenders.items()},
            rounds,
            warm=False,
        )
        per_step = {name: [s / steps[name] for s in values] for name, values in seconds.items()}
        own_seconds += per_step[own_name]
        for name, row in compare(per_step, own_name).items():
            table[name] = {"seconds_per_step": per_step[name], "steps": steps[name], **row}
        del contenders
        gc.collect()
    table[own_name] |= {
        "seconds_per_step": own_seconds,
        "median_seconds": statistics.median(own_seconds),
        "steps": own.steps,
        **dict.fromkeys(("ratio", "ratio_min", "ratio_max"), 1.0),
    }
    return table


def _round(contender: Contender, steps: int) -> Callable[[], None]:
    return lambda: contender.take(steps)


def _fitting_steps(contender: Contender, round_seconds: float) -> int:
    """Returns the steps of a round, after compiling whatever is compiled at the first ones."""
    if contender.steps is not None:
        contender.take(contender.steps)
        return contender.steps
    for _ in range(WARM_STEPS):
        contender.take(1)
    began = time.perf_counter()
    contender.take(1)
    seconds = time.perf_counter() - began
    return max(1, min(contender.most_steps, round(round_seconds / seconds)))


def alternate(
    contenders: Mapping[str, Callable[[], None]], rounds: int, *, warm: bool = True
) -> dict[str, list[float]]:
    """Times contenders in turn, A B A B …, so that a machine whose speed drifts treats them alike.

    Args:
      contenders: name -> one round of work, finished when it returns.
      rounds: counted rounds of each.
      warm: whether each runs once before, uncounted.

    Returns:
      name -> seconds of every round.
    """
    if warm:
        for work in contenders.values():
            work()
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, work in contenders.items():
            began = time.perf_counter()
            work()
            seconds[name].append(time.perf_counter() - began)
    return seconds


def compare(seconds: Mapping[str, Sequence[float]], ours: str) -> dict[str, dict[str, float]]:
    """Returns, for each contender, its median seconds and how many times faster `ours` is.

    The ratio is taken round by round: its median, least and greatest are given.
    """
    table = {}
    for name, rounds in seconds.items():
        ratios = [theirs / own for theirs, own in zip(rounds, seconds[ours], strict=True)]
        table[name] = {
            "median_seconds": statistics.median(rounds),
            "ratio": statistics.median(ratios),
            "ratio_min": min(ratios),
            "ratio_max": max(ratios),
        }
    return table


def require_memory(num_bytes: int) -> None:
    """Raises UnavailableError where the machine has less memory left than that."""
    left = memory_left()
    if num_bytes > left:
        raise UnavailableError(f"needs {num_bytes / 2**30:.1f} GiB, and {left / 2**30:.1f} GiB are left")


def memory_left() -> int:
    """Returns the bytes that can be allocated: on the accelerator, or on the host without swapping."""
    if statistics_of_device := jax.devices()[0].memory_stats():
        return statistics_of_device["bytes_limit"] - statistics_of_device["bytes_in_use"]
    for line in pathlib.Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable"):
            return 1024 * int(line.split()[1])
    raise OSError("/proc/meminfo does not say how much memory is available")


def describe_machine() -> dict[str, Any]:
    """Returns the processor, its cores, the memory and the versions that matter, PyTorch's and Keras's where loaded."""
    cpuinfo = pathlib.Path("/proc/cpuinfo")
    models = [
        line.partition(":")[2].strip()
        for line in (cpuinfo.read_text().splitlines() if cpuinfo.exists() else [])
        if line.startswith("model name")
    ]
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    machine = {
        "processor": models[0] if models else platform.processor(),
        "cores": os.cpu_count(),
        "load_before": round(_LOAD, 1),
        "memory_gib": round(pages / 2**30, 1),
        "device": jax.devices()[0].device_kind,
        "python": platform.python_version(),
        "jax": jax.__version__,
    }
    for name in ("flax", "keras", "torch"):
        if name in sys.modules:
            machine[name] = sys.modules[name].__version__
    if "torch" in sys.modules:
        machine["torch_threads"] = sys.modules["torch"].get_num_threads()
        machine["omp_wait_policy"] = os.environ.get("OMP_WAIT_POLICY", "default")
    return machine


def machine_line(machine: Mapping[str, Any]) -> str:
    """Returns the sentence that ends every page."""
    parts = [f"{key.replace('_', ' ')} {value}" for key, value in machine.items()]
    return f"Machine: {', '.join(parts)}."


def device_suffix() -> str:
    """Returns what the files of results end in: nothing on a CPU, '-<device kind>' elsewhere."""
    if jax.default_backend() == "cpu":
        return ""
    return "-" + re.sub(r"[^a-z0-9]+", "-", jax.devices()[0].device_kind.lower()).strip("-")


def results_folder(quick: bool) -> pathlib.Path:
    """Returns where results go: those of a quick run are nobody's measurement."""
    return QUICK_RESULTS if quick else RESULTS


def save(name: str, result: Mapping[str, Any], markdown: str, *, quick: bool = False) -> None:
    """Writes <results>/<name><device>.json and .md, and prints the latter."""
    folder = results_folder(quick)
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / f"{name}{device_suffix()}.json", json.dumps(result, indent=2) + "\n")
    write_text(folder / f"{name}{device_suffix()}.md", markdown)
    print(markdown)


def parser(description: str | None) -> argparse.ArgumentParser:
    """Returns a parser that knows --quick."""
    made = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument(
        "--quick", action="store_true", help="tiny sizes, to see that it runs; results go to runs/"
    )
    return made
