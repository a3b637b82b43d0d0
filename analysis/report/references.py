"""What was reached on the same test examples without a combiner."""

from .evidence import Experiment

# The error of whatever made the examples: no model that one could use instead.
_NO_MODEL = ("bayes_optimal",)
_WORDS = {"mean": "training mean"}  # not to be taken for the combiner


def references(experiment: Experiment) -> dict[str, float]:
    """Returns what needs no combiner, from the first arm that measured it: {name: test metric}."""
    found: dict[str, float] = {}
    for arm in experiment.arms:
        for name, splits in arm.results.get("references", {}).items():
            value = splits.get("test", {}).get(experiment.metric)
            if value is not None:
                found.setdefault(_WORDS.get(name, name), value)
    return found


def rivals(experiment: Experiment, reached: float) -> tuple[dict[str, float], dict[str, float]]:
    """Returns the models without a combiner that do as well as an arm.

    Args:
      experiment: with its references.
      reached: the arm's test metric.

    Returns:
      {name: test metric} of those that beat the arm, and of those that do not but lie within the margin; without what
      is no model, as the error of the noise that is in the data.
    """
    sign = 1 if experiment.higher_is_better else -1
    models = {name: value for name, value in references(experiment).items() if name not in _NO_MODEL}
    better = {name: value for name, value in models.items() if sign * (value - reached) > 0}
    close = {
        name: value
        for name, value in models.items()
        if name not in better and abs(value - reached) <= experiment.margin
    }
    return better, close
