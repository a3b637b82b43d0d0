"""The figures over all experiments: arms by experiments as a heat map, mean ranks with what is not told apart."""

from collections.abc import Mapping, Sequence

import numpy as np
import scikit_posthocs
from matplotlib import colormaps

from .across import Across
from .drawing import Drawing, Style, metric_name, new_figure, to_png, wrapped
from .evidence import Experiment

_ALPHA = 0.05
_MOST_UPRIGHT = 4  # names of experiments that fit side by side


def critical_difference(across: Across, styles: Mapping[str, Style]) -> Drawing | None:
    """Draws the mean ranks of the arms, those joined that Nemenyi's test cannot tell apart (Demšar, 2006)."""
    if across.nemenyi is None:
        return None
    labels = list(across.labels)
    ranks = {label: float(rank) for label, rank in zip(labels, across.mean_ranks, strict=True)}
    figure = new_figure(1.4 + 0.2 * len(labels))
    axes = figure.subplots()
    artists = scikit_posthocs.critical_difference_diagram(
        ranks,
        across.nemenyi.loc[labels, labels],
        ax=axes,
        alpha=_ALPHA,
        color_palette={label: styles[label].colour for label in labels},
        label_props={"fontsize": 9},
        marker_props={"s": 28},
        elbow_props={"linewidth": 0.8},
        crossbar_props={"linewidth": 3.5},
        label_fmt_left="{label} ({rank:.2f}) ",
        label_fmt_right=" {label} ({rank:.2f})",
        text_h_margin=0.15,
    )
    for text in artists["labels"]:
        text.set_color("black")  # the pale colours are hard to read
    for elbow in artists["elbows"]:
        elbow.set_color("#888888")  # a black one would look like a bar
    axes.set_xlabel("mean rank (1 is best)")
    axes.xaxis.set_label_position("top")
    caption = (
        f"Mean rank of each arm over {len(across.experiments)} experiments. Arms joined by a bar are not told apart by "
        f"Nemenyi's test at the level {_ALPHA}; with few experiments that is most of them."
    )
    return Drawing("critical_difference", "Critical differences", caption, to_png(figure))


def heat_map(across: Across, experiments: Sequence[Experiment]) -> Drawing:
    """Draws arms by experiments: the colour is the normalised score, the number the test metric's mean."""
    by_name = {experiment.name: experiment for experiment in experiments}
    shown = [by_name[name] for name in across.experiments]
    labels = list(across.labels)
    scores = np.asarray(across.scores, float)
    figure = new_figure(1.5 + 0.32 * len(labels))
    axes = figure.subplots()
    colours = colormaps["cividis"].with_extremes(bad="#DDDDDD")
    image = axes.imshow(np.ma.masked_invalid(scores), aspect="auto", cmap=colours)
    low, high = np.nanmin(scores), np.nanmax(scores)
    for column, experiment in enumerate(shown):
        per_seed = experiment.per_seed()
        for row, label in enumerate(labels):
            values = per_seed[label]
            if not np.isfinite(scores[row, column]):
                text, ink = "diverged", "black"
            else:
                text = f"{np.nanmean(values):.3f}"
                ink = "white" if scores[row, column] < low + 0.5 * (high - low) else "black"
            axes.text(column, row, text, ha="center", va="center", fontsize=8, color=ink)
    axes.set_xticks(
        range(len(shown)),
        [f"{wrapped(e.name.replace('_', ' '), 16)}\n{metric_name(e.metric)}" for e in shown],
        rotation=0 if len(shown) <= _MOST_UPRIGHT else 60,
        ha="center" if len(shown) <= _MOST_UPRIGHT else "right",
        rotation_mode=None if len(shown) <= _MOST_UPRIGHT else "anchor",
        fontsize=8,
    )
    axes.set_yticks(range(len(labels)), [wrapped(label) for label in labels], fontsize=9)
    figure.colorbar(image, ax=axes, label="normalised score (higher is better)", shrink=0.8)
    caption = (
        "Each number is the test metric's mean over seeds, in its experiment's own unit. The colour is the score "
        "within the experiment: 1 for the best of these arms, 0 for the worst or, where all lie within the margin, "
        "one minus the gap to the best in margins."
    )
    return Drawing("heat_map", "Arms by experiments", caption, to_png(figure))
