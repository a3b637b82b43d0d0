"""The sections of the page on vector sums about other decoders and about what each combiner keeps and loses."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .probe_figures import by_difficulty, cell_of

_ABOUT = {
    "greedy": "highest cosine, subtract, n times",
    "nnls": "non-negative least squares, rounded",
    "lasso": "non-negative Lasso with a small penalty, rounded",
    "omp": "orthogonal matching pursuit with at most n atoms, rounded",
    "linear_probe": "ridge that learnt from other bags of the same table, rounded",
    "mlp_probe": "MLP that learnt from the same bags, rounded",
}


def decoder_section(results: Mapping[str, Any], figure: str) -> str:
    """Returns Markdown about the decoders: the figure, exact recovery by cell, seconds per draw.

    Args:
      results: of `decoder_grid.measure_decoders`.
      figure: path of `probe_figures.plot_decoders`' file from the page.
    """
    rows = results["rows"]
    names, kinds = (list(dict.fromkeys(row[key] for row in rows)) for key in ("decoder", "kind"))
    lines = [
        _DECODERS.format(
            num_draws=results["num_draws"],
            figure=figure,
            abouts="\n".join(f"- `{name}`: {_ABOUT.get(name, 'see `decoders.py`')}." for name in names),
        )
    ]
    for kind in kinds:
        cells = {(row["decoder"], cell_of(row)): row for row in rows if row["kind"] == kind}
        table = [
            [f"{vocabulary:,}", f"{dim}", f"{n}"]
            + [_miscount(cells[name, (vocabulary, dim, n)]) for name in names]
            for vocabulary, dim, n in by_difficulty(rows)
            if (names[0], (vocabulary, dim, n)) in cells
        ]
        header = ["V", "d", "n", *(f"`{name}`" for name in names)]
        lines += [f"### {kind.capitalize()} embeddings", "", *_table(header, table, right=3 + len(names)), ""]
    lines += ["### What follows from theory, and whether it came true", "", *_theory(rows), ""]
    lines += ["### Over all cells", "", *_table(*_overall(rows, names, kinds), right=len(kinds) + 1), ""]
    if results["left_out"]:
        reasons: dict[str, list[str]] = {}
        for place in results["left_out"]:
            cell = f"V = {place['vocabulary']:,}, d = {place['dim']}, n = {place['n']}"
            reasons.setdefault(f"{place['kind']} embeddings: {place['reason']}", []).append(cell)
        lines += ["Left out:", "", *(f"- {reason} ({'; '.join(c)})" for reason, c in reasons.items()), ""]
    return "\n".join(lines)


def _theory(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Returns one line for each statement about cells with V ≤ d that has any, with how often it came true."""
    fitting = [row for row in rows if row["vocabulary"] <= row["dim"]]
    statements = (
        (
            "Orthogonal embeddings with V ≤ d: the sum's products with them are the counts, and every decoder is exact",
            [row for row in fitting if row["kind"] == "orthogonal"],
        ),
        (
            "Random embeddings with V ≤ d are linearly independent: only the true counts leave no residual, and "
            "`nnls` is exact",
            [row for row in fitting if row["kind"] == "random" and row["decoder"] == "nnls"],
        ),
        (
            "There `greedy`, which takes no step back, need not be",
            [row for row in fitting if row["kind"] == "random" and row["decoder"] == "greedy"],
        ),
    )
    return [
        f"- {statement}. Exact in every draw: {sum(row['exact']['mean'] == 1 for row in of_it)} of {len(of_it)}"
        + (" (cells and decoders)." if len({row["decoder"] for row in of_it}) > 1 else " cells.")
        for statement, of_it in statements
        if of_it
    ]


def _overall(
    rows: Sequence[Mapping[str, Any]], names: Sequence[str], kinds: Sequence[str]
) -> tuple[list[str], list[list[str]]]:
    table = []
    for name in names:
        of_name = [row for row in rows if row["decoder"] == name]
        shares = [
            statistics.fmean(row["exact"]["mean"] for row in of_name if row["kind"] == kind) for kind in kinds
        ]
        seconds = statistics.median(row["seconds"] for row in of_name)
        table.append([f"`{name}`", *(f"{100 * share:.0f}%" for share in shares), f"{1000 * seconds:.3g}"])
    return ["decoder", *(f"exact, {kind}" for kind in kinds), "median ms per draw"], table


def _miscount(row: Mapping[str, Any]) -> str:
    mean, (low, high) = row["miscount"]["mean"], row["miscount"]["ci95"]
    exact = row["exact"]["mean"]
    if mean == 0:
        return "**0** (100%)"
    return f"{mean:.3g} ± {(high - low) / 2:.2g} ({100 * exact:.0f}%)"


