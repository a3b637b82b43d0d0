"""Shows the equivalences: how exactly identities hold, what a rank keeps, and where trajectories part."""

import pathlib
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from data.atomic import write_bytes
from training.statistics import over_seeds

from .report.drawing import COLOURS, make_styles, to_png

_EXPECTED_ROUNDING = (
    "Expected beforehand: zero where nothing is computed (padding with zeros adds exact zeros); elsewhere a few units "
    "of rounding, growing with the root of the numbers that are added up, never a difference of another kind."
)
_EXPECTED_UNFOLDING = (
    "Expected beforehand: the error falls with the width of a part, and at full width the concatenation is the sum to "
    "rounding; whether much smaller widths do is what is asked. A first trial found that two dimensions do, with the "
    "tuned weight decay; the second run is the control: decay shrinks what no gradient holds up, so that without it "
    "all dimensions of the start should still be there."
)
_EXPECTED_DYNAMICS = (
    "Expected beforehand: the two start as one function and part with the first step, since the concatenation's step "
    "is preconditioned by W_iᵀ W_i, under SGD and under Adam alike. With W fixed and the sum's gradient multiplied by "
    "W_iᵀ W_i they stay together to rounding: that multiplication is all there is between them."
)


def equivalences_page(
    rounding: Mapping[str, Any], unfolding: Mapping[str, Any], dynamics: Mapping[str, Any], config: Any
) -> str:
    """Returns the page as Markdown.

    Args:
      rounding: what `analysis.rounding.measure_rounding` returns.
      unfolding: what `analysis.unfolding.measure_unfolding` returns.
      dynamics: what `analysis.dynamics.measure_dynamics` returns.
      config: of configs/equivalences.py.
    """
    return "\n".join(
        [
            "# When a sum is a concatenation",
            "",
            "Written by `python analyze.py --config=configs/equivalences.py`.",
            "",
            *_rounding_section(rounding, config.rounding),
            *_unfolding_section(unfolding, config.unfolding),
            *_dynamics_section(dynamics, config.dynamics),
        ]
    )


def _rounding_section(rounding: Mapping[str, Any], settings: Any) -> list[str]:
    table: dict[tuple[str, str], dict[str, str]] = {}
    dtypes: dict[str, float] = {}
    for name, found in rounding.items():
        formula, shape, dtype = name.split(" | ")
        dtypes[dtype] = found["eps"]
        multiple = found["error"] / found["eps"]
        cell = "0" if found["error"] == 0 else f"{found['error']:.1e} ({multiple:.1f})"
        table.setdefault((formula, shape), {})[dtype] = cell
    lines = [
        "## Identities in floating point",
        "",
        _EXPECTED_ROUNDING,
        "",
        f"Largest |left − right| as a fraction of the largest |left|, of {settings.batch} random bags and "
        f"{len(settings.seeds)} seeds; in brackets as a multiple of the dtype's unit of rounding "
        f"({', '.join(f'{name}: {eps:.1e}' for name, eps in dtypes.items())}). Shapes are parts x width of a part → "
        "outputs.",
        "",
        f"| identity | shape | {' | '.join(dtypes)} |",
        f"|---|---|{'---:|' * len(dtypes)}",
    ]
    for (formula, shape), cells in table.items():
        lines.append(f"| {formula} | {shape} | {' | '.join(cells[dtype] for dtype in dtypes)} |")
    return [*lines, ""]


