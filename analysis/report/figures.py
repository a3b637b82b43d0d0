"""The figures of one experiment: intervals, learning curves by epoch, what an arm costs."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from .costs import step_seconds
from .decision import Decision
from .drawing import (
    Drawing,
    Style,
    few_ticks,
    limit,
    log_ticks,
    metric_axis,
    name_ends,
    new_figure,
    side_by_side,
    to_png,
    wrapped,
)
from .evidence import Experiment
from .references import references
from .statistics import ArmSummary

_MARKS = {"recommended": "★", "tied": "=", "undecided": "?", "worse": "", "incomparable": "!"}
_BAND = "#E0E0E0"
_REFERENCE = "#666666"


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
    sign = 1 if experiment.higher_is_better else -1
    best = next((s.mean for s in known if s.label == decision.recommended), known[-1].mean)
    verdicts = {verdict.label: verdict for verdict in decision.verdicts}
    beside = _references_in_sight(known, experiment)
    rows = len(beside) + len(known)
    figure = new_figure(1.2 + 0.34 * rows)
    left, right = figure.subplots(1, 2, sharey=True)
    left.axvspan(best - experiment.margin, best + experiment.margin, color=_BAND, zorder=0)
    right.axvspan(-experiment.margin, experiment.margin, color=_BAND, zorder=0)
    right.axvline(0, color="black", linewidth=0.8, zorder=1)
    for row, (_, value) in enumerate(beside):
        left.plot(value, row, "|", color=_REFERENCE, markersize=10, markeredgewidth=2)
        left.axvline(value, color=_REFERENCE, linewidth=0.8, linestyle=(0, (4, 3)), zorder=1)
        right.plot(sign * (value - best), row, "|", color=_REFERENCE, markersize=10, markeredgewidth=2)
    for row, summary in enumerate(known, start=len(beside)):
        style, verdict = styles[summary.label], verdicts[summary.label]
        is_filled = verdict.outcome in ("recommended", "tied")
        _draw_interval(left, row, summary.mean, summary.ci95, summary.items_ci95, style, is_filled)
        if verdict.difference is not None:
            difference = verdict.difference
            _draw_interval(
                right, row, difference.mean, difference.ci95, verdict.new_items_ci95, style, is_filled
            )
    names = [f"{wrapped(s.label, 16)} {_MARKS[verdicts[s.label].outcome]}".strip() for s in known]
    left.set_yticks(range(rows), [*(wrapped(name.replace("_", " "), 16) for name, _ in beside), *names])
    left.set_ylim(-0.7, rows - 0.3)
    for axes in (left, right):
        few_ticks(axes)
        axes.grid(axis="x", alpha=0.3)
    left.set_xlabel(metric_axis("test", experiment.metric))
    turned = "" if experiment.higher_is_better else "\n(sign turned)"
    right.set_xlabel(f"difference from\n{wrapped(decision.recommended or '')}{turned}")
    caption = (
        "Left: the metric itself. Right: each arm's difference from the recommended one, positive where "
        "the arm is better. Thick line: 95% interval over seeds (Student's t). "
        f"{_items_words(known)}Grey band: within the margin of {experiment.margin:.3g} around the recommended arm. "
        "Filled: recommended (★) or tied with it (=); open: undecided (?), worse (no sign) or not comparable (!)."
    )
    if beside:
        caption += " Grey strokes, at the foot: models without a combiner."
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
    for number, (label, curve) in enumerate(curves.items()):
        style, between = (
            styles[label],
            max(1, len(curve) // 3),
        )  # marks, so placed that curves on top of others show them
        axes.fill_between(curve.index, curve["min"], curve["max"], color=style.colour, alpha=0.1, linewidth=0)
        axes.plot(
            curve.index,
            curve["mean"],
            style.line,
            marker=style.marker,
            markersize=4,
            markevery=(number % between, between),
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
        panel.plot(cost, reached, linestyle="none")  # for the limits
        log_ticks(panel, cost)
        panel.tick_params(axis="x", labelrotation=30)
        panel.set_xlabel(name)
        panel.grid(alpha=0.3)
    panels[0].set_ylabel(metric_axis("test", experiment.metric))
    is_best = pareto_front(np.column_stack([costs, lost]))
    for panel, cost in zip(panels, costs.T, strict=True):
        panel.autoscale(False)
        shown = side_by_side(panel, np.column_stack([cost, reached]))
        for (x, y), arm, best in zip(shown, arms, is_best, strict=True):
            style = styles[arm.label]
            face = style.colour if best else "white"
            panel.plot(x, y, style.marker, color=style.colour, markerfacecolor=face, markersize=7)
    ends = {arm.label: (float(x), float(y)) for arm, (x, y) in zip(arms, shown, strict=True)}
    name_ends(panels[1], ends, styles, always=True)
    caption = (
        "Test metric (mean over seeds) against trainable parameters and against the time of one training step of one "
        "seed (the least over its epochs). Filled: on the Pareto front of metric, parameters and step time: no "
        "other arm is at least as good in all three and better in one. Marks that would cover each other stand side by "
        "side."
    )
    return Drawing(f"{experiment.name}_pareto", "What the arms cost", caption, to_png(figure))


def pareto_front(costs: Float[np.ndarray, "points criteria"]) -> list[bool]:
    """Returns for each point whether no other is at most as large in every criterion and smaller in one."""
    return [
        not bool(np.any(np.all(costs <= point, axis=1) & np.any(costs < point, axis=1))) for point in costs
    ]


def _references_in_sight(summaries: Sequence[ArmSummary], experiment: Experiment) -> list[tuple[str, float]]:
    """Returns the references that lie where the arms and their intervals do, or nearly, the worst first."""
    ends = [end for s in summaries for end in (s.mean, *(s.ci95 or ()), *(s.items_ci95 or ()))]
    low, high = (float(end) for end in (np.min(ends), np.max(ends)))
    room = 0.5 * (high - low)
    sign = 1 if experiment.higher_is_better else -1
    known = references(experiment).items()
    return sorted(
        ((name, value) for name, value in known if low - room <= value <= high + room),
        key=lambda item: sign * item[1],
    )


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
