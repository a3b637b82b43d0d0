"""The sections of the page about people's judgements: which vectors agree with them, α, and the claims."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .figures import Sets
from .scoring import REFERENCE, formula_of

_MARKS = {"best": "**{}**", "tied": "{} ≈", "below": "{}"}


def judgements_section(sets: Sets, num_resamples: int, num_seeds: int, figure: str) -> str:
    """Returns the table of all arms on all sets, the figure, and the details of every set.

    Args:
      sets: {name: of `agreement.measure_set`, and "validation"}.
      num_resamples: of the bootstrap.
      num_seeds: of the run.
      figure: path of `figures.plot_arms`' file from the page.
    """
    shown = [result for result in sets.values() if not result["reason"]]
    names = list(dict.fromkeys(name for result in shown for name in result["arms"]))
    header = ["arm", "computes", *(_column(result) for result in shown)]
    rows = [
        [f"{name}", f"{_formula(name, shown)}", *(_marked(result["arms"].get(name)) for result in shown)]
        for name in names
    ]
    lines = [
        _JUDGEMENTS.format(seeds=_counted(num_seeds, "seed"), num_resamples=num_resamples, figure=figure),
        *table(header, rows, right=len(shown), left=2),
        "",
        *_left_out(sets),
        *_in_short(shown),
        "",
    ]
    for result in shown:
        lines += _details(result)
    return "\n".join(lines)


def alphas_section(sets: Sets, figure: str) -> str:
    """Returns the figure of ρ against α, and what the α chosen on the validation set was worth elsewhere.

    Args:
      sets: as of `judgements_section`.
      figure: path of `figures.plot_alphas`' file from the page.
    """
    lines = [_ALPHAS.format(figure=figure)]
    chosen = next((result for result in sets.values() if result["validation"] and not result["reason"]), None)
    if chosen is not None:
        rows = []
        for kind, arm in (("raw", "tuned α"), ("unit", "unit tuned α")):
            best = max(chosen["alphas"][kind], key=lambda point: point["mean"], default=None)
            tested = [result for result in sets.values() if not result["reason"] and arm in result["arms"]]
            if best is None or not tested:
                continue
            verdicts = [result["arms"][arm]["versus_word"]["verdict"] for result in tested]
            told = ", ".join(
                f"{verdicts.count(verdict)} {verdict}"
                for verdict in ("better", "tied", "worse")
                if verdict in verdicts
            )
            vectors = "as they are" if kind == "raw" else "of length one"
            rows.append([vectors, f"{best['alpha']:g}", told])
        if rows:
            header = [
                "w and c",
                f"α chosen on {chosen['title']}",
                "beside the word vectors alone, other sets",
            ]
            lines += [*table(header, rows, right=1), ""]
    return "\n".join(lines)


def concat_section(sets: Sets) -> str:
    """Returns how alike concatenation and the other arms rank the pairs, and how large the sum's cross terms are."""
    shown = [result for result in sets.values() if not result["reason"]]
    if not shown:
        return ""
    others = list(shown[0]["concat_agrees_with"])
    rows = [
        [result["title"]]
        + [_with_half(result["concat_agrees_with"][name]) for name in others]
        + [f"{_mean(result['cross_terms'][key]):.2f}" for key in ("share", "correlation")]
        for result in shown
    ]
    header = ["set", *others, "share of cross terms", "their correlation with the rest"]
    return "\n".join([_CONCAT, *table(header, rows, right=len(header) - 1), ""])


