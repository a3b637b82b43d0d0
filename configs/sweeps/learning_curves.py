"""How much data does a combiner need? Film reviews: six combiners with 3%, 10%, 30% and all of the training examples.

python sweep.py --config=configs/sweeps/learning_curves.py
python sweep.py --config=configs/sweeps/learning_curves.py:fast                 two seeds, two rates, five epochs
python sweep.py --config=configs/sweeps/learning_curves.py:smoke                shows that it runs, judges nothing

Every part of the data is an experiment of its own, with its own tuning and decision. A smaller part lies within a
larger one.
"""

from collections.abc import Iterator
from typing import Any

import ml_collections

from configs import grid
from configs.arguments import parse_argument
from configs.sweeps import sentiment_combiners
from configs.sweeps.base import ARGUMENTS, make_sweep

COMBINERS = ("sum", "mean", "max", "product", "concat", "attention")
FRACTIONS = {
    "reviews_3_percent": 0.03,
    "reviews_10_percent": 0.1,
    "reviews_30_percent": 0.3,
    "reviews_all": 1.0,
}


def get_config(arg: str | None = None) -> ml_collections.ConfigDict:
    experiments = {}
    for name, fraction in FRACTIONS.items():
        experiment = experiments[name] = sentiment_combiners.make_experiment(batch_size=128)
        experiment.title = f"Film reviews: {fraction:.0%} of the training examples"
        experiment.question = "Which combiner does best with that many examples?"
        experiment.base.data.train_fraction = fraction
        experiment.tuning.seeds = (100, 101, 102)
    return make_sweep("learning_curves", experiments, parse_argument(arg, **ARGUMENTS))


def sweep(arg: str | None = None) -> Iterator[dict[str, Any]]:
    combiners = COMBINERS[:2] if parse_argument(arg, **ARGUMENTS)["smoke"] else COMBINERS
    return grid.product(grid.over("experiment", *FRACTIONS), grid.over("model.combiner", *combiners))
