"""Holds published numbers against what this project reaches: runs what the data at hand allow, lists the rest."""

import json
import pathlib
import sys
from typing import Any

import training
from data.atomic import write_text
from data.prepare import cache_folder

from .published_page import published_page

RELATIONS = ("near", "at_least")


def check_published(config: Any) -> str:
    """Trains every entry whose data are at hand and writes <output>.json and <output>.md.

    Args:
      config: `output` (path without extension), `runs` (folder of the runs; finished ones are reused), `title`,
        `introduction` and `entries`: name -> `finding`, `value` (published), `tolerance` (in the unit of value),
        `relation` ('near': the mean over seeds must lie within value ± tolerance; 'at_least': at value − tolerance or
        above), `metric`, `source`, `needs` (what must be there to run it, '' for nothing), and, where the project can
        train it, `run`: the config of a training run, whose metric is then "split/metric".

    Returns:
      The verdicts and what was written, for the terminal.

    Raises:
      ValueError: for an entry whose statement cannot be judged, before anything is run, and for what a run refuses.
    """
    for name, entry in config.entries.items():
        if entry.relation not in RELATIONS:
            raise ValueError(
                f"entries.{name}.relation must be {' or '.join(RELATIONS)}, got {entry.relation!r}"
            )
        if entry.tolerance < 0:
            raise ValueError(f"entries.{name}.tolerance must not be negative, got {entry.tolerance}")
        if "run" not in entry and not entry.needs:
            raise ValueError(f"entries.{name} has neither a run nor a word on what it needs")
    entries = {}
    for name, entry in config.entries.items():
        entries[name] = _measure(name, entry, pathlib.Path(config.runs))
    output = pathlib.Path(config.output)
    output.parent.mkdir(parents=True, exist_ok=True)
    content = {"title": config.title, "introduction": config.introduction, "entries": entries}
    write_text(output.with_suffix(".json"), json.dumps(content, indent=2, allow_nan=False) + "\n")
    write_text(output.with_suffix(".md"), published_page(content))
    verdicts = [f"{entry['outcome']}: {name}" for name, entry in entries.items()]
    return "\n".join([*verdicts, *(f"written: {output.with_suffix(s)}" for s in (".json", ".md"))])


def verdict(mean: float | None, value: float, tolerance: float, relation: str) -> str:
    """Returns "pass" or "fail" for a measured mean; None, of seeds of which one diverged, fails.

    Args:
      mean: over seeds.
      value: published.
      tolerance: in the unit of both.
      relation: 'near' or 'at_least'; see `check_published`.
    """
    if mean is None:
        return "fail"
    # Decimal fractions are not exact in binary: a mean that lies on the bound to the last digit is within.
    slack = tolerance + 1e-12
    holds = mean >= value - slack if relation == "at_least" else abs(mean - value) <= slack
    return "pass" if holds else "fail"


def is_at_hand(data: Any) -> bool:
    """Returns whether the data of a run can be read without downloading a dataset of TFDS.

    The project's own datasets count as at hand: their packages are small, and pinned. A dataset of TFDS does where it
    has been prepared, in data.dir or in TFDS's own folder.

    Args:
      data: config.data of the run; neither a path nor a name means that the user has yet to give one.
    """
    if data.path or not data.name:
        return bool(data.path)
    dataset = data.name.removeprefix("tfds:")
    if dataset == data.name:
        return True
    import tensorflow_datasets as tfds

    places = (cache_folder(data.dir) / "tfds", pathlib.Path(tfds.core.constants.DATA_DIR).expanduser())
    folder = dataset.partition(":")[0]
    return any(next((place / folder).rglob("dataset_info.json"), None) is not None for place in places)


def _measure(name: str, entry: Any, runs: pathlib.Path) -> dict[str, Any]:
    fields = ("finding", "value", "tolerance", "relation", "metric", "source", "note")
    stated = {**{field: entry[field] for field in fields}, "needs": entry.needs}
    if "run" not in entry or not is_at_hand(entry.run.data):
        return {**stated, "outcome": "not run", "reason": entry.needs}
    print(f"{name}: {entry.finding}", file=sys.stderr, flush=True)
    try:
        results = training.run(entry.run.copy_and_resolve_references(), runs / name)
    except (ConnectionError, FileNotFoundError, ImportError) as error:  # the data are not there after all
        return {**stated, "outcome": "not run", "reason": str(error)}
    split, _, metric = entry.metric.partition("/")
    measured = results["metrics"][split][metric]
    return {
        **stated,
        "outcome": verdict(measured["mean"], entry.value, entry.tolerance, entry.relation),
        "measured": measured,
        "num_params": results["num_params"]["total"],
        "num_examples": results["num_examples"],
        "train_seconds": results["timing"]["train_seconds"],
        "device": results["device"],
        "config": results["config"],
    }