def probe_section(results: Mapping[str, Any], figure: str) -> str:
    """Returns Markdown about the combiners: the figure, a table for every n and d, the expectations and their outcome.

    Args:
      results: of `combiner_probes.probe_combiners`.
      figure: path of `probe_figures.plot_probes`' file from the page.
    """
    rows = results["rows"]
    lines = [
        _PROBES.format(
            vocabulary=results["vocabulary"],
            num_train=results["num_train"],
            num_test=results["num_test"],
            seeds=len(results["seeds"]),
            figure=figure,
        )
    ]
    blocks = sorted({(row["n"], row["dim"]) for row in rows}, reverse=True)
    for n, dim in blocks:
        measured = [row for row in rows if (row["n"], row["dim"]) == (n, dim) and "reason" not in row]
        table = [
            [f"`{row['combiner']}`", f"{row['width']}"]
            + [_both(row[measure]) for measure in ("set", "counts", "exact", "order")]
            + [row["declared"]["loses"]]
            for row in measured
        ]
        header = ["combiner", "width", "set", "counts", "exact", "order", "declares that it loses"]
        shown = [f"### n = {n}, d = {dim}", "", *_table(header, table, right=5), ""]
        if (n, dim) != blocks[0]:  # the others are there for who wants them
            shown = ["<details>", f"<summary>n = {n}, d = {dim}</summary>", "", *shown[2:], "</details>", ""]
        lines += shown
    lines += ["### What was expected, and what came true", "", *_expectations(results["expectations"]), ""]
    if reasons := _reasons(rows):
        lines += ["### Not probed", "", *reasons, ""]
    return "\n".join(lines)


def _both(by_probe: Mapping[str, Mapping[str, Any]]) -> str:
    """Returns "ridge / MLP ± half of the MLP's interval"; a value below zero is worse than no probe at all."""
    ridge, mlp = by_probe["ridge"], by_probe["mlp"]
    half = "" if mlp["ci95"] is None else f" ± {(mlp['ci95'][1] - mlp['ci95'][0]) / 2:.2f}"
    return f"{ridge['mean']:.2f} / {mlp['mean']:.2f}{half}"


def _expectations(expectations: Iterable[Mapping[str, Any]]) -> list[str]:
    lines = []
    for expectation in expectations:
        failed, checked = expectation["failed"], expectation["checked"]
        verdict = f"{checked - len(failed)} of {checked}"
        lines.append(f"- {expectation['statement']} ({expectation['probe']}) came true in {verdict}.")
        for row in failed:
            low, high = row["expected"]
            lines.append(
                f"  - not for `{row['combiner']}` at n = {row['n']}, d = {row['dim']}: {row['mean']:.3f}, "
                f"expected {low:.3f} to {high:.3f}"
            )
    return lines


def _reasons(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """Returns one line for all combiners that were not probed for the same reason."""
    together: dict[str, dict[str, list[str]]] = {}
    for row in rows:
        if "reason" in row:
            places = together.setdefault(row["reason"], {}).setdefault(f"`{row['combiner']}`", [])
            places.append(f"({row['n']}, {row['dim']})")
    return [
        f"- {reason}: " + "; ".join(f"{name} at (n, d) = {', '.join(at)}" for name, at in combiners.items())
        for reason, combiners in together.items()
    ]


def _table(header: Sequence[str], rows: Sequence[Sequence[str]], right: int) -> list[str]:
    """Returns a Markdown table; all columns but the first, `right` of them, hold numbers."""
    rule = ["---", *(["---:"] * right)]
    rule += ["---"] * (len(header) - len(rule))
    lines = (header, rule[: len(header)], *rows)
    return [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |" for cells in lines]


_DECODERS = """\
## Other decoders, other embeddings

Greedy matching is one way to read a sum. Each decoder gets a table of V embeddings and {num_draws} sums of n of its
rows, drawn with replacement, and answers with counts; the draws of a cell share one table, and all decoders get the
same draws.

{abouts}

Rounded counts need not add up to n. No decoder sees the true counts of these draws. Embeddings are `random` (normal),
`orthogonal` (orthonormal rows, several random bases where V > d), `sparse` (a few ±1 in every row) or `trained` (the
most frequent words of a finished run, the first d numbers of each), all of the same mean square length.

![miscount of every decoder, a panel for every kind of embeddings]({figure})

Below: the mean miscount Σ |true count − estimated count| ± half of its 95% interval (Student's t over draws, given the
table), and in brackets the share of draws of which all counts are right. Cells are ordered by how hard they were.
"""

_PROBES = """\
## What each combiner keeps and loses

Every combiner at its initial parameters, frozen, makes vectors of bags of n words out of V = {vocabulary}, whose
embeddings are random normal around the value that the combiner declares. Two probes, a ridge and a small MLP that
starts as the ridge, learn from {num_train:,} vectors and answer for {num_test:,} others; means over {seeds} seeds, each
with its own embeddings, parameters and bags.

- **set**: which words are in the bag; area under the ROC curve, averaged over words. Chance is 0.5.
- **counts**: how often each is; R² over words, 0 where a word's mean count does as well, below where that does better.
- **exact**: the share of bags of which all rounded counts are right.
- **order**: which of two words of the bag came first. Every bag is asked about twice, the second time with the two
  words changing places, so that what sees no order is right in exactly half of them.

What a probe does not find may still be there for a larger one; what it finds is there. A combiner that does not tell
slots apart at its initial parameters may learn to. And all bags of a table have one n: that a mean cannot tell a bag
from the same bag twice does not show here.

![combiners by what the MLP reads from them]({figure})

Grey: not probed, for the reasons below. Each cell of the tables: ridge / MLP ± half of the MLP's 95% interval over
seeds.
"""
