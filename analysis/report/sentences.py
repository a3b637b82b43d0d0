"""Puts a decision into words that need no statistics to read; labels stand in backticks."""

import math
from collections.abc import Sequence

import numpy as np

from .evidence import Arm, Experiment
from .intervals import MOST_SEEDS, student_interval
from .references import rivals
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
    said = []
    if experiment.failures:
        finished = len(experiment.arms)
        said.append(f"So far: {finished} of {finished + len(experiment.failures)} arms have a result.")
    if recommended is None or cheapest is None:
        whole = " of which every seed is finite" if experiment.arms else ""
        return (*said, f"Nothing can be recommended: no arm has a result{whole}.")
    said.append(_recommendation(experiment, recommended))
    said += _without_combiner(experiment, recommended)
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
        said += _undecided(experiment, by_outcome["undecided"])
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
    so_far = " so far" if experiment.failures else ""
    return f"{code(recommended)} is recommended{so_far}: {metric_name(experiment)} {mean} ({inside})."


def _without_combiner(experiment: Experiment, recommended: str) -> list[str]:
    """Names the models without a combiner that are better than the recommended arm, or as good within the margin."""
    better, close = rivals(experiment, float(experiment.per_seed()[recommended].mean()))
    said = []
    for models, one, several in (
        (better, "beats", "beat"),
        (close, "comes within the margin of", "come within the margin of"),
    ):
        if models:
            listed = [
                f"{name.replace('_', ' ')} ({number(experiment, value)})" for name, value in models.items()
            ]
            *first, last = listed
            named = f"{', '.join(first)} and {last}" if first else last
            said.append(f"Without a combiner, {named} {several if first else one} {code(recommended)}.")
    return said


def _tied(experiment: Experiment, recommended: str, tied: Sequence[Verdict], cheapest: Arm) -> str:
    parameters = f"{large(cheapest.results['num_params']['total'])} parameters"
    if cheapest.label == recommended:
        end = f"none of them is cheaper than {code(recommended)} ({parameters})"
    elif len(tied) == 1:
        end = f"it is the cheaper one ({parameters})"
    else:
        end = f"the cheapest of them is {code(cheapest.label)} ({parameters})"
    labels = ", ".join(f"{code(v.label)} ({_difference(experiment, v)})" for v in tied)
    return f"Tied with it, within ±{number(experiment, experiment.margin)}: {labels}; {end}."


def _undecided(experiment: Experiment, undecided: Sequence[Verdict]) -> list[str]:
    """Lists the undecided arms, with the seeds that would probably do, and says why a clear interval is not enough."""
    listed = [f"{code(v.label)} ({_difference(experiment, v)}; {_more_seeds(v)})" for v in undecided]
    said = [f"Undecided: {', '.join(listed)}."]
    if any(v.more_seeds is not None for v in undecided):
        said[0] += " That many more seeds would probably settle it on these test examples."
    clear = [v for v in undecided if _excludes_zero(experiment, v)]
    if clear:
        with_a_mean = sum(bool(np.isfinite(values).all()) for values in experiment.per_seed().values())
        said.append(
            f"The interval{'s' if len(clear) > 1 else ''} of {listing([v.label for v in clear])} "
            f"exclude{'' if len(clear) > 1 else 's'} 0, but not after Holm's correction for "
            f"{math.comb(with_a_mean, 2)} comparisons, so that the order may yet be chance."
        )
    return said


def _more_seeds(verdict: Verdict) -> str:
    if verdict.more_seeds is None:
        return f"even {MOST_SEEDS:,} seeds would hardly settle it"
    return f"{verdict.more_seeds} more seed{'' if verdict.more_seeds == 1 else 's'}"


def _excludes_zero(experiment: Experiment, verdict: Verdict) -> bool:
    """Returns whether the interval, as it is written, has both ends on one side of 0."""
    if verdict.difference is None or verdict.difference.ci95 is None:
        return False
    low, high = (number(experiment, end, signed=True)[0] for end in verdict.difference.ci95)
    return low == high and low in f"+{MINUS}"


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
