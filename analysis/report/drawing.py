"""What all figures of a report share: how arms look, ticks and names that can be read on a phone, PNG files."""

import dataclasses
import io
import textwrap
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from scipy import optimize

# Okabe & Ito (2008), "Color universal design", without yellow, which is too pale for lines; arms beyond them differ
# by marker and line.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000", "#E69F00", "#56B4E9")
MARKERS = "osD^vPX*<>hp"
LINES = ("-", "--", ":")
WIDTH = 4.8  # inches: on a phone of 390 pixels, letters of 10 points are still about ten pixels high
MOST_IN_LEGEND = 4
_DOTS_PER_INCH = 200
_LETTERS = 22  # of a name, before it goes on in another line
_MARK_WIDTH, _MARK_HEIGHT = 0.09, 0.03  # of the marks of points, in shares of half a figure's axes

_NAMES = {"accuracy": "accuracy", "rmse": "RMSE", "mae": "MAE", "r2": "R²"}
_UNITS = {"accuracy": "fraction", "rmse": "target's unit", "mae": "target's unit"}


@dataclasses.dataclass(frozen=True)
class Style:
    """How an arm looks in every figure."""

    colour: str
    marker: str
    line: str


@dataclasses.dataclass(frozen=True)
class Drawing:
    """A figure with its words.

    Attributes:
      name: of its file, without ending.
      title: short.
      caption: what is drawn, and how to read it.
      png: the image.
    """

    name: str
    title: str
    caption: str
    png: bytes


