"""Puts a decision into words that need no statistics to read; labels stand in backticks."""

import math
from collections.abc import Sequence

from .evidence import Arm, Experiment
from .intervals import MOST_SEEDS, student_interval
from .verdicts import Verdict

MINUS = "−"
FEWEST_SEEDS = 5  # for a claim


def decision_sentences(
    experiment: Experiment, recommended: str | None, cheapest: Arm | None, verdicts: Sequence[Verdict]
) -> tuple[str, ...]:
    """Says what `decide` found.

    Args:
      experiment: that was decided.
      recommended: the label of the arm with the best mean.
      cheapest: of that arm and those tied with it.
      verdicts: one per arm.
    """
    if recommended is None or cheapest is None:
        return (
            "Nothing can be recommended: no arm has a result of which every seed is finite."
            if experiment.arms
            else "Nothing can be recommended: no arm has a result.",
        )
    said = [_recommendation(experiment, recommended)]
    compared = [v for v in verdicts if v.outcome in ("tied", "worse", "undecided")]
    if len(verdicts) == 1:
        said.append("It is the only arm with a result, so there is nothing to compare it with.")
    by_outcome = {
        outcome: [v for v in compared if v.outcome == outcome] for outcome in ("tied", "worse", "undecided")
    }
    if by_outcome["tied"]:
        said.append(_tied(experiment, recommended, by_outcome["tied"], cheapest))
    if by_outcome["worse"]:
        listed = ", ".join(f"{code(v.label)} ({_difference(experiment, v)})" for v in by_outcome["worse"])
        said.append(f"Worse: {listed}.")
    if by_outcome["undecided"]:
        said.append(_undecided(experiment, by_outcome["undecided"]))
    if compared and len(by_outcome["undecided"]) == len(compared):
        said.append(
            f"So no other arm is ruled out yet: with other seeds {code(recommended)} need not come first."
        )
    said += _other_examples(experiment, [v for v in compared if v.new_items_outcome not in (None, v.outcome)])
    said += _incomparable(experiment, recommended, [v for v in verdicts if v.outcome == "incomparable"])
    if compared:
        turned = "" if experiment.higher_is_better else ", with its sign turned"
        said.append(
            f"In brackets: the difference from {code(recommended)} in {metric_name(experiment)}{turned} "
            f"(minus is worse than {code(recommended)}), and its 95% interval."
        )
    return tuple(said)


def code(label: str) -> str:
    """Returns the label in backticks."""
    return f"`{label}`"


def listing(labels: Sequence[str]) -> str:
    """Returns labels in backticks as a list of words: `a`, `b` and `c`."""
    *first, last = [code(label) for label in labels]
    return f"{', '.join(first)} and {last}" if first else last


def metric_name(experiment: Experiment) -> str:
    """Returns the test metric in words."""
    written = {"rmse": "RMSE", "mae": "MAE", "r2": "R²"}
    return f"test {written.get(experiment.metric, experiment.metric)}"


def number(experiment: Experiment, value: float, signed: bool = False) -> str:
    """Returns a value of the metric, to about a tenth of the margin; a real minus sign, plus where `signed`."""
    decimals = 4
    if experiment.margin > 0:
        decimals = max(0, math.ceil(-math.log10(experiment.margin)))
        decimals = max(3, decimals) if experiment.metric == "accuracy" else decimals + 1
    text = f"{value:{'+' if signed else ''}.{decimals}f}"
    if float(text) == 0:
        text = text.lstrip("+-")
    return text.replace("-", MINUS)


def large(count: int | float) -> str:
    """Returns a count as 130, 18.2 k or 1.16 M."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{count:.0f}"


def _seeds(count: int) -> str:
    return f"{count} seed{'' if count == 1 else 's'}"


def _range(experiment: Experiment, interval: tuple[float, float], signed: bool) -> str:
    low, high = (number(experiment, end, signed) for end in interval)
    return f"{low} to {high}"


def _difference(experiment: Experiment, verdict: Verdict) -> str:
    if verdict.difference is None or verdict.difference.ci95 is None:
        raise ValueError(f"{verdict.label!r} was not compared")
    mean = number(experiment, verdict.difference.mean, signed=True)
    return f"{mean}, {_range(experiment, verdict.difference.ci95, signed=True)}"


def _recommendation(experiment: Experiment, recommended: str) -> str:
    values = experiment.per_seed()[recommended]
    interval = student_interval(values)
    inside = _seeds(len(values))
    if interval is not None:
        inside = f"{_range(experiment, interval, signed=False)}, {inside}"
    mean = number(experiment, float(values.mean()))
    return f"{code(recommended)} is recommended: {metric_name(experiment)} {mean} ({inside})."


def _tied(experiment: Experiment, recommended: str, tied: Sequence[Verdict], cheapest: Arm) -> str:
    parameters = f"{large(cheapest.results['num_params']['total'])} parameters"
    if cheapest.label == recommended:
        end = f"none of them is cheaper than {code(recommended)} ({parameters})"
    elif len(tied) == 1:
        end = f"it is the cheaper one ({parameters})"
    else:
        end = f"the cheapest of them is {code(cheapest.label)} ({parameters})"
    labels = ", ".join(code(v.label) for v in tied)
    return f"Tied with it, within ±{number(experiment, experiment.margin)}: {labels}; {end}."


def _undecided(experiment: Experiment, undecided: Sequence[Verdict]) -> str:
    listed = [f"{code(v.label)} ({_difference(experiment, v)}; {_more_seeds(v)})" for v in undecided]
    return f"Undecided: {', '.join(listed)}."


def _more_seeds(verdict: Verdict) -> str:
    if verdict.more_seeds is None:
        return f"even {MOST_SEEDS:,} seeds would hardly settle it"
    return f"some {verdict.more_seeds} more seed{'' if verdict.more_seeds == 1 else 's'} would settle it"


def _other_examples(experiment: Experiment, changed: Sequence[Verdict]) -> list[str]:
    """Says which outcomes hold for these test examples alone."""
    said = []
    for outcome in ("tied", "worse"):
        verdicts = [v for v in changed if v.outcome == outcome]
        if not verdicts:
            continue
        sizes = {arm.items.shape[1] for arm in experiment.arms if arm.items is not None}
        examples = f"these {sizes.pop():,} test examples" if len(sizes) == 1 else "these test examples"
        ranges = [
            f"{code(v.label)} {_range(experiment, v.new_items_ci95, signed=True)}"
            for v in verdicts
            if v.new_items_ci95 is not None
        ]
        one = len(verdicts) == 1
        said.append(
            f"On {examples} {listing([v.label for v in verdicts])} {'is' if one else 'are'} {outcome}; with other "
            f"examples drawn like them that is undecided ({', '.join(ranges)}), which more test examples would "
            "settle, more seeds alone would not."
        )
    return said


def _incomparable(experiment: Experiment, recommended: str, verdicts: Sequence[Verdict]) -> list[str]:
    said = []
    diverged = [v.label for v in verdicts if v.difference is None]
    if diverged:
        said.append(f"Not compared, because a seed diverged: {', '.join(code(label) for label in diverged)}.")
    single = [v.label for v in verdicts if v.difference is not None]
    if single:
        seeds = {arm.label: len(arm.results["seeds"]) for arm in experiment.arms}
        whose = code(recommended) if seeds[recommended] == 1 else listing(single)
        said.append(
            f"With a single seed of {whose} nothing can be said of the difference from "
            f"{listing(single) if seeds[recommended] == 1 else code(recommended)}: which comes first may be chance. "
            f"Train at least {FEWEST_SEEDS} seeds of every arm."
        )
    return said
