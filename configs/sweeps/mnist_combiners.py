"""Which combiner for the parts of an image? Eight of them on a tenth of MNIST, tuned with the same budget.

python sweep.py --config=configs/sweeps/mnist_combiners.py
python sweep.py --config=configs/sweeps/mnist_combiners.py --config.experiments.mnist.base.data.train_fraction=1.0
python sweep.py --config=configs/sweeps/mnist_combiners.py:fast                 two seeds, two rates, five epochs
python sweep.py --config=configs/sweeps/mnist_combiners.py:smoke                shows that it runs, judges nothing

All of MNIST takes ten times as long, and its combiners lie closer together: 0.981 to 0.985 in the README's table.
"""

from collections.abc import Iterator
from typing import Any

import ml_collections

from configs import mnist
from configs.sweeps.base import combiner_arms, get_experiment, make_combiner_sweep

COMBINERS = ("sum", "mean", "max", "product", "hybrid", "concat", "position_sum", "attention")


def make_experiment() -> ml_collections.ConfigDict:
    base = mnist.get_config()
    base.data.train_fraction = 0.1
    return get_experiment(
        base,
        title="A tenth of MNIST: four parts of an image",
        question="Which combiner of four mapped parts of a digit, in a network 1024-512-10, tells digits apart?",
        metric="accuracy",
        learning_rates=(2e-3, 8e-3, 3e-2, 1e-1),
        tuning_seeds=(100, 101, 102),
    )


def get_config(arg: str | None = None) -> ml_collections.ConfigDict:
    return make_combiner_sweep("mnist_combiners", {"mnist": make_experiment()}, arg)


def sweep(arg: str | None = None) -> Iterator[dict[str, Any]]:
    return combiner_arms(COMBINERS, arg)