def make_styles(labels: Sequence[str]) -> dict[str, Style]:
    """Returns a style per label; those of the first 84 differ, neighbours in colour and in marker."""
    return {
        label: Style(
            COLOURS[i % len(COLOURS)], MARKERS[i % len(MARKERS)], LINES[i // len(COLOURS) % len(LINES)]
        )
        for i, label in enumerate(dict.fromkeys(labels))
    }


def metric_name(metric: str) -> str:
    """Returns a metric's name for tables."""
    return _NAMES.get(metric, metric)


def metric_axis(split: str, metric: str) -> str:
    """Returns the label of an axis that shows a metric, with its unit."""
    unit = f" ({_UNITS[metric]})" if metric in _UNITS else ""
    return f"{split} {metric_name(metric)}{unit}"


def new_figure(height: float) -> Figure:
    """Returns an empty figure of the common width; its height in inches."""
    return Figure(figsize=(WIDTH, height), layout="constrained")


def to_png(figure: Figure) -> bytes:
    """Returns a figure as PNG, without anything that would differ between two drawings of the same numbers."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=_DOTS_PER_INCH, metadata={"Software": None})
    return buffer.getvalue()


def wrapped(label: str, letters: int = _LETTERS) -> str:
    """Returns a name over as many lines as it needs."""
    return "\n".join(textwrap.wrap(label, letters)) or label


def name_ends(
    axes: Axes, ends: Mapping[str, tuple[float, float]], styles: Mapping[str, Style], always: bool = False
) -> None:
    """Names lines or points: in a legend, or, where they are many, beside the axes, each joined with its end.

    Args:
      axes: with its limits already set.
      ends: where each line ends, in the axes' data.
      styles: of every label.
      always: name them beside the axes, however few.
    """
    if len(ends) <= MOST_IN_LEGEND and not always:
        axes.legend(fontsize=9)
        return
    axes.autoscale(False)
    into_axes = axes.transData + axes.transAxes.inverted()
    at = {label: into_axes.transform(end) for label, end in ends.items()}
    # Of ends at one height the one on the left is named nearest to it, so that the joining lines do not cross.
    labels = sorted(
        at, key=lambda label: (round(at[label][1], 2), at[label][0] * (1 if at[label][1] > 0.5 else -1))
    )
    heights = spread(np.clip([at[label][1] for label in labels], 0.0, 1.0), 1.0 / max(len(labels) - 1, 10))
    for label, height in zip(labels, heights, strict=True):
        style = styles[label]
        x, y = (float(part) for part in np.clip(at[label], 0.0, 1.0))
        axes.plot(
            [x, 1.05, 1.09],
            [y, height, height],
            color=style.colour,
            linestyle=style.line,
            linewidth=0.7,
            transform=axes.transAxes,
            clip_on=False,
        )
        axes.plot(1.09, height, style.marker, color=style.colour, transform=axes.transAxes, clip_on=False)
        size = 9 if len(labels) <= 12 else 8
        axes.annotate(
            wrapped(label),
            (1.09, float(height)),
            (6, 0),
            xycoords="axes fraction",
            textcoords="offset points",
            va="center",
            fontsize=size,
        )


def side_by_side(axes: Axes, points: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "n 2"]:
    """Moves marks that would cover each other apart along the x axis, as little as that takes.

    Args:
      axes: with their limits and scales already set.
      points: in the axes' data.

    Returns:
      Where to draw the points, in the axes' data.
    """
    into_axes = axes.transData + axes.transAxes.inverted()
    at = into_axes.transform(points)
    by_height = np.argsort(at[:, 1], kind="stable")
    rows = np.split(by_height, np.flatnonzero(np.diff(at[by_height, 1]) > _MARK_HEIGHT) + 1)
    for row in rows:
        ordered = row[np.argsort(at[row, 0], kind="stable")]
        at[ordered, 0] = spread(at[ordered, 0], _MARK_WIDTH)
    return into_axes.inverted().transform(at)


def spread(heights: Float[np.ndarray, " n"], gap: float) -> Float[np.ndarray, " n"]:
    """Moves sorted heights apart until neighbours are a gap from each other, as little as that takes.

    The least squares solution, by isotonic regression; within 0 to 1 if they fit there.
    """
    steps = gap * np.arange(len(heights))
    free = optimize.isotonic_regression(np.asarray(heights, float) - steps).x
    return np.clip(free, 0.0, max(0.0, 1.0 - steps[-1])) + steps


def limit(axes: Axes, values: Float[np.ndarray, " n"], higher_is_better: bool) -> None:
    """Sets the limits of the metric's axis so that its better end is drawn whole and a bad start is cut off."""
    values = values[np.isfinite(values)]
    if not len(values):
        return
    bad = 0.05 if higher_is_better else 0.95
    low, high = sorted(
        [float(np.quantile(values, bad)), float(values.max() if higher_is_better else values.min())]
    )
    room = 0.08 * (high - low) or 0.01 * abs(high) or 0.01
    axes.set_ylim(low - room, high + room)


def log_ticks(axes: Axes, values: Float[np.ndarray, " n"]) -> None:
    """Makes the x axis logarithmic, with at most five ticks, at values that occur, in plain numbers."""
    axes.set_xscale("log")
    known = np.unique(values)
    spaced: list[float] = []
    span = np.log(known[-1] / known[0]) if len(known) > 1 else 1.0
    for value in known:
        if not spaced or np.log(value / spaced[-1]) >= span / 4:
            spaced.append(float(value))
    axes.minorticks_off()
    axes.set_xticks(spaced, [short(value) for value in spaced])
    if len(known) == 1:
        axes.set_xlim(known[0] / 2, known[0] * 2)
    else:
        axes.set_xlim(known[0] / np.exp(0.12 * span), known[-1] * np.exp(0.12 * span))


def few_ticks(axes: Axes) -> None:
    """Keeps the ticks of the x axis from running into each other."""
    axes.xaxis.set_major_locator(MaxNLocator(3))


def short(value: float | int) -> str:
    """Returns a number in at most three digits, as 0.003, 12, 4.6k or 1.2M."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{unit}"
    return f"{value:.3g}"


def finite(values: Float[np.ndarray, " n"]) -> Float[np.ndarray, " m"]:
    """Returns those values that are finite."""
    return values[np.isfinite(values)]
