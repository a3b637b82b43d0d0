"""Images cut into parts: MNIST with any combiner and three networks; configs/base.py has the fields of all tasks.

python train.py --config=configs/mnist.py:combiner=concat
python train.py --config=configs/mnist.py:combiner=sum,network=1024-512-256-10
python train.py --config=configs/mnist.py:combiner=sqrtn,smoke    two seeds, two epochs
"""

import ml_collections

from configs.arguments import parse_argument
from configs.base import get_base

# Learning rate, initial scale of the weights and weight decay that did best on validation. sum: some twenty trials of
# ten epochs over rates, schedules, scales, decays and dropout. The others: rates 2e-3, 4e-3 and 8e-3 for four epochs at
# the scale and decay of sum, one seed; position_sum 2e-3 alone.
TUNED = {
    "sum": (4e-3, 0.06, 0.1),
    "mean": (8e-3, 0.06, 0.1),
    "concat": (8e-3, 0.06, 0.1),
    "product": (4e-3, 0.06, 0.1),
    "hybrid": (4e-3, 0.06, 0.1),
    "attention": (8e-3, 0.06, 0.1),
    "position_sum": (2e-3, 0.06, 0.1),
}
UNTUNED = (2e-3, 0.06, 0.1)  # where all others start, and your own

# What 1024 pixels pass through: the width that parts are combined to, and the dense layers on top.
NETWORKS = {"1024-10": (10, ()), "1024-512-10": (512, ()), "1024-512-256-10": (512, (256,))}


def get_config(arg: str | None = None) -> ml_collections.ConfigDict:
    args = parse_argument(arg, combiner="sum", network="1024-512-10", smoke=False)
    if args["network"] not in NETWORKS:
        raise ValueError(f"network must be one of {', '.join(NETWORKS)}, got {args['network']!r}")
    learning_rate, embedding_scale, weight_decay = TUNED.get(args["combiner"], UNTUNED)
    config = get_base("mnist", args["combiner"])

    config.data.name = (
        "mnist"  # or tfds:mnist, tfds:fashion_mnist, …; your own in data.path: .npz, or a folder of PNG
    )

    model = config.model
    model.parts = "16x16"  # or rows, 4x4, 8x8
    model.shared_embedding = False  # True: one embedding for all parts, a bag of patches
    model.dim, model.hidden = NETWORKS[args["network"]]
    model.head = args["network"] != "1024-10"  # False: the combined vector and a bias are the logits
    model.embedding_scale = embedding_scale

    config.optimizer.learning_rate = learning_rate
    config.optimizer.schedule = "linear"
    config.optimizer.weight_decay = weight_decay

    config.train.monitor = "accuracy"
    config.train.epochs = 10

    if args["smoke"]:
        config.seeds = (0, 1)
        config.train.epochs = 2
    return config
