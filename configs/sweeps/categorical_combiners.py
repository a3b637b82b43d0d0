"""Which combiner for categorical features? Eight of them on film ratings, tuned on validation with the same budget.

python sweep.py --config=configs/sweeps/categorical_combiners.py
python sweep.py --config=configs/sweeps/categorical_combiners.py:fast                two seeds, two rates, five epochs
python sweep.py --config=configs/sweeps/categorical_combiners.py:smoke               shows that it runs, judges nothing
python sweep.py --config=configs/sweeps/categorical_combiners.py:match=width+embed   both side by side
"""

from collections.abc import Iterator
from typing import Any

import ml_collections

from configs import categorical
from configs.sweeps.base import combiner_arms, get_experiment, make_combiner_sweep

COMBINERS = ("sum", "mean", "max", "product", "hybrid", "concat", "position_sum", "attention")


def make_experiment() -> ml_collections.ConfigDict:
    base = categorical.get_config()
    base.optimizer.weight_decay = 0.05  # the same for all, chosen for none
    return get_experiment(
        base,
        title="Film ratings: user and film",
        question="Which combiner of a user's and a film's embedding, with a linear layer on top, predicts a rating?",
        metric="rmse",
        learning_rates=(0.01, 0.05, 0.25, 1.0),
        tuning_seeds=(100, 101, 102),
    )


def get_config(arg: str | None = None) -> ml_collections.ConfigDict:
    return make_combiner_sweep("categorical_combiners", {"categorical": make_experiment()}, arg)


def sweep(arg: str | None = None) -> Iterator[dict[str, Any]]:
    return combiner_arms(COMBINERS, arg)
