"""How much data does a combiner need? Film reviews: a part of the training examples by combiner.

python sweep.py --config=configs/sweeps/learning_curves.py
python sweep.py --config=configs/sweeps/learning_curves.py:fast                 two seeds, two rates, five epochs
python sweep.py --config=configs/sweeps/learning_curves.py:smoke                shows that it runs, judges nothing

A smaller part lies within a larger one. Every part is tuned by itself.
"""

from collections.abc import Iterator
from typing import Any

import ml_collections

from configs import grid
from configs.arguments import parse_argument
from configs.sweeps import sentiment_combiners
from configs.sweeps.base import ARGUMENTS, make_sweep

COMBINERS = ("sum", "mean", "max", "product", "concat", "attention")
FRACTIONS = (0.03, 0.1, 0.3, 1.0)


def get_config(arg: str | None = None) -> ml_collections.ConfigDict:
    experiment = sentiment_combiners.make_experiment()
    experiment.title = "Film reviews: accuracy by number of training examples"
    experiment.question = "Which combiner does best with few examples, and which with many?"
    experiment.reference = "sum train_fraction=1.0"
    experiment.tuning.seeds = (100, 101, 102)
    return make_sweep("learning_curves", {"sentiment": experiment}, arg)


def sweep(arg: str | None = None) -> Iterator[dict[str, Any]]:
    combiners = COMBINERS[:2] if parse_argument(arg, **ARGUMENTS)["smoke"] else COMBINERS
    return grid.product(
        grid.over("data.train_fraction", *FRACTIONS),
        grid.over("model.combiner", *combiners),
    )
