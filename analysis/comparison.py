"""Trains the arms of a comparison, and holds what they reach against what was expected of them beforehand.

A config's `tables` are experiments, each with arms: label -> the config of a training run. An arm may state, before
anything is run, between which bounds its first metric will lie; the page says whether it did. Bounds are multiples of
a reference (the Bayes-optimal error, say) where the table names one, else plain values. With `repeats`, every arm is
run once for each of some overrides (five random splits, say), and compared pair by pair with the reference.
"""

import json
import pathlib
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import training
from data.atomic import write_text
from training.statistics import over_seeds

from .comparison_page import comparison_page


def compare(config: Any) -> str:
    """Runs every arm of every table and writes <output>.json and <output>.md.

    Args:
      config: `output` (path without extension), `runs` (folder of the runs; finished ones are reused), `title`,
        `introduction` and `tables`: name -> `title`, `expected` (what is stated beforehand, in words), `metrics`
        ("split/metric", the first is what is judged), `arms` (label -> config), `expect` (label -> (low, high)),
        `reference` ('' or its name) and `repeats` (overrides, () for one run).

    Returns:
      What was written, for the terminal.

    Raises:
      ValueError: for an expectation of an arm that is not there, and for whatever a run refuses.
    """
    for name, table in config.tables.items():
        for label in table.expect:
            if label not in table.arms:
                raise ValueError(f"tables.{name}.expect: there is no arm {label!r}")
    total = sum(len(table.arms) * max(1, len(table.repeats)) for table in config.tables.values())
    done, tables = 0, {}
    for name, table in config.tables.items():
        arms = {}
        for label, arm in table.arms.items():
            results = []
            for repeat, overrides in enumerate(table.repeats or ({},)):
                done += 1
                print(f"[{done}/{total}] {name}: {label}", *overrides.values(), file=sys.stderr, flush=True)
                run_config = arm.copy_and_resolve_references()
                run_config.update_from_flattened_dict(dict(overrides))
                workdir = pathlib.Path(config.runs) / name / f"{label}-{repeat}"
                results.append(training.run(run_config, workdir))
            arms[label] = summarise_arm(results, table, table.expect.get(label))
        tables[name] = {
            "title": table.title,
            "expected": table.expected,
            "metrics": list(table.metrics),
            "reference": table.reference,
            "repeats": len(table.repeats),
            "arms": arms,
        }
    output = pathlib.Path(config.output)
    output.parent.mkdir(parents=True, exist_ok=True)
    content = {"title": config.title, "introduction": config.introduction, "tables": tables}
    files = {
        output.with_suffix(".json"): json.dumps(content, indent=2, allow_nan=False) + "\n",
        output.with_suffix(".md"): comparison_page(content),
    }
    for path, text in files.items():
        write_text(path, text)
    return "\n".join(f"written: {path}" for path in files)


def summarise_arm(
    results: Sequence[Mapping[str, Any]], table: Any, expected: Sequence[float] | None
) -> dict[str, Any]:
    """Returns what one arm reached.

    Args:
      results: of its runs, one per repeat.
      table: see `compare`.
      expected: the bounds that were stated for it, or None.

    Returns:
      "metrics" {"split/metric": {"per_seed", "mean", "ci95"}}, over repeats where there are several; "references",
      "num_params", "combined_width", "train_seconds"; with a reference its own "reference" and the paired "difference"
      from it, both over repeats, and the "ratio" of the two; with an expectation "expected" and "as_expected".
    """

    def over_repeats(metric: str, source: Callable[[Mapping[str, Any]], Any]) -> dict[str, Any]:
        split, _, name = metric.partition("/")
        return over_seeds([source(result)[split][name] for result in results])

    def means(result: Mapping[str, Any]) -> dict[str, dict[str, float | None]]:
        return {
            split: {name: summary["mean"] for name, summary in metrics.items()}
            for split, metrics in result["metrics"].items()
        }

    judged = table.metrics[0]
    metrics = {metric: over_repeats(metric, means) for metric in table.metrics}
    if len(results) == 1:
        metrics = {
            metric: results[0]["metrics"][metric.partition("/")[0]][metric.partition("/")[2]]
            for metric in table.metrics
        }
    arm: dict[str, Any] = {
        "metrics": metrics,
        "num_params": results[0]["num_params"],
        "combined_width": results[0]["combined_width"],
        "train_seconds": sum(result["timing"]["train_seconds"] for result in results),
    }
    value = metrics[judged]["mean"]
    if table.reference:
        reference = over_repeats(judged, lambda result: result["references"][table.reference])
        own = over_repeats(judged, means)
        pairs = zip(own["per_seed"], reference["per_seed"], strict=True)
        value = None if own["mean"] is None else own["mean"] / reference["mean"]
        differences = [None if ours is None else ours - theirs for ours, theirs in pairs]
        arm |= {"reference": reference, "ratio": value, "difference": over_seeds(differences)}
    if expected is not None:
        low, high = expected
        arm |= {"expected": [low, high], "as_expected": value is not None and bool(low <= value <= high)}
    return arm
