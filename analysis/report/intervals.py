"""Intervals and tests over seeds: Student's t, paired and unpaired differences, the probability of improvement."""

import dataclasses
import math

import numpy as np
from jaxtyping import Float
from scipy import optimize, stats

LEVEL = 0.95  # of every interval
MOST_SEEDS = 1000  # nobody runs more, so a larger number is no answer

# Seeds that differ by less than this share of their size differ by rounding alone.
_ROUNDING = 1e-9
_INSIDE = 1e-9  # how far from 0 and 1 the search for a probability starts


@dataclasses.dataclass(frozen=True)
class Difference:
    """How far one arm's seeds lie above another's, in the metric's own unit.

    Attributes:
      mean: of the first arm minus the second.
      ci95: 95% interval of that; None with a single seed.
      p_value: two-sided, of no difference; None with a single seed.
      effect_size: the difference in standard deviations: Cohen's d_z of pairs, mean / s of the differences (Cohen 1988,
        Statistical Power Analysis, section 2.3.5); of unpaired arms mean / √((s_a² + s_b²) / 2). Without any spread
        0 for no difference and ±inf otherwise; None with a single seed.
      standard_error: of the mean, over seeds; None with a single seed.
      degrees_of_freedom: of that standard error; None with a single seed.
    """

    mean: float
    ci95: tuple[float, float] | None
    p_value: float | None
    effect_size: float | None
    standard_error: float | None
    degrees_of_freedom: float | None

    def __neg__(self) -> "Difference":
        """Returns the difference the other way round."""
        return dataclasses.replace(
            self,
            mean=-self.mean,
            ci95=None if self.ci95 is None else (-self.ci95[1], -self.ci95[0]),
            effect_size=None if self.effect_size is None else -self.effect_size,
        )


def student_interval(values: Float[np.ndarray, " n"]) -> tuple[float, float] | None:
    """Returns the 95% interval mean ± t_{0.975, n−1} · s / √n for the mean of n independent values.

    Student 1908, The Probable Error of a Mean. None for a single value, and where one is not finite: the rest would
    flatter the arm.
    """
    if len(values) < 2 or not np.isfinite(values).all():
        return None
    mean, error = float(np.mean(values)), float(stats.sem(values))
    half = t_quantile(LEVEL, len(values) - 1) * error
    return mean - half, mean + half


def t_quantile(level: float, degrees_of_freedom: int | float) -> float:
    """Returns t such that |T| ≤ t with probability `level`, T having Student's distribution."""
    return float(stats.t.isf((1 - level) / 2, degrees_of_freedom))


def paired_difference(a: Float[np.ndarray, " n"], b: Float[np.ndarray, " m"]) -> Difference:
    """Compares two arms that were trained with the same seeds, pair by pair.

    The paired t test (Student 1908; scipy.stats.ttest_rel) and its interval, mean ± t_{0.975, n−1} · s / √n of the n
    differences a_i − b_i. Where all differences are equal to rounding, the interval has no width and p is 1 for no
    difference and 0 otherwise.

    Args:
      a: the metric of every seed, finite.
      b: that of the same seeds in the same order.

    Returns:
      a minus b; its mean alone for a single seed.

    Raises:
      ValueError: for arrays of different lengths, empty ones, and values that are not finite.
    """
    if len(a) != len(b):
        raise ValueError(f"pairs need as many seeds on either side, got {len(a)} and {len(b)}")
    return paired_differences(a[None], b[None])[0]


def paired_differences(
    a: Float[np.ndarray, "pairs n"], b: Float[np.ndarray, "pairs n"]
) -> tuple[Difference, ...]:
    """Compares many pairs of arms at once; each row as `paired_difference` does, which says what it refuses."""
    if a.shape[1] == 0 or not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise ValueError("pairs need at least one seed, and a finite value for each")
    d = a - b
    means = d.mean(axis=1)
    n = d.shape[1]
    if n == 1:
        return tuple(Difference(float(mean), None, None, None, None, None) for mean in means)
    size = np.maximum(np.abs(a).max(axis=1), np.abs(b).max(axis=1))
    equal = np.abs(d).max(axis=1) <= _ROUNDING * size
    constant = np.ptp(d, axis=1) <= _ROUNDING * size
    means[equal] = 0.0
    spread = np.where(constant, 0.0, d.std(axis=1, ddof=1))
    half = t_quantile(LEVEL, n - 1) * spread / math.sqrt(n)
    p_values = np.where(means == 0, 1.0, 0.0)
    effects = np.where(means == 0, 0.0, np.copysign(np.inf, means))
    varied = ~constant
    if varied.any():
        p_values[varied] = stats.ttest_rel(a[varied], b[varied], axis=1).pvalue
        effects[varied] = means[varied] / spread[varied]
    return tuple(
        Difference(
            mean=float(means[i]),
            ci95=(float(means[i] - half[i]), float(means[i] + half[i])),
            p_value=float(p_values[i]),
            effect_size=float(effects[i]),
            standard_error=float(spread[i] / math.sqrt(n)),
            degrees_of_freedom=float(n - 1),
        )
        for i in range(len(d))
    )


