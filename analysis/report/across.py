"""Arms across experiments: oriented and normalised scores, mean ranks, Friedman's and Nemenyi's tests."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import pandas as pd
import scikit_posthocs
from jaxtyping import Float
from scipy import stats

from .evidence import Experiment
from .statistics import interquartile_mean


@dataclasses.dataclass(frozen=True)
class Across:
    """What arms do on several experiments.

    Attributes:
      labels: of the arms that every experiment has a result of, in the first one's order.
      experiments: their names.
      scores: 1 for the best of these arms in an experiment, 0 for the worst, linear between; where all lie within the
        margin, 1 minus the gap to the best in margins, so that noise is not blown up. NaN where a seed diverged.
      mean_ranks: of every arm over experiments, 1 is best; ties share the mean of their ranks, and an arm with a
        diverged seed ranks last.
      interquartile_means: of every arm's scores (`statistics.interquartile_mean`).
      friedman_p: of all arms being alike (Friedman 1937; scipy.stats.friedmanchisquare, by its χ² approximation, which
        is rough for fewer than about ten experiments). 1 where all ranks are equal.
      nemenyi: p of every pair of labels (Nemenyi 1963; Demšar 2006, Statistical Comparisons of Classifiers over
        Multiple Data Sets; scikit_posthocs.posthoc_nemenyi_friedman); None where all ranks are equal.
    """

    labels: tuple[str, ...]
    experiments: tuple[str, ...]
    scores: Float[np.ndarray, "labels experiments"]
    mean_ranks: Float[np.ndarray, " labels"]
    interquartile_means: Float[np.ndarray, " labels"]
    friedman_p: float
    nemenyi: pd.DataFrame | None


def across(experiments: Sequence[Experiment]) -> Across | None:
    """Compares the arms that all experiments share; None with fewer than two experiments or three such arms."""
    if len(experiments) < 2:
        return None
    labels = tuple(
        arm.label
        for arm in experiments[0].arms
        if all(arm.label in {other.label for other in experiment.arms} for experiment in experiments)
    )
    if len(labels) < 3:
        return None
    oriented = np.stack([_oriented(experiment, labels) for experiment in experiments], axis=1)
    scores = np.stack(
        [_normalised(column, e.margin) for column, e in zip(oriented.T, experiments, strict=True)], axis=1
    )
    worst_last = np.where(np.isnan(oriented), -np.inf, oriented)
    ranks = stats.rankdata(-worst_last, axis=0)
    friedman_p, nemenyi = 1.0, None
    if np.ptp(ranks, axis=0).any():
        friedman_p = float(stats.friedmanchisquare(*ranks).pvalue)
        table = pd.DataFrame(ranks.T, columns=list(labels))
        nemenyi = scikit_posthocs.posthoc_nemenyi_friedman(table)
    return Across(
        labels=labels,
        experiments=tuple(experiment.name for experiment in experiments),
        scores=scores,
        mean_ranks=ranks.mean(axis=1),
        interquartile_means=np.array([interquartile_mean(row) for row in scores]),
        friedman_p=friedman_p,
        nemenyi=nemenyi,
    )


def _oriented(experiment: Experiment, labels: Sequence[str]) -> Float[np.ndarray, " labels"]:
    """Returns each arm's mean, turned so that more is better; NaN where a seed diverged."""
    per_seed = experiment.per_seed()
    sign = 1 if experiment.higher_is_better else -1
    return np.array([sign * float(per_seed[label].mean()) for label in labels])


def _normalised(values: Float[np.ndarray, " labels"], margin: float) -> Float[np.ndarray, " labels"]:
    if np.isnan(values).all():
        return values
    gap = np.nanmax(values) - values
    scale = max(float(np.nanmax(gap)), margin)
    return 1 - gap / scale if scale > 0 else 1 - gap
