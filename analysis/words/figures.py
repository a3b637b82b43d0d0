"""Draws ρ against α, the arms beside the word vectors alone, the angle between w and c, and projected words."""

import math
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.report.drawing import COLOURS, make_styles, to_png
from data.atomic import write_bytes

from .scoring import REFERENCE

_COLUMNS = 4  # panels in a line
_VERDICT_COLOURS = {"better": COLOURS[2], "worse": COLOURS[1], "tied": COLOURS[4]}
Sets = Mapping[str, Mapping[str, Any]]


def plot_alphas(sets: Sets, path: pathlib.Path) -> None:
    """Draws ρ of αw + (1 − α)c against α, raw and with both parts of length one, a panel for every measured set.

    Args:
      sets: {name: of `agreement.measure_set`}.
      path: of the PNG.
    """
    shown = [result for result in sets.values() if not result["reason"]]
    figure, panels = _panels(len(shown), 2.6)
    styles = make_styles(["w and c as they are", "w and c of length one"])
    for result, axes in zip(shown, panels, strict=False):
        for (label, style), kind in zip(styles.items(), ("raw", "unit"), strict=True):
            points = sorted(result["alphas"][kind], key=lambda point: point["alpha"])
            at = [point["alpha"] for point in points]
            axes.plot(
                at,
                [point["mean"] for point in points],
                color=style.colour,
                marker=style.marker,
                linestyle=style.line,
                markersize=3.5,
                label=label,
            )
            low, high = zip(*(point["ci95"] for point in points), strict=True)
            axes.fill_between(at, low, high, color=style.colour, alpha=0.15, linewidth=0)
        _name(axes, result)
        axes.grid(alpha=0.3)
    figure.supxlabel("α: 0 = context vectors alone, 0.5 = sum, 1 = word vectors alone")
    figure.supylabel("Spearman's ρ")
    _legend(figure, panels)
    write_bytes(path, to_png(figure))


def plot_arms(sets: Sets, path: pathlib.Path) -> None:
    """Draws how far every arm lies above or below the word vectors alone, with 95% intervals, a panel for every set.

    Args:
      sets: {name: of `agreement.measure_set`}.
      path: of the PNG.
    """
    shown = [result for result in sets.values() if not result["reason"]]
    names = list(dict.fromkeys(n for result in shown for n in result["arms"] if n != REFERENCE))
    heights = {name: -row for row, name in enumerate(names)}
    figure, panels = _panels(len(shown), 0.17 * len(names) + 0.9, sharey=True)
    for result, axes in zip(shown, panels, strict=False):
        for name, arm in result["arms"].items():
            if name == REFERENCE:
                continue
            difference = arm["versus_word"]
            colour = _VERDICT_COLOURS[difference["verdict"]]
            axes.hlines(heights[name], *difference["ci95"], color=colour, linewidth=1.5)
            marker = {"better": "^", "worse": "v", "tied": "o"}[difference["verdict"]]
            axes.plot(difference["mean"], heights[name], marker, color=colour, markersize=5)
        axes.axvline(0, color="grey", linewidth=1)
        axes.set_yticks(list(heights.values()), names, fontsize=8)
        _name(axes, result)
        axes.grid(alpha=0.3, axis="x")
    for verdict, marker in (("better", "^"), ("tied", "o"), ("worse", "v")):
        if panels:
            panels[0].plot([], [], marker, color=_VERDICT_COLOURS[verdict], label=verdict)
    figure.supxlabel("Spearman's ρ less that of the word vectors alone")
    _legend(figure, panels)
    write_bytes(path, to_png(figure))


def plot_angles(angles: Mapping[str, Any], path: pathlib.Path) -> None:
    """Draws how cos(w_i, c_i) is distributed, beside cos(w_i, c_j), raw and with each table's mean taken away.

    Args:
      angles: of `geometry.measure_angles`.
      path: of the PNG.
    """
    figure = Figure(figsize=(9.6, 3.4), layout="constrained")
    edges = np.asarray(angles["edges"])
    styles = make_styles(["own context vector", "that of a random other word"])
    bound = 1 / math.sqrt(angles["dim"])
    for axes, kind in zip(figure.subplots(1, 2, sharey=True), ("raw", "centred"), strict=True):
        for (label, style), which in zip(styles.items(), ("own", "random"), strict=True):
            counts = np.asarray(angles[kind][which]["counts"], float)
            density = counts / max(counts.sum(), 1) / np.diff(edges)
            axes.stairs(density, edges, color=style.colour, linestyle=style.line, linewidth=1.5, label=label)
        axes.axvspan(-bound, bound, color="grey", alpha=0.15, label="±1/√d")
        axes.set_title("as they are" if kind == "raw" else "each table's mean taken away", fontsize=10)
        axes.set_xlabel("cosine of w and c")
        axes.grid(alpha=0.3)
    figure.axes[0].set_ylabel("density over words")
    figure.axes[0].legend(fontsize=8)
    write_bytes(path, to_png(figure))


def plot_projection(projection: Mapping[str, Any], path: pathlib.Path) -> None:
    """Draws chosen words on the two principal components of their word vectors, and of their sums w + c.

    Args:
      projection: {"words", "groups": a name per word, "word" and "sum": of `geometry.project`}.
      path: of the PNG.
    """
    figure = Figure(figsize=(11, 5.6), layout="constrained")
    styles = make_styles(list(dict.fromkeys(projection["groups"])))
    for axes, (name, title) in zip(
        figure.subplots(1, 2), (("word", "word vectors w"), ("sum", "sums w + c")), strict=True
    ):
        points, shares = projection[name]["points"], projection[name]["explained"]
        for group, style in styles.items():
            of_group = [p for p, g in zip(points, projection["groups"], strict=True) if g == group]
            axes.plot(
                *zip(*of_group, strict=True), style.marker, color=style.colour, markersize=5, label=group
            )
        for word, group, (x, y) in zip(projection["words"], projection["groups"], points, strict=True):
            axes.annotate(
                word,
                (x, y),
                (4, 2),
                textcoords="offset points",
                fontsize=8,
                color=styles[group].colour,
            )
        axes.set_title(title, fontsize=10)
        axes.set_xlabel(f"first component ({shares[0]:.0%} of the variance)")
        axes.set_ylabel(f"second component ({shares[1]:.0%})")
        axes.margins(x=0.12)
        axes.grid(alpha=0.3)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=min(len(labels), 6), fontsize=9)
    write_bytes(path, to_png(figure))


def _panels(count: int, height: float, sharey: bool = False) -> tuple[Figure, list[Axes]]:
    """Returns a figure with so many panels, each so many inches high."""
    columns = min(_COLUMNS, max(count, 1))
    lines = math.ceil(max(count, 1) / columns)
    figure = Figure(figsize=(2.7 * columns + 0.6, height * lines + 0.6), layout="constrained")
    panels = list(figure.subplots(lines, columns, squeeze=False, sharey=sharey).flat)
    for axes in panels[count:]:
        axes.set_axis_off()
    return figure, panels[:count]


def _name(axes: Axes, result: Mapping[str, Any]) -> None:
    suffix = ", validation" if result["validation"] else ""
    axes.set_title(f"{result['title']}{suffix}\n({result['covered']:,} pairs)", fontsize=9)


def _legend(figure: Figure, panels: Sequence[Axes]) -> None:
    if panels:
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=len(labels), fontsize=9)