def claims_section(claims: Mapping[str, Mapping[str, Any]]) -> str:
    """Returns every claim with its test, what was expected and what came out, and the numbers behind it.

    Args:
      claims: of `claims.judge`.
    """
    judged = [claim for claim in claims.values() if claim["verdict"] != "not measured"]
    as_expected = sum(claim["verdict"] == claim["expected"] for claim in judged)
    rows = [
        [
            f"{number}",
            claim["sentence"],
            claim["expected"],
            f"**{claim['verdict']}**"
            + ("" if claim["verdict"] in (claim["expected"], "not measured") else " (!)"),
        ]
        for number, claim in enumerate(claims.values(), start=1)
    ]
    lines = [
        _CLAIMS,
        *table(["", "what is said", "expected", "found"], rows, right=0),
        "",
        f"As expected: {as_expected} of {len(judged)}.",
        "",
    ]
    for number, claim in enumerate(claims.values(), start=1):
        lines += [
            "<details>",
            f"<summary>{number}. {claim['sentence']} {claim['verdict'].capitalize()}.</summary>",
        ]
        lines += ["", f"Test: {claim['test']} Expected: {claim['expected']}. {claim['because']}", ""]
        checks = [
            [
                check["where"],
                _number(check["mean"], check),
                "" if check["ci95"] is None else " to ".join(_number(end, check) for end in check["ci95"]),
                " ".join(_number(value, check) for value in check["per_seed"]),
                _bound(check),
                check["outcome"],
            ]
            for check in claim["checks"]
        ]
        if checks:
            header = ["check", "mean", "95% interval", "per seed", "must lie", "outcome"]
            lines += [*table(header, checks, right=2), ""]
        else:
            lines += ["Not measured: no set that it speaks of is covered.", ""]
        lines += ["</details>", ""]
    return "\n".join(lines)


def table(header: Sequence[str], rows: Iterable[Sequence[str]], right: int, left: int = 1) -> list[str]:
    """Returns a Markdown table: the first columns, so many, hold words, the next ones numbers, the rest words."""
    rule = (["---"] * left + ["---:"] * right + ["---"] * len(header))[: len(header)]
    return [
        f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
        for cells in (header, rule, *rows)
    ]


def _details(result: Mapping[str, Any]) -> list[str]:
    rows = []
    for name, arm in sorted(result["arms"].items(), key=lambda item: -item[1]["mean"]):
        difference = arm["versus_word"]
        low, high = arm["ci95"]
        row = [name, f"{arm['mean']:.3f}", f"{low:.3f} to {high:.3f}"]
        row.append(" ".join(f"{value:.3f}" for value in arm["per_seed"]))
        if difference is None:
            row += ["", "", "", ""]
        else:
            low, high = difference["ci95"]
            row += [f"{difference['mean']:+.3f}", f"{low:+.3f} to {high:+.3f}"]
            row += [_p_value(difference["p_adjusted"]), difference["verdict"]]
        rows.append([*row, "" if arm["standing"] == "below" else arm["standing"]])
    header = ["arm", "ρ", "95% over pairs", "per seed", f"− {REFERENCE}", "95% over pairs", "p, Holm"]
    header += [f"beside {REFERENCE}", "beside the best"]
    asked = f", people were asked for {result['measures']}" if result["measures"] in _ASKED else ""
    return [
        "<details>",
        f"<summary>{result['title']}: {result['covered']:,} of {result['pairs']:,} pairs{asked}</summary>",
        "",
        *table(header, rows, right=6),
        "",
        "</details>",
        "",
    ]


_ASKED = ("similarity", "relatedness")


def _in_short(shown: Sequence[Mapping[str, Any]]) -> list[str]:
    """Returns one line per set: what is better than the word vectors alone, and what is worse."""
    lines = []
    for result in shown:
        told = []
        for verdict in ("better", "worse"):
            arms = [
                name
                for name, arm in result["arms"].items()
                if arm["versus_word"] and arm["versus_word"]["verdict"] == verdict
            ]
            told.append(f"{verdict}: {', '.join(arms) or 'none'}")
        lines.append(f"- {result['title']}: {'; '.join(told)}.")
    return ["Beside the word vectors alone, after Holm's adjustment:", "", *lines] if lines else []