def _unfolding_section(unfolding: Mapping[str, Any], settings: Any) -> list[str]:
    run = next(iter(settings.runs.values()))
    lines = [
        "## A sum unfolded",
        "",
        _EXPECTED_UNFOLDING,
        "",
        f"Sums of {run.model.dim} dimensions and a hidden layer of {run.model.hidden[0]}, trained on `{run.data.name}` "
        f"({len(run.seeds)} seeds), unfolded into concatenations by the singular values of each table times the dense "
        "layer. RMSE on the validation split, mean and 95% interval over seeds; *lost* is the share of the squared "
        "singular values, over tables and seeds; *apart* the root mean square difference from the outputs of the sum, "
        "in standard deviations of the target.",
        "",
        "![error against the width of a part](unfolding.png)",
        "",
        "| trained with | width of a part | parameters | lost | apart | RMSE |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for label, of_label in unfolding.items():
        for width, found in of_label.items():
            cells = [label, "*sum*" if width == "sum" else width, f"{found['parameters']:,}", "", ""]
            if width != "sum":
                lost = [share for of_seed in found["lost"] for share in of_seed]
                cells[3] = f"{min(lost):.1%} to {max(lost):.1%}"
                cells[4] = f"{statistics.fmean(found['apart']):.1e}"
            lines.append(f"| {' | '.join(cells)} | {_interval(found['rmse'])} |")
    return [*lines, ""]


def _dynamics_section(dynamics: Mapping[str, Any], settings: Any) -> list[str]:
    lines = [
        "## One function, two ways to learn",
        "",
        _EXPECTED_DYNAMICS,
        "",
        f"`{settings.run.data.name}`, a concatenation of parts of {settings.run.model.dim} with a hidden layer of "
        f"{settings.run.model.hidden[0]}, and the sum that it folds into, trained on the same batches of "
        f"{settings.batch}; rates {', '.join(f'{rate:g} ({name})' for name, rate in settings.rates.items())}, "
        f"{len(settings.seeds)} seeds. *Apart* is the root mean square difference of their outputs on the validation "
        "split, in standard deviations of the target; the error is the validation RMSE in the same unit.",
        "",
        "![distance and error against steps](dynamics.png)",
        "",
        "| optimiser | pair | apart after 1 step | apart at the end | least error, concatenation | least error, sum |",
        "|---|---|---:|---:|---:|---:|",
    ]
    for optimizer, cells in _by_optimizer(dynamics).items():
        arms = list(cells[0]["rmse"])
        for concat, total in zip(arms[::2], arms[1::2], strict=True):
            apart = [cell["apart"][concat] for cell in cells]
            errors = [_interval([min(cell["rmse"][arm]) for cell in cells]) for arm in (concat, total)]
            lines.append(
                f"| {optimizer} | {concat} and {total} | {statistics.fmean(a[1] for a in apart):.1e} | "
                f"{statistics.fmean(a[-1] for a in apart):.1e} | {' | '.join(errors)} |"
            )
    return [*lines, ""]


def plot_unfolding(unfolding: Mapping[str, Any], path: pathlib.Path) -> None:
    """Draws RMSE and distance from the sum against the width of a part, one line per seed, one colour per run."""
    figure = Figure(figsize=(8, 3.6), layout="constrained")
    error, apart = figure.subplots(1, 2)
    for (label, of_label), style in zip(
        unfolding.items(), make_styles(list(unfolding)).values(), strict=True
    ):
        widths = [int(name) for name in of_label if name != "sum"]
        found = [of_label[str(width)] for width in widths]
        look = {"color": style.colour, "marker": style.marker, "linestyle": style.line}
        for seed, of_sum in enumerate(of_label["sum"]["rmse"]):
            named = {"label": label} if seed == 0 else {}
            error.plot(widths, [f["rmse"][seed] for f in found], **look, **named)
            error.axhline(of_sum, color=style.colour, linestyle=":", linewidth=1)
            apart.plot(widths, [f["apart"][seed] for f in found], **look)
        for axes in (error, apart):
            axes.set_xscale("log", base=2)
            axes.set_xticks(widths, [str(width) for width in widths])
    error.set(ylabel="validation RMSE (target's unit)", title="error; dotted: the sum")
    error.legend(fontsize=8)
    apart.set(ylabel="apart from the sum (standard deviations)", title="distance", yscale="log")
    for axes in (error, apart):
        axes.set_xlabel("width of each part of the concatenation")
        axes.grid(alpha=0.3)
    write_bytes(path, to_png(figure))


def plot_dynamics(dynamics: Mapping[str, Any], path: pathlib.Path) -> None:
    """Draws, for every optimiser, how far pairs are apart and the error of every arm, against steps."""
    by_optimizer = _by_optimizer(dynamics)
    figure = Figure(figsize=(4.5 * len(by_optimizer), 6.4), layout="constrained")
    axes = figure.subplots(2, len(by_optimizer), sharex=True, squeeze=False)
    for column, (optimizer, cells) in enumerate(by_optimizer.items()):
        arms = list(cells[0]["rmse"])
        colours = dict(zip(arms, COLOURS, strict=False))
        for cell in cells:
            steps = np.asarray(cell["steps"])[1:]  # the axis is logarithmic
            for concat, values in cell["apart"].items():
                axes[0, column].plot(steps, np.maximum(values[1:], 1e-9), color=colours[concat], linewidth=1)
            for arm, values in cell["rmse"].items():
                line = ":" if arm in ("sum, preconditioned",) else "-"
                axes[1, column].plot(steps, values[1:], line, color=colours[arm], linewidth=1.2)
        for concat, total in zip(arms[::2], arms[1::2], strict=True):
            axes[0, column].plot([], [], color=colours[concat], label=f"{concat} and\n{total}")
        for arm in arms:
            axes[1, column].plot([], [], ":" if "precond" in arm else "-", color=colours[arm], label=arm)
        axes[0, column].set(
            title=optimizer.upper() if optimizer == "sgd" else "Adam", yscale="log", xscale="log"
        )
        axes[1, column].set(xlabel="step", xscale="log")
        for row in (0, 1):
            axes[row, column].grid(alpha=0.3)
            axes[row, column].legend(fontsize=8)
    axes[0, 0].set_ylabel("apart (standard deviations of the target)")
    axes[1, 0].set_ylabel("validation RMSE (the same)")
    write_bytes(path, to_png(figure))


def _by_optimizer(dynamics: Mapping[str, Any]) -> dict[str, list[Mapping[str, Any]]]:
    grouped: dict[str, list[Mapping[str, Any]]] = {}
    for name, cell in dynamics.items():
        grouped.setdefault(name.partition(",")[0], []).append(cell)
    return grouped


def _interval(values: Sequence[float]) -> str:
    found = over_seeds(list(values))
    if found["ci95"] is None:
        return f"{found['mean']:.4f}"
    return f"{found['mean']:.4f} ± {(found['ci95'][1] - found['ci95'][0]) / 2:.4f}"
