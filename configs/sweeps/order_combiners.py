"""Which combiner sees order? Ten of them on sentences of a grammar and their twins, tuned with the same budget.

python sweep.py --config=configs/sweeps/order_combiners.py
python sweep.py --config=configs/sweeps/order_combiners.py:fast                 two seeds, two rates, five epochs
python sweep.py --config=configs/sweeps/order_combiners.py:smoke                shows that it runs, judges nothing
python sweep.py --config=configs/sweeps/order_combiners.py --config.experiments.order.base.data.name=order_swaps
"""

from collections.abc import Iterator
from typing import Any

import ml_collections

from configs import order
from configs.sweeps.base import combiner_arms, get_experiment, make_combiner_sweep

COMBINERS = (
    "sum",
    "mean",
    "max",
    "product",
    "hybrid",
    "concat",
    "position_sum",
    "attention",
    "gru",
    "transformer",
)


def make_experiment() -> ml_collections.ConfigDict:
    return get_experiment(
        order.get_config("combiner=sum,data=order_grammar"),
        title="Order: which of two sentences of the same words?",
        question="Which combiner of a sentence's word embeddings, with one hidden layer on top, sees their order?",
        metric="accuracy",
        learning_rates=(2e-4, 1e-3, 5e-3, 2e-2),
        tuning_seeds=(100, 101, 102),
    )


def get_config(arg: str | None = None) -> ml_collections.ConfigDict:
    return make_combiner_sweep("order_combiners", {"order": make_experiment()}, arg)


def sweep(arg: str | None = None) -> Iterator[dict[str, Any]]:
    return combiner_arms(COMBINERS, arg)
