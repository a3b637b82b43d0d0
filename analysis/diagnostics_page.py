"""Shows what the diagnostics measured: the figure, the table, and what they mean for learning rates."""

import math
import pathlib
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure
from scipy import stats

MEASURES = ("output", "gradient", "response")
REFERENCE = "mean"  # the arm with whose response the others are compared
FLOOR, CEILING = 1e-2, 1e3  # of the figure; what is smaller is drawn at the floor


def exponent(num_vectors: Sequence[int], values: Sequence[float]) -> float | None:
    """Returns the slope of log value against log n by least squares: value ∝ n^slope; None below two points or at 0."""
    if len(values) < 2 or min(values) <= 0:
        return None
    return statistics.linear_regression(
        [math.log(n) for n in num_vectors], [math.log(value) for value in values]
    ).slope


def _by_arm(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    arms: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        arms.setdefault(row["arm"], []).append(row)
    return arms


def plot_diagnostics(rows: Sequence[Mapping[str, Any]], path: pathlib.Path) -> None:
    """Draws one small panel per arm, both axes logarithmic, all panels to one scale.

    Args:
      rows: one per arm and number of vectors: "arm", "num_vectors" and the measures, or the "reason" why not.
      path: of the PNG.
    """
    arms = {
        arm: measured
        for arm, of_arm in _by_arm(rows).items()
        if len(measured := [row for row in of_arm if "reason" not in row]) > 1
    }
    columns = 6
    lines = math.ceil(max(1, len(arms)) / columns)
    figure = Figure(figsize=(2.4 * columns, 1.9 * lines), layout="constrained")
    axes = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False).flat
    for (arm, measured), axis in zip(arms.items(), axes, strict=False):
        for measure, style in zip(MEASURES, ("-", "--", ":"), strict=True):
            values = [max(row[measure], FLOOR) for row in measured]
            axis.plot([row["num_vectors"] for row in measured], values, style, label=measure)
        axis.set(xscale="log", yscale="log", ylim=(FLOOR, CEILING))
        axis.set_xscale("log", base=2)
        axis.set_title(arm.replace(", ", "\n"), fontsize=8)
        axis.grid(alpha=0.3)
    for axis in list(axes):
        axis.set_axis_off()
    if arms:
        figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
    figure.supxlabel("number of vectors n")
    temporary = path.with_suffix(".part.png")
    figure.savefig(temporary, dpi=80)
    temporary.replace(path)