def _left_out(sets: Sets) -> list[str]:
    reasons = [f"- {result['title']}: {result['reason']}." for result in sets.values() if result["reason"]]
    return ["Not covered:", "", *reasons, ""] if reasons else []


def _formula(name: str, shown: Sequence[Mapping[str, Any]]) -> str:
    if not name.endswith("tuned α"):
        return formula_of(name)
    alphas = {result["tuned"][name] for result in shown if name in result["tuned"]}
    w, c = ("ŵ", "ĉ") if name.startswith("unit") else ("w", "c")
    return " / ".join(f"cos of {alpha:g}{w} + {1 - alpha:g}{c}" for alpha in sorted(alphas))


def _column(result: Mapping[str, Any]) -> str:
    suffix = ", validation" if result["validation"] else ""
    return f"{result['title']}{suffix}<br>{result['covered']:,} of {result['pairs']:,}"


def _marked(arm: Mapping[str, Any] | None) -> str:
    return "" if arm is None else _MARKS[arm["standing"]].format(f"{arm['mean']:.3f}")


def _with_half(value: Mapping[str, Any]) -> str:
    low, high = value["ci95"]
    return f"{value['mean']:.3f} ± {(high - low) / 2:.3f}"


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _p_value(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def _number(value: float, check: Mapping[str, Any]) -> str:
    """Returns a number with three decimals, a difference with its sign, an identity's error by its power."""
    if check["ci95"] is None:
        return f"{value:.1e}"
    return f"{value:.3f}" if check["bound"] else f"{value:+.3f}"


def _bound(check: Mapping[str, Any]) -> str:
    size = f"{check['bound']:.3g}"
    return f"within ±{size}" if check["relation"] == "within" else f"{check['relation']} {size}"


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'s' if number != 1 else ''}"


_JUDGEMENTS = """\
## Agreement with people's judgements

People scored pairs of words; every arm scores them from the vectors. The number is Spearman's ρ between the two over
the pairs of which both words are in the vocabulary, the mean over {seeds}. w is a word's own vector, c its context
vector, ŵ and ĉ the same at length one, cos the cosine, and "dot" the bare inner product. "Centred" takes each
table's mean away first, as a control: where the two tables lean opposite ways, their sum loses some of both leanings by
itself. *Similarity* means that two words mean nearly the same (*car*, *automobile*), *relatedness* that they have to do
with each other (*car*, *road*).

Intervals are over pairs: {num_resamples:,} resamples of the pairs, the same for all arms, seeds held fixed and their
mean taken. Every arm is compared with the word vectors alone on the same resamples, p values adjusted by Holm over all
arms of a set; arms that rank every pair alike count as one. **Bold** is an arm that is better than every other by that
test, adjusted over all pairs of arms; ≈ marks those that cannot be told from the highest.

![difference from the word vectors alone, by set]({figure})
"""

_ALPHAS = """\
## A weighted mean of both: αw + (1 − α)c

![ρ against α, by set]({figure})

Bands are 95% intervals over pairs, of each point by itself: they say how sure ρ is, and are wider than those of
differences between two points of one line. The best point of a line is picked by its result and flatters itself;
whether a weighting is worth anything is told by the α that was chosen on other pairs.
"""

_CONCAT = """\
## Concatenation beside the others

The inner product of two concatenations is w·w′ + c·c′; that of two sums has the cross terms w·c′ + c·w′ besides. The
table has the rank correlation of the concatenation's cosines with those of the others over the pairs of a set (±
half of its 95% interval over pairs), the share that the cross terms have in Σ(|cross terms| + |w·w′ + c·c′|), and
Pearson's correlation between both; means over seeds.
"""

_CLAIMS = """\
## What is said, what was expected, and what came out

Tests and expectations were written down before the vectors were measured. A check is supported if its whole 95%
interval and every single seed lie where it says, refuted if they lie beyond its bound, and else undecided. A sentence
is supported if all its checks are, and refuted if one is. There is no correction for the number of checks.
"""
