"""The figures of one experiment: intervals, learning curves by epoch and by data, what an arm costs."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from .decision import Decision
from .drawing import (
    Drawing,
    Style,
    few_ticks,
    finite,
    limit,
    log_ticks,
    make_styles,
    metric_axis,
    name_ends,
    new_figure,
    to_png,
    wrapped,
)
from .evidence import Experiment
from .statistics import ArmSummary, student_interval
from .tables import step_seconds
from .variants import SIZE_FIELDS, TUNED_FIELDS, name_variants

_MARKS = {"recommended": "★", "tied": "=", "undecided": "?", "worse": "", "incomparable": "!"}
_BAND = "#E0E0E0"


def forest(
    experiment: Experiment, summaries: Sequence[ArmSummary], decision: Decision, styles: Mapping[str, Style]
) -> Drawing | None:
    """Draws every arm's test metric with both its intervals, the best on top; None if every arm diverged."""
    known = sorted(
        (s for s in summaries if s.mean is not None),
        key=lambda s: s.mean if experiment.higher_is_better else -s.mean,
    )
    if not known:
        return None
    best = next((s.mean for s in known if s.label == decision.recommended), known[-1].mean)
    verdicts = {verdict.label: verdict for verdict in decision.verdicts}
    figure = new_figure(1.2 + 0.34 * len(known))
    left, right = figure.subplots(1, 2, sharey=True)
    left.axvspan(best - experiment.margin, best + experiment.margin, color=_BAND, zorder=0)
    right.axvspan(-experiment.margin, experiment.margin, color=_BAND, zorder=0)
    right.axvline(0, color="black", linewidth=0.8, zorder=1)
    for row, summary in enumerate(known):
        style, verdict = styles[summary.label], verdicts[summary.label]
        is_filled = verdict.outcome in ("recommended", "tied")
        _draw_interval(left, row, summary.mean, summary.ci95, summary.items_ci95, style, is_filled)
        if verdict.difference is not None:
            difference = verdict.difference
            _draw_interval(
                right, row, difference.mean, difference.ci95, verdict.new_items_ci95, style, is_filled
            )
    names = [f"{wrapped(s.label, 16)} {_MARKS[verdicts[s.label].outcome]}".strip() for s in known]
    left.set_yticks(range(len(known)), names)
    left.set_ylim(-0.7, len(known) - 0.3)
    has_references = _draw_references(left, experiment)
    for axes in (left, right):
        few_ticks(axes)
        axes.grid(axis="x", alpha=0.3)
    left.set_xlabel(metric_axis("test", experiment.metric))
    right.set_xlabel(f"difference from\n{wrapped(decision.recommended or '')}")
    caption = (
        "Left: the metric itself. Right: each arm's difference from the recommended one, positive where "
        "the arm is better. Thick line: 95% interval over seeds (Student's t). "
        f"{_items_words(known)}Grey band: within the margin of {experiment.margin:.3g} around the recommended arm. "
        "Filled: recommended (★) or tied with it (=); open: undecided (?), worse (no sign) or not comparable (!)."
    )
    if has_references:
        caption += " Dashed upright lines: models without a combiner."
    return Drawing(f"{experiment.name}_forest", "Test metric and its intervals", caption, to_png(figure))


