"""The fields of a sweep: experiments, each a base config with a grid to tune every arm on, and the report's settings.

An experiment is a question; its arms differ from its base in the fields that `sweep()` yields for them. Rates and
scales are chosen on validation, from the same grid and seeds for every arm; base.seeds are trained afresh with what was
chosen, and tested once.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import ml_collections
from ml_collections import config_dict


def get_sweep(
    name: str, experiments: Mapping[str, ml_collections.ConfigDict], claims: Mapping[str, Any] | None = None
) -> ml_collections.ConfigDict:
    """Returns the config of a sweep.

    Args:
      name: of the sweep.
      experiments: name -> what `get_experiment` returns.
      claims: what is to be judged from the results; analysis/claims.py says how.
    """
    config = ml_collections.ConfigDict()
    config.name = name
    config.experiments = ml_collections.ConfigDict(dict(experiments))
    config.report = ml_collections.ConfigDict()
    # Differences up to here do not matter, in the unit of the metric. None = 0.005 of accuracy, 1% of the reference's rmse
    config.report.margin = config_dict.placeholder(float)
    config.claims = ml_collections.ConfigDict(claims or {})
    return config


def get_experiment(
    base: ml_collections.ConfigDict,
    *,
    title: str,
    question: str,
    metric: str,
    learning_rates: Sequence[float],
    embedding_scales: Sequence[float] = (),
    tuning_seeds: Sequence[int] = (100, 101, 102, 103, 104),
    reference: str = "sum",
) -> ml_collections.ConfigDict:
    """Returns an experiment.

    Args:
      base: what train.py runs; its rate and scale are chosen anew for every arm.
      title: for readers.
      question: what is asked, in a sentence.
      metric: of the test split, that decides: accuracy or rmse.
      learning_rates: the grid.
      embedding_scales: likewise; () = that of the base.
      tuning_seeds: others than base.seeds, so that the choice is not made by those that are reported.
      reference: the label of the arm that others are compared with.
    """
    experiment = ml_collections.ConfigDict()
    experiment.title, experiment.question, experiment.metric = title, question, metric
    experiment.reference = reference
    experiment.margin = config_dict.placeholder(float)  # None = report.margin
    experiment.tuning = ml_collections.ConfigDict()
    experiment.tuning.learning_rates = tuple(learning_rates)
    experiment.tuning.embedding_scales = tuple(embedding_scales)
    experiment.tuning.seeds = tuple(tuning_seeds)
    experiment.base = base
    return experiment


def shorten(experiment: ml_collections.ConfigDict, seeds: int, epochs: int, num_rates: int) -> None:
    """Cuts an experiment down: so many seeds to tune with and to test, epochs at most, and of the rates the middle."""
    base, tuning = experiment.base, experiment.tuning
    tuning.seeds = tuple(tuning.seeds)[:seeds]
    base.seeds = tuple(base.seeds)[:seeds]
    base.train.epochs = min(base.train.epochs, epochs)
    rates = tuple(tuning.learning_rates)
    first = (len(rates) - num_rates + 1) // 2 if num_rates < len(rates) else 0
    tuning.learning_rates = rates[first : first + num_rates]
    tuning.embedding_scales = tuple(tuning.embedding_scales)[:1]
