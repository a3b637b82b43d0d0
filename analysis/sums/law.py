"""The least dimension d*(V, n) at which greedy matching recovers a sum exactly in 95% of draws, and its law.

What theory says beforehand: an embedding that is in the sum scores √d, give or take; one that is not scores the
interference of n others, normal with variance n, and the largest of V such is √(2 n ln V). The first is the larger
from d ≈ 2 n ln V on. Less may do: those counted first are the ones that interference favours, and every summand
counted takes its interference away. Summands that repeat are told apart no worse, so that the number of distinct ones,
V (1 − (1 − 1/V)^n) on average, should count rather than n.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy import optimize, stats

from .draws import wilson_interval

TARGET = 0.95  # share of draws that are to be recovered
_RARE = 0.05  # share from which on recovery is said to rise
# What is fitted: the field of a point that counts summands, and the largest n / V among the points.
_FITS = (("n", math.inf), ("distinct", math.inf), ("distinct", 1.0))
_LEVEL = 0.95  # of the intervals


def measure_law(draws: Mapping[str, Any]) -> dict[str, Any]:
    """Finds d*(V, n) for every V and n, and fits d* = a · m^b · (ln V)^c to them.

    Args:
      draws: of `draws.measure_draws`.

    Returns:
      {"points": one for each V and n: {"vocabulary", "n", "distinct": expected number of distinct summands, "theory":
      2 n ln V, "dim": d*, "dim_ci95": where the bounds of the probability's interval cross 95%, None on the side where
      they do not within the grid, "censored": "", or "below" the least d or "above" the largest, then "dim" is None,
      "rise": d* over the dimension of 5% recovery, None where either lies outside the grid},
      "fits": of `fit_law`, to the points that are not censored: by n, by distinct summands, and by these where n ≤ V}.
    """
    lines: dict[tuple[int, int], list[Mapping[str, Any]]] = {}
    for row in draws["rows"]:
        lines.setdefault((row["vocabulary"], row["n"]), []).append(row)
    points = [
        {
            "vocabulary": vocabulary,
            "n": n,
            "distinct": vocabulary * (1 - (1 - 1 / vocabulary) ** n),
            "theory": 2 * n * math.log(vocabulary),
        }
        | least_dim(
            np.array([row["dim"] for row in line], float),
            np.array([row["recovery"] for row in line]),
            draws["num_draws"],
        )
        for (vocabulary, n), line in lines.items()
    ]
    found = [point for point in points if point["dim"] is not None]
    return {"points": points, "fits": [fit_law(found, *fit) for fit in _FITS]}


def least_dim(
    dims: Float[np.ndarray, " dims"], shares: Float[np.ndarray, " dims"], num_draws: int
) -> dict[str, Any]:
    """Returns where a rising share of recoveries crosses 95%, with an interval, as of `measure_law`.

    The shares are first made to rise by isotonic regression, since more dimensions cannot make recovery less likely.

    Args:
      dims: ascending.
      shares: of draws that were recovered.
      num_draws: in each share.
    """
    rising = np.clip(optimize.isotonic_regression(shares).x, 0.0, 1.0)
    bounds = np.array([wilson_interval(float(share), num_draws) for share in rising])
    crossing, start = (_crossing(dims, rising, num_draws, target) for target in (TARGET, _RARE))
    within = isinstance(crossing, float) and isinstance(start, float)
    return {
        "dim": crossing if isinstance(crossing, float) else None,
        "dim_ci95": [
            at if isinstance(at := _crossing(dims, bound, num_draws), float) else None
            for bound in (bounds[:, 1], bounds[:, 0])
        ],
        "censored": "" if isinstance(crossing, float) else crossing,
        "rise": crossing / start if within else None,
    }


def _crossing(
    dims: Float[np.ndarray, " dims"],
    shares: Float[np.ndarray, " dims"],
    num_draws: int,
    target: float = TARGET,
) -> float | str:
    """Returns where rising shares cross a target, or that this is "below" or "above" all dims.

    Between two dims probits are taken as linear in ln d.
    """
    if shares[0] >= target:
        return "below"
    if shares[-1] < target:
        return "above"
    # A share of 0 or 1 has no probit; half a draw is what such a share leaves open.
    inside = np.clip(shares, 0.5 / (num_draws + 1), 1 - 0.5 / (num_draws + 1))
    above = int(np.argmax(shares >= target))
    low, high = stats.norm.ppf(inside[above - 1 : above + 1])
    part = (stats.norm.ppf(target) - low) / (high - low)
    return float(dims[above - 1] ** (1 - part) * dims[above] ** part)


def fit_law(
    points: Sequence[Mapping[str, Any]], count: str = "n", most_per_word: float = math.inf
) -> dict[str, Any]:
    """Fits d* = a · m^b · (ln V)^c by least squares on logarithms, m a count of summands.

    Args:
      points: {"vocabulary", "n", "dim", and the count}.
      count: the field of a point that is m.
      most_per_word: points of a larger n / V are left out.

    Returns:
      {"count", "repeats": whether points with n > V were fitted too, "num_points", "parameters": None where the points
      do not settle three, else {"a", "count_exponent": b, "vocabulary_exponent": c, both with "…_ci95" (Student's, from
      the residuals: how far the points are from any such law), "r2": of the logarithms, "largest_error": the largest
      |fit / d* − 1|}}.
    """
    points = [point for point in points if point["n"] <= most_per_word * point["vocabulary"]]
    fit = {
        "count": count,
        "repeats": math.isinf(most_per_word),
        "num_points": len(points),
        "parameters": None,
    }
    design = np.array(
        [[1.0, math.log(point[count]), math.log(math.log(point["vocabulary"]))] for point in points]
    )
    freedom = len(points) - 3
    if freedom < 1 or np.linalg.matrix_rank(design) < 3:
        return fit
    target = np.log([point["dim"] for point in points])
    solution = np.linalg.lstsq(design, target, rcond=None)[0]
    residuals = target - design @ solution
    variances = np.diagonal(np.linalg.inv(design.T @ design)) * (residuals @ residuals) / freedom
    half = stats.t.isf((1 - _LEVEL) / 2, freedom) * np.sqrt(variances)
    intervals = np.stack([solution - half, solution + half], axis=1).tolist()
    fit["parameters"] = {
        "a": float(np.exp(solution[0])),
        "count_exponent": float(solution[1]),
        "count_exponent_ci95": intervals[1],
        "vocabulary_exponent": float(solution[2]),
        "vocabulary_exponent_ci95": intervals[2],
        "r2": float(1 - residuals @ residuals / np.sum((target - target.mean()) ** 2)),
        "largest_error": float(np.max(np.abs(np.expm1(-residuals)))),
    }
    return fit


def predict(fit: Mapping[str, Any], point: Mapping[str, Any]) -> float:
    """Returns what a fit with parameters says of d* at a point's V and count."""
    found = fit["parameters"]
    return float(
        found["a"]
        * point[fit["count"]] ** found["count_exponent"]
        * math.log(point["vocabulary"]) ** found["vocabulary_exponent"]
    )
