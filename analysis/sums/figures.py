"""Draws the miscounts of the classic grid, counts true and estimated, recovery over many draws, and its law."""

import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from analysis.report.drawing import Style, make_styles, to_png
from data.atomic import write_bytes

from .law import TARGET, predict

Rows = Sequence[Mapping[str, Any]]


def plot_classic(rows: Rows, path: pathlib.Path) -> None:
    """Draws the miscount against d, one panel per V, one line per n.

    Args:
      rows: "classic" of `classic.measure_classic`.
      path: of the PNG.
    """
    figure, panels = _panels(_values(rows, "vocabulary"))
    styles = _styles(rows)
    for vocabulary, axes in panels.items():
        for n, style in styles.items():
            of_line = [row for row in rows if (row["vocabulary"], row["n"]) == (vocabulary, n)]
            axes.plot(
                [row["dim"] for row in of_line],
                [row["miscount"] for row in of_line],
                color=style.colour,
                marker=style.marker,
                markersize=4,
                label=f"n = {n}",
            )
        axes.set_title(f"V = {vocabulary}")
        axes.grid(alpha=0.3)
    _finish(figure, panels.values(), "dimension d", "miscount")
    write_bytes(path, to_png(figure))


def plot_illustration(rows: Rows, path: pathlib.Path) -> None:
    """Draws, for every d and n, true counts upwards and estimated counts beside them, a pair of bars per embedding.

    Args:
      rows: "illustration" of `classic.measure_classic`.
      path: of the PNG.
    """
    dims, numbers = _values(rows, "dim"), _values(rows, "n")
    figure = Figure(figsize=(3.4 * len(numbers), 1.7 * len(dims) + 0.6), layout="constrained")
    grid = figure.subplots(len(dims), len(numbers), squeeze=False, sharex=True)
    true_style, estimated_style = make_styles(["true", "estimated"]).values()
    for row in rows:
        axes = grid[dims.index(row["dim"])][numbers.index(row["n"])]
        at = np.arange(row["vocabulary"])
        axes.bar(at - 0.2, row["true"], 0.4, color=true_style.colour, label="true count")
        axes.bar(at + 0.2, row["estimated"], 0.4, color=estimated_style.colour, label="estimated count")
        axes.set_title(f"d = {row['dim']}, n = {row['n']}: miscount {row['miscount']}", fontsize=9)
        axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    _finish(figure, grid.flat, "embedding", "count")
    write_bytes(path, to_png(figure))


def plot_draws(rows: Rows, path: pathlib.Path) -> None:
    """Draws the mean miscount and the share of exact recoveries against d, both with 95% bands, a column per V.

    Args:
      rows: of `draws.measure_draws`.
      path: of the PNG.
    """
    vocabularies, styles = _values(rows, "vocabulary"), _styles(rows)
    figure = Figure(figsize=(3.2 * len(vocabularies), 5.6), layout="constrained")
    grid = figure.subplots(2, len(vocabularies), squeeze=False, sharex=True, sharey="row")
    for column, vocabulary in enumerate(vocabularies):
        for n, style in styles.items():
            of_line = [row for row in rows if (row["vocabulary"], row["n"]) == (vocabulary, n)]
            for axes, value, label in zip(
                grid[:, column], ("miscount", "recovery"), ("", f"n = {n}"), strict=True
            ):
                _line_with_band(axes, of_line, value, style, label)
        grid[0, column].set_title(f"V = {vocabulary}")
        grid[0, column].set_yscale("symlog", linthresh=1)
        grid[1, column].axhline(TARGET, color="grey", linestyle=":", linewidth=1)
        grid[1, column].set_xlabel("dimension d")
    for axes in grid.flat:
        axes.set_xscale("log")
        axes.grid(alpha=0.3)
    grid[0, 0].set_ylabel("mean miscount")
    grid[1, 0].set_ylabel("share recovered exactly")
    figure.legend(*grid[1, 0].get_legend_handles_labels(), loc="outside upper center", ncols=len(styles))
    write_bytes(path, to_png(figure))


