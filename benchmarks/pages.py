"""The Markdown of the training benchmarks: one row per contender, with its distance from what the machine allows."""

from collections.abc import Mapping
from typing import Any

from benchmarks.limits import Cost, Machine, floor
from benchmarks.measure import machine_line

LARGEST_DIFFERENCE = 5e-5  # rounding makes up to 1e-5; lazy instead of dense Adam makes 3e-3
_HEAD = (
    "| | ms per step (least to greatest) | examples/s | this project is faster by (least to greatest) | "
    "floor, ms | of the floor | same losses to |",
    "|---|---:|---:|---:|---:|---:|---:|",
)


def add_floors(table: Mapping[str, dict[str, Any]], costs: Mapping[str, Cost]) -> None:
    """Adds to each row the floor of its kind of step, {"products", "optimiser", "rows", "total"} in seconds.

    Args:
      table: of `measure.beside`.
      costs: name -> what a step of this contender cannot do without; those not named have no floor.
    """
    rates = Machine()
    for name, cost in costs.items():
        if "reason" not in table.get(name, {"reason": ""}):
            table[name]["floor"] = floor(cost, rates)


def add_differences(table: Mapping[str, dict[str, Any]], differences: Mapping[str, float]) -> None:
    """Adds to each row the largest difference of its losses from ours, and refuses one that learns something else."""
    for name, difference in differences.items():
        if not difference <= LARGEST_DIFFERENCE:
            raise AssertionError(f"{name} differs: from the same start its losses are {difference:.2e} apart")
        if name in table:
            table[name]["largest_loss_difference"] = difference


def table_lines(table: Mapping[str, Mapping[str, Any]], batch: int) -> list[str]:
    """Returns a Markdown table.

    Args:
      table: of `measure.beside`, perhaps with "floor" and "largest_loss_difference".
      batch: examples of one step.
    """
    return [*_HEAD, *(_row(name, row, batch) for name, row in table.items())]


def _row(name: str, row: Mapping[str, Any], batch: int) -> str:
    if "reason" in row:
        return f"| {name} | left out: {row['reason']} | | | | | |"
    step = row["median_seconds"]
    spread = f"{milliseconds(min(row['seconds_per_step']))} to {milliseconds(max(row['seconds_per_step']))}"
    least = row["floor"]["total"] if "floor" in row else None
    cells = [
        name,
        f"{milliseconds(step)} ({spread})",
        f"{batch / step:,.0f}",
        ratio(row),
        "" if least is None else milliseconds(least),
        "" if least is None else f"{least / step:.0%}",
        f"{row['largest_loss_difference']:.0e}" if "largest_loss_difference" in row else "",
    ]
    return f"| {' | '.join(cells)} |"


def ratio(row: Mapping[str, float]) -> str:
    """Returns the median ratio of rounds with the least and the greatest."""
    return f"{row['ratio']:.2f}x ({row['ratio_min']:.2f} to {row['ratio_max']:.2f})"


def milliseconds(seconds: float) -> str:
    """Returns milliseconds in three digits."""
    return f"{1e3 * seconds:,.0f}" if seconds >= 0.1 else f"{1e3 * seconds:.3g}"


def steps_sentence(table: Mapping[str, Mapping[str, Any]], rounds: int) -> str:
    """Returns how many rounds there were, and how many steps one of each contender has."""
    steps = "; ".join(f"{name} {row['steps']:,}" for name, row in table.items() if "steps" in row)
    return f"Medians of {rounds} alternating rounds in one process. Steps in a round: {steps}."


def page(
    title: str,
    about: str,
    tables: Mapping[str, Mapping[str, Mapping[str, Any]]],
    batches: Mapping[str, int],
    rounds: int,
    machine: Mapping[str, Any],
) -> str:
    """Returns a page.

    Args:
      title: of the page.
      about: what was measured, and how.
      tables: heading -> table; '' = no heading.
      batches: heading -> examples of one step.
      rounds: of each contender.
      machine: of `measure.describe_machine`.
    """
    lines = [f"# {title}", "", about]
    for heading, table in tables.items():
        lines += ["", f"## {heading}"] if heading else []
        lines += ["", *table_lines(table, batches[heading]), "", steps_sentence(table, rounds)]
    return "\n".join(
        [
            *lines,
            "",
            "The floor is what the step's matrix products, its optimiser's memory traffic and its single rows take at "
            "the best rates measured in the same run (benchmarks/limits.py). A difference of losses is the largest "
            "over 20 steps from the same parameters on the same batches.",
            "",
            machine_line(machine),
            "",
        ]
    )
