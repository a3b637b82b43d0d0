"""What the seeds say of every arm: means, intervals, comparisons with the reference, ranks."""

import dataclasses
import itertools
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from scipy import stats

from .evidence import Arm, Experiment
from .intervals import (
    Difference,
    paired_difference,
    paired_differences,
    probability_of_improvement,
    seeds_needed,
    student_interval,
    unpaired_difference,
)
from .resampling import bootstrap_items, percentile_interval, resampled_arms

__all__ = [
    "SIGNIFICANCE",
    "ArmSummary",
    "Comparison",
    "Difference",
    "arms_with_a_mean",
    "bootstrap_items",
    "compare_arms",
    "compare_pairs",
    "holm",
    "interquartile_mean",
    "paired_difference",
    "probability_of_improvement",
    "seeds_needed",
    "student_interval",
    "summarise",
]

SIGNIFICANCE = 0.05  # of an adjusted p


@dataclasses.dataclass(frozen=True)
class Comparison:
    """A difference of two arms, as one of a family of comparisons.

    Attributes:
      difference: of the first arm minus the second.
      p_adjusted: Holm's over the family; None with a single seed.
    """

    difference: Difference
    p_adjusted: float | None


@dataclasses.dataclass(frozen=True)
class ArmSummary:
    """One row of the table. What cannot be said is None: of an arm with a diverged seed, nearly everything.

    Attributes:
      label: of the arm.
      num_seeds: that were trained, diverged ones included.
      mean: of the test metric over seeds.
      ci95: Student's interval of that mean, over seeds; None with a single seed.
      items_ci95: bootstrap interval over test examples, seeds held fixed; None without items.
      versus_reference: the arm minus the reference in the metric's own unit (for rmse less is better), paired by seed
        where both have the same seeds; None for the reference itself.
      p_adjusted: of that difference, Holm's over all arms compared with the reference.
      probability_of_improvement: that a run of this arm beats one of the reference; None for the reference itself.
      probability_ci95: of that probability.
      rank: 1 for the best mean; arms with the same mean share the better rank.
      rank_ci95: the best and the worst rank that the seeds allow, for all arms at once: one more than the arms that are
        significantly better, and as many as are not significantly worse, by Holm's adjusted p over all pairs of arms.
        Al Mohamad, Goeman and van Zwet 2022, Simultaneous confidence intervals for ranks with application to ranking
        institutions, do so with Tukey's test in Holm's place. None with a single seed.
    """

    label: str
    num_seeds: int
    mean: float | None
    ci95: tuple[float, float] | None
    items_ci95: tuple[float, float] | None
    versus_reference: Difference | None
    p_adjusted: float | None
    probability_of_improvement: float | None
    probability_ci95: tuple[float, float] | None
    rank: int | None
    rank_ci95: tuple[int, int] | None


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Returns the p values adjusted for how many there are, in the same order.

    Holm 1979, A Simple Sequentially Rejective Multiple Test Procedure: the k-th smallest of m is multiplied by
    m − k + 1, no adjusted p is smaller than that of a smaller p, nor larger than 1. Rejecting what is below 0.05 after
    it makes a false rejection in the family with probability 0.05 at most. statsmodels' multipletests gives the same
    numbers, but collects the garbage of the whole process each time, which takes longer than all else here.
    """
    if not p_values:
        return ()
    p = np.asarray(p_values, float)
    order = np.argsort(p)
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(np.maximum.accumulate(np.arange(len(p), 0, -1) * p[order]), 1)
    return tuple(adjusted.tolist())


def interquartile_mean(values: Float[np.ndarray, " n"]) -> float:
    """Returns the mean of the middle half: a quarter of the values is cut off at either end (rounded down).

    Agarwal et al. 2021, Deep Reinforcement Learning at the Edge of the Statistical Precipice; scipy.stats.trim_mean.
    NaN where one value is NaN: leaving it out would flatter.
    """
    return float("nan") if np.isnan(values).any() else float(stats.trim_mean(values, 0.25))


def arms_with_a_mean(experiment: Experiment) -> tuple[Arm, ...]:
    """Returns the arms of which every seed is finite; a mean over the other seeds would flatter an arm."""
    per_seed = experiment.per_seed()
    return tuple(
        arm for arm in experiment.arms if len(per_seed[arm.label]) and np.isfinite(per_seed[arm.label]).all()
    )


def compare_pairs(
    experiment: Experiment, pairs: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], Difference]:
    """Compares arms two by two over seeds.

    Arms with the same seeds are paired by seed number (Student's paired t), since a seed stands for the same order of
    examples in both; others are compared by Welch's t over all seeds that either has.

    Args:
      experiment: with the arms.
      pairs: of labels of arms whose seeds are all finite.

    Returns:
      {pair: its first arm minus its second}.
    """
    by_seed = {}
    for arm in arms_with_a_mean(experiment):
        seeds = np.asarray(arm.results["seeds"])
        order = np.argsort(seeds)
        by_seed[arm.label] = (tuple(seeds[order].tolist()), experiment.per_seed()[arm.label][order])
    same_seeds: dict[int, list[tuple[str, str]]] = {}
    differences = {}
    for first, second in pairs:
        (seeds, a), (other_seeds, b) = by_seed[first], by_seed[second]
        if seeds == other_seeds:
            same_seeds.setdefault(len(seeds), []).append((first, second))
        else:
            differences[first, second] = unpaired_difference(a, b)
    for group in same_seeds.values():
        a, b = (np.stack([by_seed[pair[side]][1] for pair in group]) for side in (0, 1))
        differences |= dict(zip(group, paired_differences(a, b), strict=True))
    return differences


def compare_arms(experiment: Experiment) -> dict[tuple[str, str], Comparison]:
    """Compares every arm with every other over seeds, Holm's adjustment over all pairs.

    All pairs are the family because what is said of the best arm compares arms that were picked by their results: to
    adjust only for the comparisons with the best is wrong twice as often as stated.

    Returns:
      {(label, label): first minus second}, every pair both ways round, of arms whose seeds are all finite.
    """
    labels = [arm.label for arm in arms_with_a_mean(experiment)]
    differences = compare_pairs(experiment, list(itertools.combinations(labels, 2)))
    adjusted = _adjust(differences)
    comparisons = {pair: Comparison(d, adjusted.get(pair)) for pair, d in differences.items()}
    return comparisons | {
        (second, first): Comparison(-c.difference, c.p_adjusted) for (first, second), c in comparisons.items()
    }


def _adjust(differences: dict[tuple[str, str], Difference]) -> dict[tuple[str, str], float]:
    p_values = {pair: d.p_value for pair, d in differences.items() if d.p_value is not None}
    return dict(zip(p_values, holm(tuple(p_values.values())), strict=True))


def summarise(experiment: Experiment) -> tuple[ArmSummary, ...]:
    """Returns one row per arm, in the order of `experiment.arms`."""
    per_seed = experiment.per_seed()
    usable = {arm.label for arm in arms_with_a_mean(experiment)}
    reference = experiment.reference
    differences = {}
    if reference in usable:
        pairs = [(arm.label, reference) for arm in experiment.arms if arm.label in usable - {reference}]
        differences = compare_pairs(experiment, pairs)
    adjusted = _adjust(differences)
    ranks, rank_intervals = _ranks(experiment)
    resampled = resampled_arms(experiment)
    rows = []
    for arm in experiment.arms:
        label, values = arm.label, per_seed[arm.label]
        pair = (label, reference)
        probability = interval = items_ci95 = None
        if pair in differences:
            probability, interval = probability_of_improvement(
                values, per_seed[reference], experiment.higher_is_better
            )
        if label in usable and label in resampled:
            items_ci95 = percentile_interval(resampled[label])
        rows.append(
            ArmSummary(
                label=label,
                num_seeds=len(values),
                mean=float(values.mean()) if label in usable else None,
                ci95=student_interval(values),
                items_ci95=items_ci95,
                versus_reference=differences.get(pair),
                p_adjusted=adjusted.get(pair),
                probability_of_improvement=probability,
                probability_ci95=interval,
                rank=ranks.get(label),
                rank_ci95=rank_intervals.get(label),
            )
        )
    return tuple(rows)


def _ranks(experiment: Experiment) -> tuple[dict[str, int], dict[str, tuple[int, int]]]:
    """Returns each arm's rank and the interval of its rank, as `ArmSummary` describes them."""
    per_seed = experiment.per_seed()
    labels = [arm.label for arm in arms_with_a_mean(experiment)]
    sign = 1 if experiment.higher_is_better else -1
    means = [sign * per_seed[label].mean() for label in labels]
    ranks = {
        label: int(rank)
        for label, rank in zip(labels, stats.rankdata([-m for m in means], method="min"), strict=True)
    }
    comparisons = compare_arms(experiment)
    intervals = {}
    for label in labels:
        others = [comparisons[other, label] for other in labels if other != label]
        if any(c.p_adjusted is None for c in others):
            continue
        significant = [c for c in others if c.p_adjusted is not None and c.p_adjusted < SIGNIFICANCE]
        better = sum(sign * c.difference.mean > 0 for c in significant)
        worse = sum(sign * c.difference.mean < 0 for c in significant)
        intervals[label] = (1 + better, len(labels) - worse)
    return ranks, intervals
