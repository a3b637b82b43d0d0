"""The fields of a sweep: experiments, each a base config with a grid to tune every arm on, and the report's settings.

An experiment is a question; its arms differ from its base in the fields that `sweep()` yields for them. Rates and
scales are chosen on validation, from the same grid and seeds for every arm; base.seeds are trained afresh with what was
chosen, and tested once.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import ml_collections
from ml_collections import config_dict

from configs import grid
from configs.arguments import parse_argument


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


# What stands behind the colon of every sweep's config: `fast` and `smoke` cut it down, `scales` tunes the initial scale
# of the embeddings, too, where it is that of the base otherwise.
ARGUMENTS: dict[str, Any] = {"smoke": False, "fast": False, "scales": False}
# Of a sweep over combiners besides: match=width+embed compares both modes, combiners=sum+gru+my_module:MyCombiner takes
# others than its own.
COMBINER_ARGUMENTS: dict[str, Any] = {"combiners": "", "match": "width", **ARGUMENTS}
SCALES = (0.3, 1.0, 3.0)  # times that of the base


def make_sweep(
    name: str,
    experiments: Mapping[str, ml_collections.ConfigDict],
    args: Mapping[str, Any],
    claims: Mapping[str, Any] | None = None,
) -> ml_collections.ConfigDict:
    """Returns the config of a sweep, cut down if its arguments ask for that.

    Args:
      name: of the sweep.
      experiments: name -> what `get_experiment` returns.
      args: parsed `ARGUMENTS`: 'fast' leaves the two middle rates, two seeds and five epochs; 'smoke' one epoch.
      claims: what is to be judged from the results; analysis/claims.py says how.
    """
    for experiment in experiments.values():
        if args["scales"]:
            scale = experiment.base.model.embedding_scale
            experiment.tuning.embedding_scales = tuple(factor * scale for factor in SCALES)
        if args["fast"] or args["smoke"]:
            _shorten(experiment, epochs=1 if args["smoke"] else 5)
    config = ml_collections.ConfigDict()
    config.name = name
    config.experiments = ml_collections.ConfigDict(dict(experiments), sort_keys=False)
    config.report = ml_collections.ConfigDict()
    # Differences up to here do not matter, in the metric's unit. None = 0.005 of accuracy, 1% of the reference's rmse
    config.report.margin = config_dict.placeholder(float)
    config.claims = ml_collections.ConfigDict(claims or {}, sort_keys=False)
    return config


def make_combiner_sweep(
    name: str, experiments: Mapping[str, ml_collections.ConfigDict], arg: str | None
) -> ml_collections.ConfigDict:
    """Returns the config of a sweep whose arms are those of `combiner_arms`."""
    args = parse_argument(arg, **COMBINER_ARGUMENTS)
    modes = args["match"].split("+")
    for experiment in experiments.values():
        if len(modes) > 1:  # the labels then say which
            experiment.reference += f" match={modes[0]}"
        experiment.base.model.match = modes[0]
    return make_sweep(name, experiments, args)


def combiner_arms(
    combiners: Sequence[str], arg: str | None, experiment: str | None = None
) -> Iterator[grid.Overrides]:
    """Yields an arm per combiner, and per match mode where the argument names several; smoke leaves three combiners.

    Args:
      combiners: names, unless the argument gives others.
      arg: of the config.
      experiment: that the arms belong to, where there are several.
    """
    args = parse_argument(arg, **COMBINER_ARGUMENTS)
    modes = args["match"].split("+")
    combiners = args["combiners"].split("+") if args["combiners"] else combiners
    arms: grid.Several = grid.over("model.combiner", *(combiners[:3] if args["smoke"] else combiners))
    if len(modes) > 1:
        arms = grid.product(arms, grid.over("model.match", *modes))
    return grid.product({"experiment": experiment} if experiment else {}, arms)


def _shorten(experiment: ml_collections.ConfigDict, epochs: int) -> None:
    """Leaves two seeds to tune with and two to test, of the rates the two in the middle, one scale, few epochs."""
    base, tuning = experiment.base, experiment.tuning
    tuning.seeds, base.seeds = tuple(tuning.seeds)[:2], tuple(base.seeds)[:2]
    base.train.epochs = min(base.train.epochs, epochs)
    middle = max(0, len(tuning.learning_rates) // 2 - 1)
    tuning.learning_rates = tuple(tuning.learning_rates)[middle : middle + 2]
    tuning.embedding_scales = tuple(tuning.embedding_scales)[:1]