def plot_law(law: Mapping[str, Any], path: pathlib.Path) -> None:
    """Draws d* with its interval against n and against the number of distinct summands, a colour per V.

    Left beside the prediction 2 n ln V and the fit by n, right beside the fit by distinct summands where n ≤ V; points
    with n > V are hollow there. Points outside the grid of dimensions are not drawn.

    Args:
      law: of `law.measure_law`.
      path: of the PNG.
    """
    by_n, _, by_distinct = law["fits"]
    figure = Figure(figsize=(9.6, 4.6), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    vocabularies = _values(law["points"], "vocabulary")
    styles = dict(zip(vocabularies, make_styles([str(v) for v in vocabularies]).values(), strict=True))
    for vocabulary, style in styles.items():
        points = [p for p in law["points"] if p["vocabulary"] == vocabulary and p["dim"] is not None]
        for axes, fit in ((left, by_n), (right, by_distinct)):
            counts = [point[fit["count"]] for point in points]
            for count, point in zip(counts, points, strict=True):
                hollow = axes is right and point["n"] > vocabulary
                axes.plot(
                    count,
                    point["dim"],
                    style.marker,
                    color=style.colour,
                    markersize=6,
                    markerfacecolor="none" if hollow else style.colour,
                )
                if None not in point["dim_ci95"]:
                    axes.vlines(count, *point["dim_ci95"], color=style.colour)
            if fit["parameters"]:
                axes.plot(counts, [predict(fit, p) for p in points], "-", color=style.colour, linewidth=1)
        left.plot([p["n"] for p in points], [p["theory"] for p in points], ":", color=style.colour)
        left.plot([], [], style.marker + "-", color=style.colour, label=f"V = {vocabulary}, and the fit")
    left.plot([], [], ":", color="grey", label="2 n ln V")
    left.set(xlabel="summands n", ylabel=f"d*: dimension for {TARGET:.0%} recovery")
    right.set(xlabel="expected number of distinct summands")
    for axes in (left, right):
        if any(
            point["dim"] is not None for point in law["points"]
        ):  # without data there is no logarithmic scale
            axes.set(xscale="log", yscale="log")
        axes.grid(alpha=0.3, which="both")
    left.legend(fontsize=9)
    write_bytes(path, to_png(figure))


def _values(rows: Rows, key: str) -> list[int]:
    return list(dict.fromkeys(row[key] for row in rows))


def _styles(rows: Rows) -> dict[int, Style]:
    numbers = _values(rows, "n")
    return dict(zip(numbers, make_styles([str(n) for n in numbers]).values(), strict=True))


def _panels(vocabularies: Sequence[int]) -> tuple[Figure, dict[int, Axes]]:
    """Returns a figure with one panel per V, two in a line."""
    lines = (len(vocabularies) + 1) // 2
    figure = Figure(figsize=(8.4, 3.1 * lines + 0.5), layout="constrained")
    panels = list(figure.subplots(lines, 2, squeeze=False).flat)
    for axes in panels[len(vocabularies) :]:
        axes.set_axis_off()
    return figure, dict(zip(vocabularies, panels, strict=False))


def _line_with_band(axes: Axes, rows: Rows, value: str, style: Style, label: str) -> None:
    dims = [row["dim"] for row in rows]
    axes.plot(
        dims,
        [row[value] for row in rows],
        color=style.colour,
        marker=style.marker,
        markersize=3.5,
        label=label,
    )
    if all(row[f"{value}_ci95"] for row in rows):
        low, high = zip(*(row[f"{value}_ci95"] for row in rows), strict=True)
        axes.fill_between(dims, low, high, color=style.colour, alpha=0.25, linewidth=0)


def _finish(figure: Figure, panels: Iterable[Axes], x: str, y: str) -> None:
    """Labels the whole figure and puts one legend for all panels above them."""
    figure.supxlabel(x)
    figure.supylabel(y)
    handles, labels = next(iter(panels)).get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=len(labels))
