"""Features of a table -> a number: the task with any combiner; configs/base.py has the fields that all tasks share.

python train.py --config=configs/categorical.py:combiner=product
python train.py --config=configs/categorical.py:data=diamonds
python train.py --config=configs/categorical.py:data=xor,combiner=sum       a control: the sum is to fail here
python train.py --config=configs/categorical.py:smoke                       two seeds, two epochs
python train.py --config=configs/categorical.py:data=own --config.data.path=my.csv --config.data.target=price \
    --config.data.categorical=cut,color --config.data.numeric=carat
"""

from typing import Any

import ml_collections

from configs.arguments import parse_argument
from configs.base import get_base
from data.nearest import nearest

# Learning rate, initial embedding scale and weight decay that did best on the validation rows of movielens_small, of
# the same eight trials for each of these, seed 0: rates 0.1, 0.3 by decays 0.02, 0.05, 0.1; then scales 0.03 and 0.3 at
# the best of them, which made no difference.
TUNED = {
    "sum": (0.1, 0.1, 0.1),
    "mean": (0.1, 0.1, 0.05),
    "concat": (0.1, 0.1, 0.1),
    "product": (0.3, 0.1, 0.02),
    "hybrid": (0.3, 0.1, 0.02),
    "attention": (0.1, 0.1, 0.05),
    "position_sum": (0.1, 0.1, 0.1),
}
# With so large an epsilon Adam steps in proportion to the gradient where that is small, as it is for a film that few
# have rated: weight decay then shrinks its embedding as ridge regression would. It suits these seven; where all
# gradients start small, as with mutan, nothing would move.
TUNED_EPSILON = 1e-2
UNTUNED = (1e-3, 0.1, 1.0)  # where all others start, with Adam's own epsilon

# What `data=` stands for, where it differs from the fields below.
_TABLE = {
    "model.dim": 32,
    "optimizer.learning_rate": 3e-3,
    "optimizer.schedule": "cosine",
    "optimizer.weight_decay": 0.01,
    "train.epochs": 10,
    "train.patience": 10,
    "train.batch_size": 256,
}
_CONTROL = {
    "data.name": "synthetic_interactions",
    "model.dim": 16,
    "optimizer.learning_rate": 1e-2,
    "optimizer.schedule": "cosine",
    "optimizer.weight_decay": 0.0,
    "train.epochs": 40,
    "train.patience": 40,
    "train.batch_size": 256,
}
DATA: dict[str, dict[str, Any]] = {
    "movielens_small": {
        "model.dim": 32,
        "optimizer.schedule": "cosine",
        "train.epochs": 15,
        "train.patience": 15,
        "train.batch_size": 256,
    },
    "diamonds": {
        **_TABLE,
        "data.name": "diamonds",
        "model.numeric": "embedded",
        "train.epochs": 30,
        "train.patience": 30,
    },
    "flights": {**_TABLE, "data.name": "flights", "train.batch_size": 512},
    "own": {**_TABLE, "data.name": "", "model.numeric": "embedded"},  # data.path, and which columns are what
    "additive": {**_CONTROL, "data.synthetic.kind": "additive"},
    "product": {**_CONTROL, "data.synthetic.kind": "product"},
    "max": {**_CONTROL, "data.synthetic.kind": "max"},
    "count": {**_CONTROL, "data.synthetic.kind": "count"},
    "xor": {**_CONTROL, "data.synthetic.kind": "xor"},
    # Of two features u and v, hybrid is u + v + u∘v, the very target; of three it has pairs besides, to be cancelled.
    "mixed": {**_CONTROL, "data.synthetic.kind": "mixed", "data.synthetic.num_features": 2},
    "measured": {**_CONTROL, "data.name": "synthetic_measured"},
    "scalars": {**_CONTROL, "data.name": "synthetic_scalars"},
}
# Controls that combine something else than the embeddings of several features: combiner= is then about that.
_COMBINES = {"count": "bag_combiner", "measured": "numeric_combiner", "scalars": "numeric_combiner"}


def get_config(arg: str | None = None) -> ml_collections.ConfigDict:
    args = parse_argument(arg, combiner="sum", data="movielens_small", smoke=False)
    chosen = args["data"]
    if chosen not in DATA:
        raise ValueError(
            f"unknown config argument data={chosen!r}{nearest(chosen, DATA)}; known are {', '.join(DATA)}"
        )
    learning_rate, embedding_scale, weight_decay = TUNED.get(args["combiner"], UNTUNED)
    config = get_base("categorical", args["combiner"])

    data = config.data
    data.name = "movielens_small"  # or diamonds, flights, tfds:NAME, a control of data/synthetic.py
    data.target = ""  # the column to predict; here and below '' = as the dataset suggests, 'none' = none
    data.target_type = "auto"  # a number; or class
    data.target_transform = ""  # or log
    data.categorical = ""  # columns of one category a cell, as 'cut,color'
    data.multi_valued = ""  # columns of several a cell, as 'genres'
    data.numeric = ""  # columns of numbers
    data.vectors = ""  # which numbers are one measured vector, as 'a_0,a_1;b_0,b_1'; others stand alone
    data.id_column = ""  # names the rows of a predictions file; '' = the row number
    data.value_separator = "|"  # between the categories of a cell, where it is no JSON list
    data.min_count = 1  # rarer categories of the training split are unseen
    data.num_bins = 16  # of a number: by quantiles, at most

    synthetic = data.synthetic = ml_collections.ConfigDict()  # data/synthetic.py has the formulas
    synthetic.kind = "additive"  # or product, max, count, xor, mixed: of synthetic_interactions
    synthetic.num_features = 3  # categorical features, measured vectors or scalars
    synthetic.num_values = 20  # of a feature, or kinds of items in a bag
    synthetic.effect_dim = 4  # of hidden effect vectors and of measured ones
    synthetic.num_train = 40_000
    synthetic.num_validation = 2_000
    synthetic.num_test = 4_000
    synthetic.noise = 0.1  # standard deviation; that of the noise-free target is 1
    synthetic.bag_length = 16  # of the longest bag
    synthetic.seed = 0  # of effects, rows and noise

    model = config.model
    model.embedding_scale = embedding_scale
    model.bag_combiner = "mean"  # of a multi-valued cell's embeddings
    model.bag_combiner_options = ml_collections.ConfigDict()
    model.numeric = (
        "raw"  # numbers beside the combined vector; or linear, embedded, binned: combined with the others
    )
    model.numeric_combiner = "concat"  # of raw measured vectors; 'sum' adds up what should not be
    model.numeric_combiner_options = ml_collections.ConfigDict()

    config.optimizer.learning_rate = learning_rate
    config.optimizer.weight_decay = weight_decay
    if chosen == "movielens_small" and args["combiner"] in TUNED:
        config.optimizer.options.eps = TUNED_EPSILON

    config.update_from_flattened_dict(DATA[chosen])
    if chosen in _COMBINES:
        model[_COMBINES[chosen]] = args["combiner"]
    if args["smoke"]:
        config.seeds = (0, 1)
        config.train.epochs = 2
    return config
