"""The sections of the page about the vectors themselves: angles, analogies, neighbours and the projection."""

from collections.abc import Mapping, Sequence
from typing import Any

from .analogies import METHODS
from .judgements_page import table

_OVERALL = ("semantic", "syntactic", "all")


def angles_section(angles: Mapping[str, Any], figure: str) -> str:
    """Returns how the two vectors of a word lie to each other.

    Args:
      angles: of `geometry.measure_angles`.
      figure: path of `figures.plot_angles`' file from the page.
    """
    rows = []
    for kind, title in (("raw", "as they are"), ("centred", "means taken away")):
        for which, name in (("own", "w_i, c_i"), ("random", "w_i, c_j")):
            found = angles[kind][which]
            quantiles = [f"{value:+.3f}" for value in found["quantiles"].values()]
            rows.append([f"{name}, {title}", _with_interval(found), *quantiles])
    shares = [f"{float(share):.0%}" for share in angles["raw"]["own"]["quantiles"]]
    bands = [
        [raw["words"], _with_interval(raw), _with_interval(centred)]
        for raw, centred in zip(angles["raw"]["bands"], angles["centred"]["bands"], strict=True)
    ]
    return "\n".join(
        [
            _ANGLES.format(
                words=angles["words"], dim=angles["dim"], bound=angles["dim"] ** -0.5, figure=figure
            ),
            *table(["cosine of", "mean", *shares], rows, right=1 + len(shares)),
            "",
            "By frequency, of the word's own pair:",
            "",
            *table(["words by rank", "mean, as they are", "mean, means taken away"], bands, right=2),
            "",
        ]
    )


def analogies_section(analogies: Mapping[str, Mapping[str, Any]], limit: int) -> str:
    """Returns the share of analogies answered rightly, by combination and section.

    Args:
      analogies: {combination: of `analogies.measure_analogies`}.
      limit: of the vocabulary; 0 for none.
    """
    first = next(iter(analogies.values()), None)
    if first is None:
        return ""
    answers = "any word of the vocabulary" if limit == 0 else f"one of the {limit:,} most frequent words"
    lines = [_ANALOGIES.format(covered=first["covered"], questions=first["questions"], answers=answers)]
    if not first["covered"]:
        return "\n".join([*lines, "Not covered: no question has all four words in the vocabulary.", ""])
    overall = [name for name in _OVERALL if name in first[METHODS[0]]]
    header = ["combination", *(f"{method}, {name}" for method in METHODS for name in overall)]
    rows = [
        [f"{combination}", *(_percent(result[method][name]) for method in METHODS for name in overall)]
        for combination, result in analogies.items()
    ]
    lines += [*table(header, rows, right=len(header) - 1), ""]
    names = [name for name in first["sections"] if name not in _OVERALL]
    header = ["section", "covered", *(f"{combination}" for combination in analogies)]
    rows = []
    for name in names:
        counts = first["sections"][name]
        cells = [_percent(result[METHODS[0]].get(name)) for result in analogies.values()]
        rows.append([name, f"{counts['covered']:,} of {counts['questions']:,}", *cells])
    summary = f"<summary>{METHODS[0]} by section</summary>"
    return "\n".join(
        [*lines, "<details>", summary, "", *table(header, rows, right=len(header) - 1), "", "</details>", ""]
    )


def neighbours_section(neighbours: Mapping[str, Any]) -> str:
    """Returns the nearest neighbours of every query, a column for each combination, and how stable they are.

    Args:
      neighbours: {"k", "vocabulary", "num_seeds", "first_seed", "missing": [word], "compared": {query: [word]},
        "columns": {combination: of `neighbours.measure_neighbours` with words for rows}}.
    """
    columns = neighbours["columns"]
    lines = [
        _NEIGHBOURS.format(
            k=neighbours["k"], vocabulary=neighbours["vocabulary"], first_seed=neighbours["first_seed"]
        )
    ]
    if neighbours["missing"]:
        lines += [f"Not in the vocabulary: {', '.join(neighbours['missing'])}.", ""]
    queries = list(next(iter(columns.values()))["lists"]) if columns else []
    lines += _compared(neighbours["compared"], columns)
    if neighbours["num_seeds"] > 1 and queries:
        rows = []
        for query in queries:
            overlaps = [result["overlap"][query] for result in columns.values()]
            rows.append([f"*{query}*", *("" if share is None else f"{share:.0%}" for share in overlaps)])
        means = [
            [share for share in result["overlap"].values() if share is not None]
            for result in columns.values()
        ]
        rows.append(["mean", *(f"{sum(m) / len(m):.0%}" if m else "" for m in means)])
        header = ["query", *columns]
        lines += [_OVERLAP.format(k=neighbours["k"]), "", *table(header, rows, right=len(columns)), ""]
    for query in queries:
        lists = [result["lists"][query] for result in columns.values()]
        length = max(len(of_column) for of_column in lists)
        rows = [
            [f"{place + 1}", *(_neighbour(of_column, place) for of_column in lists)]
            for place in range(length)
        ]
        lines += ["<details>", f"<summary>Nearest to {query}</summary>", ""]
        lines += [*table(["", *columns], rows, right=0), "", "</details>", ""]
    return "\n".join(lines)


