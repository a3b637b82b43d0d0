"""The same eight combiners on four tasks: which is best where, and is there one that is good everywhere?

python sweep.py --config=configs/sweeps/all_tasks.py
python sweep.py --config=configs/sweeps/all_tasks.py:fast                 two seeds, two rates, five epochs
python sweep.py --config=configs/sweeps/all_tasks.py:smoke                shows that it runs, judges nothing

docs/results/all_tasks holds its report.
"""

from collections.abc import Iterator
from typing import Any

import ml_collections

from configs import grid
from configs.sweeps import categorical_combiners, mnist_combiners, order_combiners, sentiment_combiners
from configs.sweeps.base import combiner_arms, make_combiner_sweep

COMBINERS = ("sum", "mean", "max", "product", "hybrid", "concat", "position_sum", "attention")
TASKS = {
    "sentiment": sentiment_combiners,
    "categorical": categorical_combiners,
    "mnist": mnist_combiners,
    "order": order_combiners,
}


def get_config(arg: str | None = None) -> ml_collections.ConfigDict:
    return make_combiner_sweep(
        "all_tasks", {name: task.make_experiment() for name, task in TASKS.items()}, arg
    )


def sweep(arg: str | None = None) -> Iterator[dict[str, Any]]:
    return grid.chain(*(combiner_arms(COMBINERS, arg, name) for name in TASKS))
