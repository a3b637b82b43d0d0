"""Alternating rounds, medians and ratios; the machine described; results kept as JSON and shown as Markdown."""

import json
import os
import pathlib
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

import jax

RESULTS = pathlib.Path(__file__).parent / "results"


def alternate(contenders: Mapping[str, Callable[[], None]], rounds: int) -> dict[str, list[float]]:
    """Times contenders in turn, A B A B …, so that a machine whose speed drifts treats them alike.

    Args:
      contenders: name -> one round of work, finished when it returns. Each runs once before, uncounted.
      rounds: counted rounds of each.

    Returns:
      name -> seconds of every round.
    """
    for work in contenders.values():
        work()
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, work in contenders.items():
            began = time.perf_counter()
            work()
            seconds[name].append(time.perf_counter() - began)
    return seconds


def compare(seconds: Mapping[str, list[float]], ours: str) -> dict[str, dict[str, float]]:
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


def describe_machine() -> dict[str, Any]:
    """Returns the processor, its cores, the memory and the versions that matter."""
    cpuinfo = pathlib.Path("/proc/cpuinfo")
    models = [
        line.partition(":")[2].strip()
        for line in (cpuinfo.read_text().splitlines() if cpuinfo.exists() else [])
        if line.startswith("model name")
    ]
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "processor": models[0] if models else platform.processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(pages / 2**30, 1),
        "device": jax.devices()[0].device_kind,
        "python": platform.python_version(),
        "jax": jax.__version__,
    }


def save(name: str, result: Mapping[str, Any], markdown: str) -> None:
    """Writes benchmarks/results/<name>.json and .md, and prints the latter."""
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(result, indent=2) + "\n", "utf-8")
    (RESULTS / f"{name}.md").write_text(markdown, "utf-8")
    print(markdown)