def unpaired_difference(a: Float[np.ndarray, " n"], b: Float[np.ndarray, " m"]) -> Difference:
    """Compares two arms whose seeds are not the same, by Welch's t test.

    Welch 1947, The Generalization of 'Student's' Problem; scipy.stats.ttest_ind(equal_var=False).

    Args:
      a: the metric of every seed, finite.
      b: that of other seeds.

    Returns:
      mean of a minus mean of b; that alone where one of them has a single seed.
    """
    mean = float(a.mean() - b.mean())
    if min(len(a), len(b)) < 2:
        return Difference(mean, None, None, None, None, None)
    size = max(np.abs(a).max(), np.abs(b).max())
    if max(np.ptp(a), np.ptp(b)) <= _ROUNDING * size:
        mean = 0.0 if abs(mean) <= _ROUNDING * size else mean
        return Difference(
            mean=mean,
            ci95=(mean, mean),
            p_value=float(mean == 0),
            effect_size=math.copysign(math.inf, mean) if mean else 0.0,
            standard_error=0.0,
            degrees_of_freedom=float(min(len(a), len(b)) - 1),
        )
    test = stats.ttest_ind(a, b, equal_var=False)
    low, high = test.confidence_interval(LEVEL)
    return Difference(
        mean=mean,
        ci95=(float(low), float(high)),
        p_value=float(test.pvalue),
        effect_size=float(mean / np.sqrt((a.var(ddof=1) + b.var(ddof=1)) / 2)),
        standard_error=float(np.hypot(stats.sem(a), stats.sem(b))),
        degrees_of_freedom=float(test.df),
    )


def seeds_needed(
    difference: Difference, num_seeds: int, margin: float, num_comparisons: int = 1
) -> int | None:
    """Says how many seeds would settle a comparison, were the mean and the spread to stay as they are.

    The smallest n > `num_seeds` with which either the 95% interval m ± t_{0.975, n−1} · s / √n lies within ±margin, or
    |m| exceeds t · s / √n at the level 0.05 / `num_comparisons`, Bonferroni's, which is enough for Holm's. A rough
    number: m and s are themselves known from few seeds only.

    Args:
      difference: over the seeds that there are, at least two.
      num_seeds: how many those are (of the arm with fewer, where they are not paired).
      margin: differences up to here do not matter.
      num_comparisons: that the correction counts.

    Returns:
      The total number of seeds; None where 1,000 do not settle it.
    """
    if difference.standard_error is None or difference.degrees_of_freedom is None:
        return None
    n = np.arange(num_seeds + 1, MOST_SEEDS + 1)
    if not len(n):
        return None
    freedom = difference.degrees_of_freedom * (n - 1) / (num_seeds - 1)
    error = difference.standard_error * np.sqrt(num_seeds / n)
    size = abs(difference.mean)
    within = size + stats.t.isf((1 - LEVEL) / 2, freedom) * error <= margin
    apart = size > stats.t.isf((1 - LEVEL) / 2 / num_comparisons, freedom) * error
    settled = np.flatnonzero(within | apart)
    return int(n[settled[0]]) if len(settled) else None


def probability_of_improvement(
    a: Float[np.ndarray, " n"], b: Float[np.ndarray, " m"], higher_is_better: bool
) -> tuple[float, tuple[float, float]]:
    """Estimates the probability that a run of arm a beats a run of arm b, a tie counting half.

    θ = P(a better) + ½ P(tie) over all n·m pairs, Mann and Whitney's U / (n·m), as Agarwal et al. 2021 (Deep
    Reinforcement Learning at the Edge of the Statistical Precipice) use it. They bootstrap seeds, which is far too
    narrow with five; the interval here is the score interval on Hanley and McNeil's variance, method 5 of Newcombe
    2006 (Confidence intervals for an effect size measure based on the Mann–Whitney statistic, part 2): all θ with
    (θ̂ − θ)² ≤ z² θ(1−θ) [1 + N ((1−θ)/(2−θ) + θ/(1+θ))] / (n·m), N = (n+m)/2 − 1. It keeps its width where
    every run of a beats every run of b. Seeds that a and b share are taken as independent.

    Args:
      a: the metric of every seed, finite.
      b: that of the other arm.
      higher_is_better: of the metric.

    Returns:
      θ̂, and its 95% interval.
    """
    n, m = len(a), len(b)
    wins = (
        float(stats.mannwhitneyu(a, b, method="asymptotic").statistic) / (n * m) if np.ptp([*a, *b]) else 0.5
    )
    estimate = wins if higher_is_better else 1 - wins
    z = stats.norm.isf((1 - LEVEL) / 2)
    extra = (n + m) / 2 - 1

    def excess(theta: float) -> float:
        variance = (
            theta * (1 - theta) * (1 + extra * ((1 - theta) / (2 - theta) + theta / (1 + theta))) / (n * m)
        )
        return float((estimate - theta) ** 2 - z**2 * variance)

    # An estimate of 0 or 1 is itself a root, but not the one that bounds the interval.
    inside = min(max(estimate, _INSIDE), 1 - _INSIDE)
    low = 0.0 if estimate == 0 else float(optimize.brentq(excess, 0.0, inside))
    high = 1.0 if estimate == 1 else float(optimize.brentq(excess, inside, 1.0))
    return estimate, (low, high)
