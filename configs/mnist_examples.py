"""Accuracy on MNIST against the number of training examples, for three networks: ten examples per weight?

python analyze.py --config=configs/mnist_examples.py
python analyze.py --config=configs/mnist_examples.py:smoke    one seed, two points, few epochs: shows that it runs
"""

import ml_collections

from configs import mnist
from configs.arguments import parse_argument

# Fraction of the 55,000 training images, and epochs: fewer images make fewer steps an epoch.
POINTS = ((0.005, 100), (0.02, 60), (0.1, 30), (0.3, 20), (1.0, 10))


def get_config(arg: str | None = None) -> ml_collections.ConfigDict:
    args = parse_argument(arg, smoke=False)
    config = ml_collections.ConfigDict()
    config.analysis = "learning_curve"
    config.output = "runs/mnist_examples/mnist_examples"  # .json, .md and .png
    config.runs = "runs/mnist_examples"  # a folder per arm and point; finished ones are reused
    config.title = "MNIST: accuracy against the number of training examples"
    config.metric = "test/accuracy"
    config.arms = ml_collections.ConfigDict()
    for network in mnist.NETWORKS:
        arm = config.arms[network] = mnist.get_config(f"combiner=sum,network={network}")
        arm.seeds = (0, 1, 2)
        arm.train.patience = 1000  # all epochs: with a few hundred images, an epoch is a few steps
    config.points = tuple(
        {"data.train_fraction": fraction, "train.epochs": epochs} for fraction, epochs in POINTS
    )
    if args["smoke"]:
        config.output = "runs/mnist_examples_smoke/mnist_examples"
        config.runs = "runs/mnist_examples_smoke"
        for arm in config.arms.values():
            arm.seeds = (0,)
        config.points = (
            {"data.train_fraction": 0.005, "train.epochs": 3},
            {"data.train_fraction": 0.02, "train.epochs": 2},
        )
    return config
