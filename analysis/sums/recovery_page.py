"""Tells what greedy matching recovers: Markdown sections made from results, expectations first."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from .law import TARGET

Rows = Sequence[Mapping[str, Any]]


def classic_section(rows: Rows, figure: str) -> str:
    """Returns the classic grid: every miscount, and how many are zero on either side of 2 n ln V dimensions.

    Args:
      rows: "classic" of `classic.measure_classic`.
      figure: path of `figures.plot_classic`'s PNG, as the page sees it.
    """
    identical = sum(row["identical"] for row in rows)
    return f"""\
## The classic grid

One draw for every cell: n of V standard normal embeddings of dimension d, drawn with replacement and summed, read back
by greedy matching. NumPy's legacy generator, its seed set anew for each V and again for each d, so that anybody can
repeat every digit. The miscount is Σ |true count − estimated count|: 0 at best, 2 n at worst.

Expected beforehand: the Gram matrix's way and the plain float64 procedure come to the same counts in every cell; the
miscount is 0 from about d = 2 n ln V dimensions on and grows as d falls below that.

![miscount against dimension]({figure})

{_grid(rows, lambda row: f"{row['miscount']}")}

Found: both ways came to the same counts in {identical} of {len(rows)} cells. {_around_theory(rows)}
"""


def illustration_section(rows: Rows, figure: str) -> str:
    """Returns the illustration: counts true and estimated in one draw, small and large.

    Args:
      rows: "illustration" of `classic.measure_classic`.
      figure: path of `figures.plot_illustration`'s PNG, as the page sees it.
    """
    identical = sum(row["identical"] for row in rows)
    vocabulary = rows[0]["vocabulary"]
    return f"""\
## What a miscount looks like

One vocabulary of {vocabulary} embeddings, a pair of bars for each: how often it is in the sum, and how often greedy
matching found it. Expected beforehand: in two dimensions the counts have nothing to do with each other; from about as
many dimensions as embeddings on, no count is off by more than two; the shape of the histogram is right long before
every count is.

![true and estimated counts]({figure})

Miscount, the most it could be, and the correlation of true and estimated counts over embeddings:

{_grid(rows, _miscount_and_shape)}

Found: {_illustrated(rows)} Both ways came to the same counts in {identical} of {len(rows)} panels.
"""


def draws_section(draws: Mapping[str, Any], figure: str) -> str:
    """Returns the same grid over many draws: mean miscounts and shares of exact recoveries.

    Args:
      draws: of `draws.measure_draws`.
      figure: path of `figures.plot_draws`'s PNG, as the page sees it.
    """
    rows = draws["rows"]
    widest = max((row["recovery_ci95"][1] - row["recovery_ci95"][0]) / 2 for row in rows)
    found = _around_theory(
        rows, f"recovered in at least {TARGET:.0%} of draws", lambda row: row["recovery"] >= TARGET
    )
    return f"""\
## Beyond one draw

The same grid over {draws["num_draws"]:,} draws, each with embeddings and sums of its own. Expected beforehand: recovery
goes from never to always around d = 2 n ln V; well below it the mean miscount is a large share of 2 n.

![mean miscount and exact recovery against dimension]({figure})

