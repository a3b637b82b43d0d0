"""What a run or an evaluation found, as a table for people."""

import pathlib
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from .pretrained import coverage_line


def print_summary(results: Mapping[str, Any], workdir: pathlib.Path) -> None:
    """Prints the results of a run: metrics, references on the same split, size and time."""
    seeds = len(results["seeds"])
    title = f"{results['task']}: {results['combiner']} on {results['dataset']} (match={results['match']})"
    table = _metrics_table(title, seeds)
    for split, metrics in reversed(results["metrics"].items()):
        _add_metrics(table, split, metrics)
    for name, by_split in results["references"].items():
        for metric, value in by_split["test"].items():
            table.add_row(f"{name.replace('_', ' ')} (reference)", f"test {metric}", f"{value:.4f}", "", "")
    console = _console()
    console.print(table)
    if "pretrained" in results:
        console.print(coverage_line(results["pretrained"]), highlight=False)

    params, timing, examples = results["num_params"], results["timing"], results["num_examples"]
    unit = results.get("unit", "examples")
    counts = ", ".join(f"{count:,} {name}" for name, count in examples.items())
    console.print(
        f"{params['total']:,} parameters a seed: {params['embedding']:,} embedding, {params['other']:,} other; "
        f"combined width {results['combined_width']}",
        f"{counts} {unit}; best epochs {results['best_epoch']}",
        f"compiled in {timing['compile_seconds']:.1f} s, trained in {timing['train_seconds']:.1f} s: "
        f"{timing['examples_per_second']:,.0f} {unit}/s over all seeds on {results['device']}",
        f"results in {workdir}/results.json",
        sep="\n",
        highlight=False,
    )
    for seed, step in results["diverged"].items():
        console.print(f"seed {seed} diverged at step {step}")


def print_evaluation(evaluation: Mapping[str, Any]) -> None:
    """Prints the metrics of one evaluated split and the files that were written."""
    if evaluation["metrics"]:
        table = _metrics_table(
            f"{evaluation['combiner']} on {evaluation['source']}", len(evaluation["seeds"])
        )
        _add_metrics(table, evaluation["split"], evaluation["metrics"])
        _console().print(table)
    for path in evaluation["files"]:
        print(f"written: {path}")


def _console() -> Console:
    console = Console(soft_wrap=True, markup=False)
    if not console.is_terminal:
        console.width = 140  # in a log, lines may be long
    return console


def _metrics_table(title: str, seeds: int) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column("")
    table.add_column("metric")
    table.add_column(f"mean of {seeds} seeds", justify="right")
    table.add_column("95% interval", justify="right")
    table.add_column("each seed")
    return table


def _add_metrics(table: Table, split: str, metrics: Mapping[str, Mapping[str, Any]]) -> None:
    for name, summary in metrics.items():
        mean = "diverged" if summary["mean"] is None else f"{summary['mean']:.4f}"
        interval = "-" if summary["ci95"] is None else "{:.4f} to {:.4f}".format(*summary["ci95"])
        each = " ".join("-" if value is None else f"{value:.4f}" for value in summary["per_seed"])
        table.add_row(split, name, mean, interval, each)
