"""How every arm stands beside the best one: tied with it, worse, or undecided."""

import dataclasses
import itertools
import math

import numpy as np
from scipy import stats

from .costs import cost
from .evidence import Arm, Experiment
from .intervals import LEVEL, Difference, seeds_needed, t_quantile
from .resampling import resampled_arms
from .statistics import SIGNIFICANCE, Comparison, arms_with_a_mean, compare_arms, holm


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What is said of one arm beside the recommended one.

    Attributes:
      label: of the arm.
      outcome: "recommended"; "tied": the 95% interval of the difference lies within ±margin; "worse": not tied, and
        the adjusted p is below 0.05; "undecided": neither; "incomparable": a seed diverged, or there is a single one.
      difference: from the recommended arm over seeds, on these test examples, positive where this arm is better; None
        for the recommended arm and where a seed diverged.
      new_items_ci95: 95% interval of that difference for other test examples like these; None without items.
      new_items_outcome: the outcome if that holds for other examples, too, else "undecided"; None without items.
      more_seeds: how many more would probably settle an undecided arm on these test examples; None where that does
        not apply, and where 1,000 in all would not do.
    """

    label: str
    outcome: str
    difference: Difference | None
    new_items_ci95: tuple[float, float] | None
    new_items_outcome: str | None
    more_seeds: int | None


def judge(experiment: Experiment) -> tuple[str | None, tuple[Verdict, ...]]:
    """Picks the best arm and holds every other one against it, by the rule that `decision.decide` states.

    Returns:
      The label of the recommended arm, None if no arm has all its seeds; and a verdict per arm, in their order.
    """
    recommended = _best(experiment, {arm.label: arm for arm in arms_with_a_mean(experiment)})
    comparisons = compare_arms(experiment)
    new_items = _with_new_items(experiment, comparisons)
    return recommended, tuple(
        _verdict(experiment, arm.label, recommended, comparisons, new_items) for arm in experiment.arms
    )


def _best(experiment: Experiment, arms: dict[str, Arm]) -> str | None:
    if not arms:
        return None
    sign = 1 if experiment.higher_is_better else -1
    means = {label: sign * float(values.mean()) for label, values in experiment.per_seed().items()}
    best = max(means[label] for label in arms)
    return min((arm for label, arm in arms.items() if means[label] == best), key=cost).label


def _verdict(
    experiment: Experiment,
    label: str,
    recommended: str | None,
    comparisons: dict[tuple[str, str], Comparison],
    new_items: dict[tuple[str, str], Comparison],
) -> Verdict:
    if label == recommended:
        return Verdict(label, "recommended", None, None, None, None)
    comparison = comparisons.get((label, recommended or ""))
    if comparison is None:
        return Verdict(label, "incomparable", None, None, None, None)
    sign = 1 if experiment.higher_is_better else -1
    difference = comparison.difference if sign == 1 else -comparison.difference
    if difference.ci95 is None:
        return Verdict(label, "incomparable", difference, None, None, None)
    outcome = _outcome(comparison, experiment.margin)
    more_seeds = None
    if outcome == "undecided":
        more_seeds = _more_seeds(experiment, label, recommended, comparison.difference, len(comparisons) // 2)
    other = new_items.get((label, recommended or ""))
    if other is None:
        return Verdict(label, outcome, difference, None, None, more_seeds)
    interval = (other.difference if sign == 1 else -other.difference).ci95
    survives = _outcome(other, experiment.margin) == outcome
    return Verdict(label, outcome, difference, interval, outcome if survives else "undecided", more_seeds)


def _outcome(comparison: Comparison, margin: float) -> str:
    """Returns tied, worse or undecided; the sign of the difference plays no part, as the best arm is one of the two."""
    if comparison.difference.ci95 is None or comparison.p_adjusted is None:
        raise ValueError("a single seed decides nothing")
    low, high = comparison.difference.ci95
    if -margin <= low and high <= margin:
        return "tied"
    return "worse" if comparison.p_adjusted < SIGNIFICANCE else "undecided"


def _more_seeds(
    experiment: Experiment, label: str, recommended: str | None, difference: Difference, num_comparisons: int
) -> int | None:
    per_seed = experiment.per_seed()
    num_seeds = min(len(per_seed[label]), len(per_seed[recommended or ""]))
    needed = seeds_needed(difference, num_seeds, experiment.margin, num_comparisons)
    return None if needed is None else needed - num_seeds


def _with_new_items(
    experiment: Experiment, comparisons: dict[tuple[str, str], Comparison]
) -> dict[tuple[str, str], Comparison]:
    """Widens comparisons by the choice of test examples, both ways round; those without items are left out."""
    resampled = resampled_arms(experiment)
    sizes = {arm.label: arm.items.shape[1] for arm in experiment.arms if arm.items is not None}
    widened = {}
    for pair in itertools.combinations(resampled, 2):
        if pair in comparisons and sizes[pair[0]] == sizes[pair[1]]:
            error = float(np.std(resampled[pair[0]] - resampled[pair[1]], ddof=1))
            difference = _widen(comparisons[pair].difference, error, sizes[pair[0]])
            if difference is not None:
                widened[pair] = difference
    adjusted = holm(tuple(d.p_value for d in widened.values() if d.p_value is not None))
    both_ways = {}
    for ((first, second), difference), p_adjusted in zip(widened.items(), adjusted, strict=True):
        # Where some arms have no items this family is smaller than the other: more error must not make p smaller.
        p_adjusted = max(p_adjusted, comparisons[first, second].p_adjusted or 0.0)
        both_ways[first, second] = Comparison(difference, p_adjusted)
        both_ways[second, first] = Comparison(-difference, p_adjusted)
    return both_ways


def _widen(difference: Difference, items_error: float, num_items: int) -> Difference | None:
    """Adds the variance from the choice of test examples to that over seeds; None with a single seed."""
    seeds_error, seeds_freedom = difference.standard_error, difference.degrees_of_freedom
    if difference.ci95 is None or difference.p_value is None or seeds_error is None or seeds_freedom is None:
        return None
    error = math.hypot(seeds_error, items_error)
    if items_error == 0 or num_items < 2:
        return difference
    freedom = error**4 / (seeds_error**4 / seeds_freedom + items_error**4 / (num_items - 1))
    half = max(t_quantile(LEVEL, freedom) * error, difference.ci95[1] - difference.mean)
    return dataclasses.replace(
        difference,
        ci95=(difference.mean - half, difference.mean + half),
        p_value=max(float(2 * stats.t.sf(abs(difference.mean) / error, freedom)), difference.p_value),
        standard_error=error,
        degrees_of_freedom=freedom,
    )
