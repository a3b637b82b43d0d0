"""A metric against the number of training examples, for several networks, beside the rule of ten examples per weight.

A config's `arms` are labels with the config of a training run each, its `points` the overrides under which every arm is
trained: a smaller data.train_fraction, and the epochs that go with it.
"""

import json
import pathlib
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

import training
from data.atomic import write_text

EXAMPLES_PER_WEIGHT = 10


def draw_learning_curve(config: Any) -> str:
    """Trains every arm at every point and writes <output>.json, .md and .png.

    Args:
      config: `output` (path without extension), `runs` (folder of the runs; finished ones are reused), `title`,
        `metric` ("split/metric"), `arms` (label -> config) and `points` (a sequence of overrides).

    Returns:
      What was written, for the terminal.

    Raises:
      ValueError: for whatever a run refuses.
    """
    split, _, metric = config.metric.partition("/")
    total = len(config.arms) * len(config.points)
    rows: list[dict[str, Any]] = []
    for label, arm in config.arms.items():
        for point, overrides in enumerate(config.points):
            print(f"[{len(rows) + 1}/{total}] {label}", *overrides.values(), file=sys.stderr, flush=True)
            run_config = arm.copy_and_resolve_references()
            run_config.update_from_flattened_dict(dict(overrides))
            results = training.run(run_config, pathlib.Path(config.runs) / f"{label}-{point}")
            rows.append(
                {
                    "arm": label,
                    "overrides": dict(overrides),
                    "num_examples": results["num_examples"]["train"],
                    "num_weights": results["num_params"]["total"],
                    **results["metrics"][split][metric],
                }
            )
    output = pathlib.Path(config.output)
    output.parent.mkdir(parents=True, exist_ok=True)
    content = {"title": config.title, "metric": config.metric, "rows": rows}
    write_text(output.with_suffix(".json"), json.dumps(content, indent=2, allow_nan=False) + "\n")
    plot_learning_curve(content, output.with_suffix(".png"))
    write_text(output.with_suffix(".md"), learning_curve_page(content, f"{output.name}.png"))
    return "\n".join(f"written: {output.with_suffix(suffix)}" for suffix in (".json", ".png", ".md"))


def plot_learning_curve(content: Mapping[str, Any], path: pathlib.Path) -> None:
    """Draws one line per arm with its interval, and where ten examples per weight would be.

    Args:
      content: of the JSON file: title, metric, and one row per arm and point.
      path: of the PNG.
    """
    figure = Figure(figsize=(8, 5), layout="constrained")
    axis = figure.subplots()
    for number, (label, rows) in enumerate(_by_arm(content["rows"]).items()):
        colour = f"C{number}"
        known = [row for row in rows if row["mean"] is not None]
        axis.plot([row["num_examples"] for row in known], [row["mean"] for row in known], "o-", color=colour)
        for row in known:
            if row["ci95"] is not None:
                axis.vlines(row["num_examples"], *row["ci95"], color=colour)
        enough = EXAMPLES_PER_WEIGHT * rows[0]["num_weights"]
        axis.axvline(enough, color=colour, linestyle="--", linewidth=1)
        axis.plot([], [], "o-", color=colour, label=f"{label}: {rows[0]['num_weights']:,} weights")
    axis.plot([], [], "--", color="grey", label=f"{EXAMPLES_PER_WEIGHT} examples per weight")
    axis.set(xscale="log", xlabel="training examples", ylabel=content["metric"].replace("/", " "))
    axis.set_title(content["title"])
    axis.grid(alpha=0.3)
    axis.legend(loc="lower right")
    temporary = path.with_suffix(".part.png")
    figure.savefig(temporary, dpi=100)
    temporary.replace(path)


def learning_curve_page(content: Mapping[str, Any], figure: str) -> str:
    """Returns the page as Markdown: the figure, and a table with the examples per weight of every run."""
    arms = _by_arm(content["rows"])
    seeds = len(content["rows"][0]["per_seed"])
    lines = [
        f"# {content['title']}",
        "",
        f"`{content['metric']}`, mean over seeds ({seeds}) with its 95% interval; in brackets the examples per weight "
        f"(biases count as weights). A rule of thumb asks for {EXAMPLES_PER_WEIGHT} of them.",
        "",
        f"![{content['metric']} against the number of training examples]({figure})",
        "",
        f"| examples | {' | '.join(arms)} |",
        f"|---:|{'---:|' * len(arms)}",
    ]
    for column in zip(*arms.values(), strict=True):
        cells = (f"{_value(row)} ({row['num_examples'] / row['num_weights']:.2g})" for row in column)
        lines.append(f"| {column[0]['num_examples']:,} | {' | '.join(cells)} |")
    enough = (
        f"{EXAMPLES_PER_WEIGHT * rows[0]['num_weights']:,} for `{label}`" for label, rows in arms.items()
    )
    return "\n".join([*lines, "", f"The rule asks for {', '.join(enough)}.", ""])


def _by_arm(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    arms: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        arms.setdefault(row["arm"], []).append(row)
    return arms


def _value(row: Mapping[str, Any]) -> str:
    if row["mean"] is None:
        return "diverged"
    half = "" if row["ci95"] is None else f" ± {row['ci95'][1] - row['mean']:.4f}"
    return f"{row['mean']:.4f}{half}"
