"""Which combiner for a bag of words? Ten of them on film reviews, each tuned on validation with the same budget.

python sweep.py --config=configs/sweeps/sentiment_combiners.py
python sweep.py --config=configs/sweeps/sentiment_combiners.py:fast                  two seeds, two rates, five epochs
python sweep.py --config=configs/sweeps/sentiment_combiners.py:smoke                 shows that it runs, judges nothing
python sweep.py --config=configs/sweeps/sentiment_combiners.py:match=width+embed     both side by side
"""

from collections.abc import Iterator
from typing import Any

import ml_collections

from configs import sentiment
from configs.sweeps.base import combiner_arms, get_experiment, make_combiner_sweep

COMBINERS = (
    "sum",
    "mean",
    "sqrtn",
    "max",
    "product",
    "hybrid",
    "concat",
    "padded_sum",
    "position_sum",
    "attention",
)


def make_experiment(batch_size: int = 256) -> ml_collections.ConfigDict:
    """Returns the experiment.

    Args:
      batch_size: twice that of train.py, because every step passes over the whole table, whatever the batch. Of a
        tenth of the reviews it would leave too few steps.
    """
    base = sentiment.get_config()
    base.optimizer.weight_decay = sentiment.UNTUNED[2]  # the same for all, chosen for none
    base.train.batch_size = batch_size
    return get_experiment(
        base,
        title="Film reviews: words of a sentence",
        question="Which combiner of a bag's word embeddings, with a linear layer on top, tells good reviews from bad?",
        metric="accuracy",
        learning_rates=(1e-4, 5e-4, 2e-3, 1e-2),
    )


def get_config(arg: str | None = None) -> ml_collections.ConfigDict:
    return make_combiner_sweep("sentiment_combiners", {"sentiment": make_experiment()}, arg)


def sweep(arg: str | None = None) -> Iterator[dict[str, Any]]:
    return combiner_arms(COMBINERS, arg)
