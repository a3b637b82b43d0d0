"""The figures of decoders and probes: what each combiner keeps as a heat map, how far decoders are off as lines."""

import pathlib
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure

from analysis.report.drawing import make_styles, to_png
from data.atomic import write_bytes

# Of each measure: its name above the column, and what is at chance, so that colours of all columns mean the same.
SHOWN = {"set": ("set", 0.5), "counts": ("counts", 0.0), "order": ("order", 0.5)}


def plot_probes(results: Mapping[str, Any], path: pathlib.Path) -> None:
    """Draws combiners by measures, one block for every n and d.

    Args:
      results: of `combiner_probes.probe_combiners`.
      path: of the PNG.
    """
    rows = {(row["combiner"], row["n"], row["dim"]): row for row in results["rows"]}
    combiners = list(dict.fromkeys(name for name, _, _ in rows))
    blocks = sorted({(n, dim) for _, n, dim in rows})
    figure = Figure(figsize=(2.2 + 1.35 * len(blocks), 1.6 + 0.19 * len(combiners)), layout="constrained")
    axes = figure.subplots(1, len(blocks), sharey=True, squeeze=False)[0]
    colours = colormaps["cividis"].with_extremes(bad="#DDDDDD")
    image = None
    for axis, (n, dim) in zip(axes, blocks, strict=True):
        kept = np.full((len(combiners), len(SHOWN)), np.nan)
        for i, name in enumerate(combiners):
            row = rows.get((name, n, dim), {"reason": ""})
            for j, (measure, (_, chance)) in enumerate(SHOWN.items()):
                if "reason" in row:
                    axis.text(j, i, "·", ha="center", va="center", fontsize=7, color="black")
                    continue
                mean = row[measure]["mlp"]["mean"]
                kept[i, j] = np.clip((mean - chance) / (1 - chance), 0, 1)
                ink = "white" if kept[i, j] < 0.5 else "black"
                axis.text(j, i, f"{mean:.2f}", ha="center", va="center", fontsize=7, color=ink)
        image = axis.imshow(np.ma.masked_invalid(kept), aspect="auto", cmap=colours, vmin=0, vmax=1)
        axis.set_xticks(range(len(SHOWN)), [title for title, _ in SHOWN.values()], fontsize=8)
        axis.xaxis.tick_top()
        axis.set_title(f"n = {n}, d = {dim}", fontsize=9)
        axis.set_yticks(range(len(combiners)), combiners, fontsize=8)
        axis.tick_params(length=0)
    bar = figure.colorbar(image, ax=axes, orientation="horizontal", shrink=0.6, aspect=40, pad=0.01)
    bar.set_ticks([0, 1], labels=["lost: at chance", "kept: perfect"], fontsize=8)
    write_bytes(path, to_png(figure))


def plot_decoders(results: Mapping[str, Any], path: pathlib.Path) -> None:
    """Draws the miscount of every decoder over the cells, one panel for every kind of embeddings.

    Args:
      results: of `decoder_grid.measure_decoders`.
      path: of the PNG.
    """
    rows: Sequence[Mapping[str, Any]] = results["rows"]
    kinds, names = (list(dict.fromkeys(row[key] for row in rows)) for key in ("kind", "decoder"))
    by_place = {(row["kind"], row["decoder"], cell_of(row)): row for row in rows}
    cells = by_difficulty(rows)
    styles = make_styles(names)
    figure = Figure(figsize=(6.4, 1.6 + 1.9 * len(kinds)), layout="constrained")
    axes = figure.subplots(len(kinds), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    most = max((_share(row, row["miscount"]["ci95"][1]) for row in rows), default=0.0)
    for axis, kind in zip(axes, kinds, strict=True):
        for number, name in enumerate(names):
            style, shift = styles[name], 0.1 * (number - (len(names) - 1) / 2)
            shown = [
                (i, by_place[kind, name, cell])
                for i, cell in enumerate(cells)
                if (kind, name, cell) in by_place
            ]
            at, means = (
                [i + shift for i, _ in shown],
                [_share(row, row["miscount"]["mean"]) for _, row in shown],
            )
            axis.plot(at, means, style.marker, color=style.colour, markersize=4, label=name)
            for x, (_, row) in zip(at, shown, strict=True):
                axis.vlines(
                    x, *(_share(row, end) for end in row["miscount"]["ci95"]), color=style.colour, linewidth=1
                )
        axis.set_title(f"{kind} embeddings", fontsize=9, loc="left")
        axis.set_xlim(-0.6, len(cells) - 0.4)
        axis.set_yscale("symlog", linthresh=0.01, linscale=0.6)
        axis.set_ylim(-0.002, max(1.0, 1.2 * most))
        axis.set_ylabel("miscount / 2n", fontsize=8)
        axis.tick_params(labelsize=8)
        axis.grid(alpha=0.3, axis="y")
    labels = [f"{vocabulary:,}\n{dim}\n{n}" for vocabulary, dim, n in cells]
    axes[-1].set_xticks(range(len(cells)), labels, fontsize=8)
    axes[-1].set_xlabel("words V, dimensions d, summands n", fontsize=8)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=3, fontsize=8)
    write_bytes(path, to_png(figure))


def cell_of(row: Mapping[str, Any]) -> tuple[int, int, int]:
    """Returns (V, d, n)."""
    return row["vocabulary"], row["dim"], row["n"]


def by_difficulty(rows: Sequence[Mapping[str, Any]]) -> list[tuple[int, int, int]]:
    """Returns the cells, those first in which all decoders and kinds together are least far off."""
    misses: dict[tuple[int, int, int], list[float]] = {}
    for row in rows:
        misses.setdefault(cell_of(row), []).append(_share(row, row["miscount"]["mean"]))
    return sorted(misses, key=lambda cell: statistics.fmean(misses[cell]))


def _share(row: Mapping[str, Any], miscount: float) -> float:
    """Returns a miscount as a part of 2n, which every word wrong and n others found would make."""
    return max(0.0, miscount) / (2 * row["n"])