Mean miscount with the half-width of its 95% interval (Student's):

{_grid(rows, _mean_miscount)}

Share of draws recovered exactly, in percent (no 95% interval, Wilson's, reaches further than
±{100 * widest:.1f} points):

{_grid(rows, lambda row: f"{100 * row['recovery']:.1f}")}

Found: {found}
"""


def law_section(law: Mapping[str, Any], figure: str) -> str:
    """Returns the law of the least dimension: the prediction, every d*, and what was fitted.

    Args:
      law: of `law.measure_law`.
      figure: path of `figures.plot_law`'s PNG, as the page sees it.
    """
    lines = [
        f"| {point['vocabulary']} | {point['n']} | {point['distinct']:.1f} | {_least(point)} | {point['theory']:.0f} | "
        f"{'' if point['dim'] is None else format(point['dim'] / point['theory'], '.2f')} |"
        for point in law["points"]
    ]
    fits = [
        f"| {'n' if fit['count'] == 'n' else 'distinct'} | {'all' if fit['repeats'] else 'n ≤ V'} | {_fit(fit)} |"
        for fit in law["fits"]
    ]
    return f"""\
## How many dimensions a sum needs

d*(V, n) is the least dimension at which {TARGET:.0%} of draws are recovered exactly: between the dimensions of the grid
by a straight line in probits against ln d; its interval is where the 95% bounds of the probability cross {TARGET:.0%}.

Expected beforehand: an embedding in the sum scores √d; one that is not scores the interference of n others, of
variance n, and the largest of V such is √(2 n ln V). So d* ≈ 2 n ln V, up to a constant: exponents of 1 for n and for
ln V. Where summands repeat, the number of distinct ones, V (1 − (1 − 1/V)^n) on average, should count in place of n.
From 5% to 95% recovery d should grow by a factor of two.

![least dimension against summands]({figure})

| V | n | distinct | d* (95% interval) | 2 n ln V | d* / 2 n ln V |
|---:|---:|---:|---:|---:|---:|
{chr(10).join(lines)}

Fits of d* = a · m^b · (ln V)^c by least squares on logarithms, with Student's 95% intervals, which say how far the
points are from such a law rather than how few draws there were. The restriction to n ≤ V was chosen after the other two
fits had been seen.

| m | points | a | b | c | R² | largest error |
|---|---|---:|---:|---:|---:|---:|
{chr(10).join(fits)}

{_law_in_words(law)}
"""


def _grid(rows: Rows, cell: Callable[[Mapping[str, Any]], str]) -> str:
    """Returns a table with a line for each V and n, and a column for each d."""
    dims = list(dict.fromkeys(row["dim"] for row in rows))
    lines: dict[tuple[int, int], dict[int, str]] = {}
    for row in rows:
        lines.setdefault((row["vocabulary"], row["n"]), {})[row["dim"]] = cell(row)
    table = [f"| V | n | {' | '.join(f'd = {dim}' for dim in dims)} |", f"|---:|---:|{'---:|' * len(dims)}"]
    for (vocabulary, n), cells in sorted(lines.items()):
        table.append(f"| {vocabulary} | {n} | {' | '.join(cells[dim] for dim in dims)} |")
    return "\n".join(table)


def _mean_miscount(row: Mapping[str, Any]) -> str:
    mean, interval = row["miscount"], row["miscount_ci95"]
    if mean == 0:
        return "0"
    digits = 1 if mean >= 10 else 2
    half = "" if interval is None else f" ± {interval[1] - mean:.{digits}f}"
    return f"{mean:.{digits}f}{half}"


def _around_theory(
    rows: Rows,
    exact: str = "without any miscount",
    is_exact: Callable[[Mapping[str, Any]], bool] = lambda row: row["miscount"] == 0,
) -> str:
    """Says how many cells are exact with at least 2 n ln V dimensions, and how many with fewer."""
    enough = [row for row in rows if row["dim"] >= 2 * row["n"] * math.log(row["vocabulary"])]
    fewer = [row for row in rows if row["dim"] < 2 * row["n"] * math.log(row["vocabulary"])]
    return (
        f"{sum(map(is_exact, enough))} of the {len(enough)} cells with d ≥ 2 n ln V are {exact}, and "
        f"{sum(map(is_exact, fewer))} of the {len(fewer)} with fewer dimensions."
    )


def _illustrated(rows: Rows) -> str:
    """Says, for each n, from which dimension on every count is right, and how far counts are off from d = V on."""
    sentences = []
    for n in dict.fromkeys(row["n"] for row in rows):
        wrong = [row["dim"] for row in rows if row["n"] == n and row["miscount"]]
        right = [row["dim"] for row in rows if row["n"] == n and row["dim"] > max(wrong, default=0)]
        sentences.append(
            f"with n = {n} every count is right from d = {min(right)} on"
            if right
            else f"with n = {n} some count is wrong at every d"
        )
    errors = [
        max(abs(a - b) for a, b in zip(row["true"], row["estimated"], strict=True))
        for row in rows
        if row["dim"] >= row["vocabulary"]
    ]
    off = f" From d = V on no count is off by more than {max(errors)}." if errors else ""
    return f"{'; '.join(sentences)}.{off}"


def _miscount_and_shape(row: Mapping[str, Any]) -> str:
    same = (
        ""
        if min(np.ptp(row["true"]), np.ptp(row["estimated"])) == 0
        else (f", r = {np.corrcoef(row['true'], row['estimated'])[0, 1]:.2f}")
    )
    return f"{row['miscount']} of {2 * row['n']}{same}"


def _least(point: Mapping[str, Any]) -> str:
    """Returns d* with its interval; an end that lies outside the grid is left open."""
    if point["censored"]:
        return f"{point['censored']} the grid"
    low, high = ("…" if end is None else f"{end:.0f}" for end in point["dim_ci95"])
    return f"{point['dim']:.0f} ({low} to {high})"


def _fit(fit: Mapping[str, Any]) -> str:
    found = fit["parameters"]
    if not found:
        return f"{fit['num_points']} points do not settle it | | | |"
    exponents = (
        f"{found[name]:.2f} ({found[f'{name}_ci95'][0]:.2f} to {found[f'{name}_ci95'][1]:.2f})"
        for name in ("count_exponent", "vocabulary_exponent")
    )
    return f"{found['a']:.2f} | {' | '.join(exponents)} | {found['r2']:.4f} | {100 * found['largest_error']:.0f}%"


def _law_in_words(law: Mapping[str, Any]) -> str:
    """Compares the fits with each other and with the prediction."""
    by_n, by_distinct, few = (fit["parameters"] for fit in law["fits"])
    if not (by_n and by_distinct and few):
        return "Too few points lie within the grid to say more."
    ratios = [
        (p["n"] > p["vocabulary"], p["dim"] / p["theory"]) for p in law["points"] if p["dim"] is not None
    ]
    times = [
        f"{min(some):.2f} to {max(some):.2f} times 2 n ln V with n {sign} V"
        for repeats, sign in ((False, "≤"), (True, ">"))
        if (some := [ratio for repeated, ratio in ratios if repeated == repeats])
    ]
    rises = [point["rise"] for point in law["points"] if point["rise"] is not None]
    rise = (
        f" From 5% to 95% recovery d grows by a factor of {min(rises):.1f} to {max(rises):.1f}."
        if rises
        else ""
    )
    return (
        f"Found: d* is {', and '.join(times)}. By n the fit is off by up to {100 * by_n['largest_error']:.0f}%, by "
        f"distinct summands by up to {100 * by_distinct['largest_error']:.0f}%; with n ≤ V, d* ≈ {few['a']:.2f} · "
        f"distinct^{few['count_exponent']:.2f} · (ln V)^{few['vocabulary_exponent']:.2f} is off by up to "
        f"{100 * few['largest_error']:.0f}%.{rise}"
    )