def diagnostics_page(rows: Sequence[Mapping[str, Any]], settings: Mapping[str, Any]) -> str:
    """Returns the page as Markdown: what is measured, what it means for learning rates, one line per arm.

    Args:
      rows: as of `plot_diagnostics`.
      settings: num_vectors, dim, scale, bags, seeds and tuned_rates of configs/diagnostics.py.
    """
    arms = _by_arm(rows)
    lengths = sorted(settings["num_vectors"])
    least, middle, most = lengths[0], lengths[(len(lengths) - 1) // 2], lengths[-1]
    rates = _relative_rates(arms, middle)
    tuned = {arm: rate for arm, rate in settings["tuned_rates"].items() if arm in rates}
    header = ["combiner"]
    for measure in MEASURES:
        header += [f"{measure} at {least}", f"at {most}", "∝ n^"]
    header += [f"rate beside {REFERENCE} at {middle}", "tuned rate"]
    table = [f"| {' | '.join(header)} |", f"|---|{'---:|' * (len(header) - 1)}"]
    for arm, of_arm in arms.items():
        cells = [_label(of_arm[0])]
        measured = {row["num_vectors"]: row for row in of_arm if "reason" not in row}
        for measure in MEASURES:
            cells += [_number(measured[n][measure]) if n in measured else "" for n in (least, most)]
            slope = exponent(list(measured), [row[measure] for row in measured.values()])
            cells.append("" if slope is None else f"{slope:+.2f}")
        cells += [_number(rates[arm]) if arm in rates else "", f"{tuned[arm]:g}" if arm in tuned else ""]
        table.append(f"| {' | '.join(cells)} |")
    text = _TEXT.format(
        bags=settings["bags"],
        dim=settings["dim"],
        scale=settings["scale"],
        seeds=len(settings["seeds"]),
        least=least,
        most=most,
        middle=middle,
        reference=REFERENCE,
        agreement=_agreement([rates[arm] for arm in tuned], list(tuned.values())),
    )
    reasons = _reasons(arms)
    return "\n".join([text, *table, "", *(["## Not measured", "", *reasons, ""] if reasons else [])])


def _label(row: Mapping[str, Any]) -> str:
    return f"`{row['combiner']}`{row['arm'].removeprefix(row['combiner'])}"


def _relative_rates(arms: Mapping[str, list[Mapping[str, Any]]], n: int) -> dict[str, float]:
    """Returns, for every arm, the rate at which it responds to n vectors as the reference does at a rate of one."""
    responses = {
        arm: row["response"]
        for arm, of_arm in arms.items()
        for row in of_arm
        if row["num_vectors"] == n and row.get("response")
    }
    if REFERENCE not in responses:
        return {}
    return {arm: responses[REFERENCE] / response for arm, response in responses.items()}


def _agreement(rates: Sequence[float], tuned: Sequence[float]) -> str:
    """Says how well two columns agree in rank."""
    if len(rates) < 3:
        return "too few combiners are in both columns to compare them"
    correlation = stats.spearmanr(rates, tuned).statistic
    return f"the two columns have a rank correlation of {correlation:.2f} over {len(rates)} combiners"


def _reasons(arms: Mapping[str, list[Mapping[str, Any]]]) -> list[str]:
    """Returns one line for all arms that were not measured at the same lengths for the same (first) reason."""
    together: dict[tuple[str, str], list[str]] = {}
    for of_arm in arms.values():
        refused = [row for row in of_arm if "reason" in row]
        if refused:
            lengths = ", ".join(str(row["num_vectors"]) for row in refused)
            together.setdefault((lengths, refused[0]["reason"]), []).append(_label(of_arm[0]))
    return [
        f"- {', '.join(labels)} at n = {lengths}: {reason}" for (lengths, reason), labels in together.items()
    ]


def _number(value: float) -> str:
    return f"{value:.3g}" if 1e-3 <= abs(value) < 1e4 or value == 0 else f"{value:.0e}"


_TEXT = """\
# What a combiner does at initialisation, against the number of vectors

Written by `python analyze.py --config=configs/diagnostics.py`: {bags} bags of n random vectors of width {dim}, drawn
around the value at which the combiner's embeddings start with standard deviation {scale}, through a combiner at its
initial parameters; means over {seeds} seeds.

![every measure against n, one panel per combiner](diagnostics.png)

- **output**: the standard deviation of the combined vector between bags, as a multiple of that of one vector.
- **gradient**: the length of the gradient that reaches the whole bag when one of unit length reaches the combined
  vector. A step of plain gradient descent with rate η moves the combined vector by η times its square.
- **response**: how far the combined vector moves when every number of every vector moves by one in the direction of
  its gradient's sign, which is what Adam's first step does. With rate η the combined vector moves by η times this.

## What it means for learning rates

The exponents say how each measure grows with n. A rate that is right for one number of vectors is wrong for another by
that power of n, and so is a rate carried over from another combiner:

- Where the response grows as n (a sum: every vector pushes the same way), a rate found on short bags is too large for
  long ones, in proportion to their length: under Adam, and under plain gradient descent too, whose step grows as the
  square of the gradient.
- Where it does not grow (a mean, a maximum, an attention), one rate serves all lengths under Adam. But a mean's
  *gradient* shrinks as the root of n, so plain gradient descent needs a rate in proportion to n. Its *output* shrinks
  alike: what follows sees a signal n^-½ as strong, and its own weights must grow to make up for it.
- Where output and gradient fall exponentially (a product of vectors around zero), no rate helps: the start must move.
  That is why a product declares that its embeddings start around one.
- *Rate beside {reference} at {middle}* is the rate, as a multiple of that of `{reference}`, at which Adam's first step
  moves the combination of {middle} vectors as far. Comparing two combiners at one rate compares two step sizes; a fair
  comparison tunes the rate of each.

The *tuned rate* is the one of 0.0003, 0.001 and 0.003 that did best on the validation split of the film reviews
(`configs/sentiment.py`), for comparison: {agreement}.
Three rates are a coarse grid, and scale and decay were tuned along with the rate.

## Every combiner, from n = {least} to n = {most}
"""