def projection_section(projection: Mapping[str, Any] | None, figure: str) -> str:
    """Returns the figure of projected words; nothing where none of them is in the vocabulary."""
    if projection is None:
        return ""
    missing = projection["missing"]
    note = f"\nNot in the vocabulary: {', '.join(missing)}.\n" if missing else ""
    return _PROJECTION.format(first_seed=projection["first_seed"], figure=figure) + note


def _compared(compared: Mapping[str, Sequence[str]], columns: Mapping[str, Mapping[str, Any]]) -> list[str]:
    lines: list[str] = []
    for query, probes in compared.items():
        rows = [
            [
                name,
                *(_ranks(ranks) for ranks in result["ranks"][query]),
            ]
            for name, result in columns.items()
        ]
        lines += [_COMPARED.format(query=query), ""]
        lines += [*table(["combination", *(f"*{probe}*" for probe in probes)], rows, right=len(probes)), ""]
    return lines


def _ranks(ranks: Sequence[int]) -> str:
    mean = sum(ranks) / len(ranks)
    if len(ranks) == 1:
        return f"{mean:,.0f}"
    return f"{mean:,.0f} ({min(ranks):,} to {max(ranks):,})"


def _neighbour(of_column: Sequence[Sequence[Any]], place: int) -> str:
    if place >= len(of_column):
        return ""
    word, cosine = of_column[place]
    return f"{word} {cosine:.2f}"


def _percent(summary: Mapping[str, Any] | None) -> str:
    if summary is None:
        return ""
    half = "" if summary["ci95"] is None else f" ± {50 * (summary['ci95'][1] - summary['ci95'][0]):.1f}"
    return f"{100 * summary['mean']:.1f}%{half}"


def _with_interval(found: Mapping[str, Any]) -> str:
    if found["ci95"] is None:
        return f"{found['mean']:+.3f}"
    low, high = found["ci95"]
    return f"{found['mean']:+.3f} ± {(high - low) / 2:.3f}"


_ANGLES = """\
## The angle between a word's two vectors

cos(w_i, c_i) of all {words:,} words in {dim} dimensions, beside cos(w_i, c_j) with the context vector of a random other
word. Random directions would give 0 ± 1/√d = {bound:.2f}. Mimno and Thompson 2017 (The Strange Geometry of Skip-Gram
with Negative Sampling) saw all word vectors lean one way and all context vectors another, which moves every cosine
alike: on the right the mean of each table is taken away. Intervals are Student's over words, of each word's mean over
seeds; columns with a percentage are quantiles over words and seeds.

![cosine of w and c over words]({figure})
"""

_ANALOGIES = """\
## Analogies

*a is to b as c is to d*: the answer is {answers} other than a, b and c.
Of {questions:,} questions {covered:,} have all four words among those. 3CosAdd takes the highest
cos(x, b) − cos(x, a) + cos(x, c), 3CosMul multiplies and divides instead. Share of right answers, mean over seeds ±
half of Student's 95% interval over seeds: how far training again moves it, not what other questions would give.
"""

_NEIGHBOURS = """\
## Nearest neighbours

The {k} nearest by cosine among the {vocabulary:,} most frequent words, with the vectors of seed {first_seed};
`word→context` lists the context vectors nearest to the query's word vector: what occurs beside it.
"""

_OVERLAP = "Of the {k} nearest, the share that two seeds have in common, over all pairs of seeds:"

_COMPARED = (
    "Where some words stand among the neighbours of *{query}* (1 = nearest; mean over seeds, and its range):"
)

_PROJECTION = """\
## Some words, projected

Vectors of seed {first_seed}, scaled to length one, on their own two principal components: an illustration with no test
in it, of words that were chosen beforehand.

![words on the principal components of their word vectors and of their sums]({figure})
"""
