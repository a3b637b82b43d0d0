"""The figures of the test metric against the number of training examples, within an experiment and across several."""

import json
from collections.abc import Mapping, Sequence

import numpy as np

from .drawing import (
    Drawing,
    Style,
    finite,
    log_ticks,
    make_styles,
    metric_axis,
    name_ends,
    new_figure,
    to_png,
)
from .evidence import Arm, Experiment
from .statistics import student_interval
from .variants import SIZE_FIELDS, TUNED_FIELDS, name_variants

# (training examples, mean, half of the interval) of every arm of a line.
Points = list[tuple[float, float, float]]

_TITLE = "Learning curves by data"
_CAPTION = "Test metric against the number of training examples: mean over seeds with its 95% interval."


def data_curves(experiment: Experiment) -> Drawing | None:
    """Draws the arms of one experiment by the size of their training data; None where that is one for all."""
    names = name_variants(experiment.arms, ignore=(*SIZE_FIELDS, *TUNED_FIELDS))
    lines: dict[str, Points] = {}
    for name, arm in zip(names, experiment.arms, strict=True):
        lines.setdefault(name, []).extend(_points(experiment, arm))
    if not any(_has_several_sizes(points) for points in lines.values()):
        return None
    return _draw(f"{experiment.name}_examples", lines, experiment.metric, _CAPTION, make_styles(list(lines)))


def data_curves_across(experiments: Sequence[Experiment]) -> tuple[Drawing, ...]:
    """Draws what experiments with training data of different sizes have in common: a figure per task and data set.

    A line joins the arms of one label, from all experiments of the same task, data set and metric, whose models and
    data are configured alike but for the size of the data and what was tuned. Arms that have but one size are left out.
    """
    figures: dict[tuple[str, str, str], dict[tuple[str, str], Points]] = {}
    sources: dict[tuple[str, str, str], list[str]] = {}
    for experiment in experiments:
        for arm in experiment.arms:
            key = (arm.results["task"], arm.results["dataset"], experiment.metric)
            points = _points(experiment, arm)
            figures.setdefault(key, {}).setdefault((arm.label, _without_size(arm)), []).extend(points)
            if experiment.title not in (titles := sources.setdefault(key, [])):
                titles.append(experiment.title)
    labels = [arm.label for experiment in experiments for arm in experiment.arms]
    drawings = []
    for (task, dataset, metric), lines in figures.items():
        curves = {key: points for key, points in lines.items() if _has_several_sizes(points)}
        if len(sources[task, dataset, metric]) < 2 or not curves:
            continue
        caption = f"{_CAPTION} From the experiments: {'; '.join(sources[task, dataset, metric])}."
        name = f"{task}_{dataset}_{metric}_examples".replace("/", "_")
        named = _named(curves)
        styles = make_styles([*labels, *named])  # labels first: an arm looks as it does in the other figures
        drawings.append(_draw(name, named, metric, caption, styles, f"{_TITLE}: {task} on {dataset}"))
    return tuple(drawings)


def _points(experiment: Experiment, arm: Arm) -> Points:
    """Returns the point of an arm, nothing if every seed diverged."""
    values = finite(experiment.per_seed()[arm.label])
    if not len(values):
        return []
    interval = student_interval(values)
    half = 0.0 if interval is None else (interval[1] - interval[0]) / 2
    return [(float(arm.results["num_examples"]["train"]), float(values.mean()), half)]


def _has_several_sizes(points: Points) -> bool:
    return len({size for size, _, _ in points}) > 1


def _without_size(arm: Arm) -> str:
    """Returns what arms of one line have in common: their data and model, but for its size and what was tuned."""
    config = arm.results["config"]
    data = {key: value for key, value in config["data"].items() if f"data.{key}" not in SIZE_FIELDS}
    if isinstance(data.get("synthetic"), Mapping):
        synthetic = data["synthetic"]
        data["synthetic"] = {k: v for k, v in synthetic.items() if f"data.synthetic.{k}" not in SIZE_FIELDS}
    model = {key: value for key, value in config["model"].items() if f"model.{key}" not in TUNED_FIELDS}
    return json.dumps([data, model], sort_keys=True, default=str)


def _named(curves: Mapping[tuple[str, str], Points]) -> dict[str, Points]:
    """Returns the lines by label, numbered where several kinds of arms share one."""
    labels = [label for label, _ in curves]
    named: dict[str, Points] = {}
    for (label, _), points in curves.items():
        number = sum(name.split(" (")[0] == label for name in named) + 1
        named[f"{label} ({number})" if labels.count(label) > 1 else label] = points
    return named


def _draw(
    name: str,
    lines: Mapping[str, Points],
    metric: str,
    caption: str,
    styles: Mapping[str, Style],
    title: str = _TITLE,
) -> Drawing:
    lines = {label: points for label, points in lines.items() if points}
    figure = new_figure(max(3.6, 0.3 * len(lines)))
    axes = figure.subplots()
    for label, points in lines.items():
        style = styles[label]
        sizes, means, halves = np.array(sorted(points)).T
        axes.errorbar(
            sizes, means, halves, color=style.colour, linestyle=style.line, marker=style.marker, label=label
        )
    log_ticks(axes, np.array([size for points in lines.values() for size, _, _ in points]))
    axes.set(xlabel="training examples", ylabel=metric_axis("test", metric))
    axes.grid(alpha=0.3)
    name_ends(axes, {label: max(points)[:2] for label, points in lines.items()}, styles)
    return Drawing(name, title, caption, to_png(figure))
