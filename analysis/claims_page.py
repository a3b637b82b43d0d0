"""The page of the claims: a table of verdicts, then every claim with its test and what each check found."""

from collections import Counter
from collections.abc import Iterable, Sequence

from .claim_verdict import VERDICTS, Check, ClaimVerdict

INTRODUCTION = """\
Sentences that people repeat about combining embeddings, each turned into a test that was written down, with
the verdict expected of it, before its trials were run. A refuted sentence is as good a result as a
supported one.

**How a verdict comes about.** A check compares arms of an experiment seed by seed: the mean over seeds of a
weighted sum of their test metrics, with Student's 95% interval, is held against a bound. It is *supported*
if the whole interval lies where the check says, *refuted* if the whole interval lies outside, and else
*undecided*. Metrics count so that higher is better (an RMSE is negated), except where they are given as
multiples of a reference. An identity is computed in float64 and has no interval. A sentence is supported if
all of its checks are, and refuted if one of them is.

**What a verdict covers.** The data, models and budgets of these experiments, no more. Intervals are over
seeds, not over the choice of test examples or datasets, and there is no correction for the number of
checks: where the truth lies on a bound, one check in forty is supported, and one refuted, by chance."""


def claims_page(verdicts: Sequence[ClaimVerdict], command: str) -> str:
    """Returns the page as Markdown.

    Args:
      verdicts: in the order in which they are to stand.
      command: that makes the results again.
    """
    counts = Counter(verdict.verdict for verdict in verdicts)
    tally = ", ".join(f"{counts[name]} {name}" for name in (*VERDICTS, "not run") if counts[name])
    judged = [verdict for verdict in verdicts if verdict.is_as_expected is not None]
    surprises = sum(not verdict.is_as_expected for verdict in judged)
    lines = [
        "# What is said about combining embeddings",
        "",
        INTRODUCTION,
        "",
        f"Of {len(verdicts)} sentences: {tally}. "
        f"{surprises or 'None'} of the {len(judged)} verdicts {'is' if surprises == 1 else 'are'} not as expected.",
        "",
        *_table(
            ["", "what is said", "verdict", "expected", "mean [95% interval], where it must lie"],
            (_summary_row(number, verdict) for number, verdict in enumerate(verdicts, start=1)),
        ),
        "",
    ]
    for number, verdict in enumerate(verdicts, start=1):
        lines += [*_section(number, verdict), ""]
    return "\n".join([*lines, "## How to make these numbers again", "", f"`{command}`", ""])


def _summary_row(number: int, verdict: ClaimVerdict) -> list[str]:
    surprise = " (!)" if verdict.is_as_expected is False else ""
    return [
        f"[{number}](#claim-{number})",
        verdict.sentence,
        f"**{verdict.verdict}**{surprise}",
        verdict.expected,
        "<br>".join(_key_numbers(check) for check in verdict.checks),
    ]


def _key_numbers(check: Check) -> str:
    if check.mean is None:
        return "not run"
    interval = (
        "" if check.ci95 is None else f" [{_number(check.ci95[0], check)}, {_number(check.ci95[1], check)}]"
    )
    return f"{_number(check.mean, check)}{interval}, {_bound(check)}"


def _section(number: int, verdict: ClaimVerdict) -> list[str]:
    if verdict.is_as_expected is None:
        remark = f"expected was {verdict.expected}"
    elif verdict.is_as_expected:
        remark = "as expected"
    else:
        remark = f"**not as expected**, which was {verdict.expected}"
    rows = (
        [
            check.statement,
            check.where,
            "" if check.mean is None else _number(check.mean, check),
            _interval(check),
            _bound(check),
            str(check.num_seeds or ""),
            check.outcome + (f": {check.reason}" if check.reason else ""),
        ]
        for check in verdict.checks
    )
    return [
        f'<a id="claim-{number}"></a>',
        "",
        f"## {number}. {verdict.sentence}",
        "",
        f"**{verdict.verdict.capitalize()}**{_scope(verdict)}; {remark}.",
        "",
        f"Test, as stated beforehand: {verdict.test}",
        "",
        *_table(["check", "where", "mean", "95% interval", "must lie", "seeds", "outcome"], rows),
    ]


def _scope(verdict: ClaimVerdict) -> str:
    """Returns how far a verdict goes: an identity of formulas holds everywhere, an experiment where it was made."""
    is_measured = any(check.num_seeds for check in verdict.checks)
    if verdict.verdict in ("supported", "refuted"):
        return " on this data, with these models" if is_measured else " by computation"
    return ""


def _interval(check: Check) -> str:
    if check.ci95 is None:
        return ""
    return f"{_number(check.ci95[0], check)} to {_number(check.ci95[1], check)}"


def _bound(check: Check) -> str:
    """Returns where the mean must lie."""
    if check.bound is None:
        return f"{check.relation} its margin"
    size = f"{check.bound:.3g}"
    return f"within ±{size}" if check.relation == "within" else f"{check.relation} {size}"


def _number(value: float, check: Check) -> str:
    """Returns a number with four decimals, with its sign where it is a difference, rounding errors by their power."""
    if check.ci95 is None and not check.num_seeds:
        return f"{value:.1e}"
    return f"{value:+.4f}" if check.is_difference else f"{value:.4f}"


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    cells = (header, ["---"] * len(header), *rows)
    return [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in cells]
