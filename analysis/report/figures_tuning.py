"""The figure of how the learning rate and the scale of the embeddings were chosen."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from .drawing import (
    COLOURS,
    LINES,
    MARKERS,
    Drawing,
    Style,
    finite,
    limit,
    log_ticks,
    metric_axis,
    new_figure,
    to_png,
    wrapped,
)
from .evidence import Arm, Experiment


def learning_rates(experiment: Experiment, styles: Mapping[str, Style]) -> Drawing | None:
    """Draws validation metric against learning rate, a panel per arm; None where no rate was chosen among several."""
    arms = [arm for arm in experiment.arms if arm.tuning and len(arm.tuning["learning_rates"]) > 1]
    if not arms:
        return None
    means = [tuning_means(arm) for arm in arms]
    scales = sorted({scale for arm in arms for scale in arm.tuning["embedding_scales"]})
    columns = 2 if len(arms) <= 4 else 3
    rows = -(-len(arms) // columns)
    figure = new_figure(0.9 + 1.5 * rows)
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    empty = rows * columns - len(arms)  # in the first row, so that the last one is whole and bears the ticks
    for panel in grid.flat[:empty]:
        panel.set_visible(False)
    panels = list(grid.flat[empty:])
    panels[0].tick_params(axis="y", labelleft=True)
    for panel, arm, mean in zip(panels, arms, means, strict=True):
        for other, values in zip(arms, means, strict=True):
            best = _best_scale(values, experiment.higher_is_better)
            panel.plot(other.tuning["learning_rates"], best, color="#D5D5D5", linewidth=0.8, zorder=1)
        _draw_arm(panel, arm, mean, scales, styles[arm.label])
        panel.set_title(wrapped(arm.label, 18), fontsize=9)
        panel.grid(alpha=0.3)
    limit(panels[0], finite(np.concatenate([mean.ravel() for mean in means])), experiment.higher_is_better)
    log_ticks(panels[0], np.array([rate for arm in arms for rate in arm.tuning["learning_rates"]], float))
    for panel in grid[-1]:
        panel.tick_params(axis="x", labelrotation=45, labelsize=9)
    figure.supxlabel("learning rate", fontsize=10)
    figure.supylabel(metric_axis("validation", arms[0].tuning["metric"]), fontsize=10)
    if len(scales) > 1:
        handles = [
            Line2D([], [], **_scale_line(number), label=f"{scale:g}") for number, scale in enumerate(scales)
        ]
        figure.legend(
            handles=handles, title="embedding scale", loc="outside upper center", ncols=4, fontsize=9
        )
    caption = (
        "Validation metric of the best epoch against the learning rate: mean over the tuning seeds that did not "
        "diverge. Ring: the chosen setting. Cross at the foot: a seed diverged at this rate. Grey: the other arms at "
        "their best scale."
    )
    return Drawing(f"{experiment.name}_rates", "Sensitivity to the learning rate", caption, to_png(figure))


def tuning_means(arm: Arm) -> Float[np.ndarray, "scales rates"]:
    """Returns the mean validation metric over the tuning seeds that did not diverge; NaN where all did."""
    scores = np.array(arm.tuning["scores"], float)
    known = np.isfinite(scores)
    counts = known.sum(axis=2)
    sums = np.where(known, scores, 0.0).sum(axis=2)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def _draw_arm(
    panel: Axes, arm: Arm, mean: Float[np.ndarray, "scales rates"], scales: list[float], style: Style
) -> None:
    tuning = arm.tuning
    rates, chosen = np.array(tuning["learning_rates"], float), tuning["chosen"]
    for row, scale in zip(mean, tuning["embedding_scales"], strict=True):
        one = {"color": style.colour, "linestyle": "-", "marker": style.marker}
        line = _scale_line(scales.index(scale)) if len(scales) > 1 else one
        panel.plot(rates, row, **line, markersize=4, linewidth=1.4)
        if scale == chosen["embedding_scale"]:
            at = int(np.argmin(np.abs(rates - chosen["learning_rate"])))
            panel.plot(
                rates[at], row[at], "o", markersize=10, markerfacecolor="none", color="black", zorder=5
            )
    diverged = rates[np.any(np.array(tuning["diverged_steps"]) >= 0, axis=(0, 2))]
    foot = panel.get_xaxis_transform()
    panel.plot(diverged, [0.07] * len(diverged), "x", color="black", markersize=6, transform=foot)


def _best_scale(
    mean: Float[np.ndarray, "scales rates"], higher_is_better: bool
) -> Float[np.ndarray, " rates"]:
    worst = -np.inf if higher_is_better else np.inf
    filled = np.where(np.isfinite(mean), mean, worst)
    best = filled.max(axis=0) if higher_is_better else filled.min(axis=0)
    return np.where(np.isfinite(best), best, np.nan)


def _scale_line(number: int) -> dict[str, str]:
    return {
        "color": COLOURS[number % len(COLOURS)],
        "linestyle": LINES[number % len(LINES)],
        "marker": MARKERS[number % len(MARKERS)],
    }