def learning_curves(experiment: Experiment, styles: Mapping[str, Style]) -> Drawing | None:
    """Draws the validation metric by epoch, mean and range over seeds; None where no run has a history."""
    curves = {}
    for arm in experiment.arms:
        of_metric = (arm.history["split"] == "validation") & (arm.history["metric"] == experiment.metric)
        values = arm.history[of_metric].dropna(subset=["value"])
        if len(values):
            curves[arm.label] = values.groupby("epoch")["value"].agg(["mean", "min", "max"])
    if not curves:
        return None
    figure = new_figure(max(3.6, 0.3 * len(curves)))
    axes = figure.subplots()
    for label, curve in curves.items():
        style = styles[label]
        axes.fill_between(curve.index, curve["min"], curve["max"], color=style.colour, alpha=0.1, linewidth=0)
        axes.plot(
            curve.index,
            curve["mean"],
            style.line,
            marker=style.marker,
            markersize=4,
            markevery=max(1, len(curve) // 5),
            color=style.colour,
            linewidth=1.4,
            label=label,
        )
    limit(axes, np.concatenate([curve["mean"] for curve in curves.values()]), experiment.higher_is_better)
    axes.set(xlabel="epoch", ylabel=metric_axis("validation", experiment.metric))
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.grid(alpha=0.3)
    name_ends(
        axes,
        {label: (float(curve.index[-1]), float(curve["mean"].iloc[-1])) for label, curve in curves.items()},
        styles,
    )
    caption = (
        "Validation metric after every epoch of the final training: mean over the seeds still in training, band from "
        "the lowest to the highest of them. The best epoch of each seed is the one that was tested."
    )
    return Drawing(f"{experiment.name}_epochs", "Learning curves by epoch", caption, to_png(figure))


def data_curves(experiment: Experiment) -> Drawing | None:
    """Draws the test metric against the number of training examples; None where that is one for all."""
    names = name_variants(experiment.arms, ignore=(*SIZE_FIELDS, *TUNED_FIELDS))
    series: dict[str, list[tuple[float, float, float]]] = {}
    for name, arm in zip(names, experiment.arms, strict=True):
        values = finite(experiment.per_seed()[arm.label])
        if len(values):
            interval = student_interval(values)
            half = 0.0 if interval is None else (interval[1] - interval[0]) / 2
            point = (float(arm.results["num_examples"]["train"]), float(values.mean()), half)
            series.setdefault(name, []).append(point)
    if not any(len({size for size, _, _ in points}) > 1 for points in series.values()):
        return None
    styles = make_styles(list(series))
    figure = new_figure(max(3.6, 0.3 * len(series)))
    axes = figure.subplots()
    for name, points in series.items():
        style = styles[name]
        sizes, means, halves = np.array(sorted(points)).T
        axes.errorbar(
            sizes, means, halves, color=style.colour, linestyle=style.line, marker=style.marker, label=name
        )
    log_ticks(axes, np.array([size for points in series.values() for size, _, _ in points]))
    axes.set(xlabel="training examples", ylabel=metric_axis("test", experiment.metric))
    axes.grid(alpha=0.3)
    name_ends(axes, {name: max(points)[:2] for name, points in series.items()}, styles)
    caption = "Test metric against the number of training examples: mean over seeds with its 95% interval."
    return Drawing(f"{experiment.name}_examples", "Learning curves by data", caption, to_png(figure))


def pareto(
    experiment: Experiment, summaries: Sequence[ArmSummary], styles: Mapping[str, Style]
) -> Drawing | None:
    """Draws what the arms reach against what they cost; None with fewer than two arms to compare."""
    means = {s.label: float(s.mean) for s in summaries if s.mean is not None}
    arms = [arm for arm in experiment.arms if arm.label in means and np.isfinite(step_seconds(arm))]
    if len(arms) < 2:
        return None
    costs = np.array([[arm.results["num_params"]["total"], 1000 * step_seconds(arm)] for arm in arms], float)
    reached = np.array([means[arm.label] for arm in arms])
    lost = -reached if experiment.higher_is_better else reached
    figure = new_figure(max(3.6, 0.3 * len(arms)))
    panels = figure.subplots(1, 2, sharey=True)
    for panel, cost, name in zip(panels, costs.T, ("parameters", "step time (ms)"), strict=True):
        for x, y, arm, is_best in zip(
            cost, reached, arms, pareto_front(np.column_stack([costs, lost])), strict=True
        ):
            style = styles[arm.label]
            face = style.colour if is_best else "white"
            panel.plot(x, y, style.marker, color=style.colour, markerfacecolor=face, markersize=7)
        log_ticks(panel, cost)
        panel.tick_params(axis="x", labelrotation=30)
        panel.set_xlabel(name)
        panel.grid(alpha=0.3)
    panels[0].set_ylabel(metric_axis("test", experiment.metric))
    ends = {arm.label: (float(x), float(y)) for arm, x, y in zip(arms, costs[:, 1], reached, strict=True)}
    name_ends(panels[1], ends, styles, always=True)
    caption = (
        "Test metric (mean over seeds) against trainable parameters and against the time of one training step of one "
        "seed. Filled: on the Pareto front of metric, parameters and step time, that is, no other arm is at least as "
        "good in all three and better in one."
    )
    return Drawing(f"{experiment.name}_pareto", "What the arms cost", caption, to_png(figure))


def pareto_front(costs: Float[np.ndarray, "points criteria"]) -> list[bool]:
    """Returns for each point whether no other is at most as large in every criterion and smaller in one."""
    return [
        not bool(np.any(np.all(costs <= point, axis=1) & np.any(costs < point, axis=1))) for point in costs
    ]


def _draw_references(axes: Axes, experiment: Experiment) -> bool:
    """Draws the references that lie where the arms do; returns whether there are any."""
    low, high = axes.get_xlim()
    room = 0.5 * (high - low)
    drawn = False
    for name, splits in experiment.arms[0].results.get("references", {}).items():
        value = splits.get("test", {}).get(experiment.metric)
        if value is None or not low - room <= value <= high + room:
            continue
        drawn = True
        axes.axvline(value, color="#666666", linewidth=1, linestyle=(0, (4, 3)), zorder=1)
        axes.annotate(
            name.replace("_", " "),
            (value, 1.01),
            xycoords=("data", "axes fraction"),
            rotation=25,
            fontsize=8,
            color="#444444",
        )
    return drawn


def _items_words(summaries: Sequence[ArmSummary]) -> str:
    if all(summary.items_ci95 is None for summary in summaries):
        return ""
    return "Dotted line below it: 95% interval that counts the choice of test examples (left: that alone). "


def _draw_interval(
    axes: Axes,
    row: int,
    mean: float | None,
    over_seeds: tuple[float, float] | None,
    over_items: tuple[float, float] | None,
    style: Style,
    is_filled: bool,
) -> None:
    if over_items is not None:
        axes.plot(over_items, [row - 0.25] * 2, color=style.colour, linewidth=1, linestyle=":")
    if over_seeds is not None:
        axes.plot(over_seeds, [row] * 2, color=style.colour, linewidth=2.4, solid_capstyle="butt")
    face = style.colour if is_filled else "white"
    axes.plot(mean, row, style.marker, color=style.colour, markerfacecolor=face, markersize=6)
