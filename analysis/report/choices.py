"""What decides a report, and may be chosen anew: the metric, its margin, the arm of reference."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from data.nearest import nearest

from .evidence import Arm, Evidence, Experiment

ACCURACY_MARGIN = 0.005
RELATIVE_MARGIN = 0.01

_BY_DIRECTION = {"accuracy": True, "r2": True, "rmse": False, "mae": False, "loss": False}


def higher_is_better(metric: str) -> bool:
    """Returns the direction of a metric.

    Raises:
      ValueError: for an unknown metric, with the nearest one.
    """
    if metric not in _BY_DIRECTION:
        known = ", ".join(_BY_DIRECTION)
        raise ValueError(f"unknown metric {metric!r}{nearest(metric, _BY_DIRECTION)}; known are {known}")
    return _BY_DIRECTION[metric]


def choose_reference(labels: Sequence[str]) -> str:
    """Returns sum, or else the first label that begins with it, or else the first."""
    return next((label for label in sorted(labels, key=len) if label.split(",")[0] == "sum"), labels[0])


def default_margin(metric: str, arms: Sequence[Arm], reference: str) -> float:
    """Returns 0.005 for accuracy, and for other metrics 1% of the size of the reference's mean.

    Where every seed of the reference diverged, the arms' median takes its place.
    """
    if metric == "accuracy":
        return ACCURACY_MARGIN
    means = {arm.label: _mean(arm, metric) for arm in arms}
    known = [mean for mean in means.values() if np.isfinite(mean)]
    typical = means[reference] if np.isfinite(means[reference]) else np.median(known) if known else 0.0
    return RELATIVE_MARGIN * abs(float(typical))


def choose(
    evidence: Evidence,
    metric: str | None = None,
    margin: float | None = None,
    reference: str | None = None,
) -> Evidence:
    """Returns the evidence with another metric, margin or reference in every experiment.

    Args:
      evidence: as it was loaded.
      metric: that decides; its margin is the default one unless given too.
      margin: in the metric's unit.
      reference: label of an arm.

    Raises:
      ValueError: for a metric or reference that an experiment does not have, with the nearest one, and for one margin
        over experiments with different metrics.
    """
    experiments = tuple(_choose(experiment, metric, margin, reference) for experiment in evidence.experiments)
    metrics = sorted({experiment.metric for experiment in experiments})
    if margin is not None and len(metrics) > 1:
        raise ValueError(
            f"one margin of {margin:g} for experiments in different units ({', '.join(metrics)}); "
            "state it for each in the sweep's config"
        )
    return dataclasses.replace(evidence, experiments=experiments)


def _choose(
    experiment: Experiment, metric: str | None, margin: float | None, reference: str | None
) -> Experiment:
    arms = experiment.arms
    if reference is not None and reference not in (labels := [arm.label for arm in arms]):
        raise ValueError(
            f"experiment {experiment.name} has no arm {reference!r}{nearest(reference, labels)}; "
            f"it has {', '.join(labels)}"
        )
    reference = reference or experiment.reference
    if metric is not None and metric != experiment.metric:
        for arm in arms:
            if metric not in (known := arm.results["metrics"]["test"]):
                raise ValueError(
                    f"arm {arm.label} of {experiment.name} has no test {metric!r}{nearest(metric, known)}; "
                    f"it has {', '.join(known)}"
                )
        # What the test examples add to one metric's mean says nothing of another's.
        arms = tuple(dataclasses.replace(arm, items=None) for arm in arms)
        experiment = dataclasses.replace(
            experiment,
            metric=metric,
            higher_is_better=higher_is_better(metric),
            margin=default_margin(metric, arms, reference),
            arms=arms,
        )
    return dataclasses.replace(
        experiment, reference=reference, margin=experiment.margin if margin is None else margin
    )


def _mean(arm: Arm, metric: str) -> float:
    values = np.array(arm.results["metrics"]["test"][metric]["per_seed"], float)
    return float(np.mean(values[np.isfinite(values)])) if np.isfinite(values).any() else np.nan
