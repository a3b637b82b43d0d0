"""Which combiner for a bag of words? Ten of them on film reviews, each tuned on validation with the same budget.

python sweep.py --config=configs/sweeps/sentiment_combiners.py
python sweep.py --config=configs/sweeps/sentiment_combiners.py:fast                  three seeds, two rates, ten epochs
python sweep.py --config=configs/sweeps/sentiment_combiners.py:smoke                 shows that it runs, judges nothing
python sweep.py --config=configs/sweeps/sentiment_combiners.py:match=width+embed     both side by side
"""

from collections.abc import Iterator
from typing import Any

import ml_collections

from configs import grid, sentiment
from configs.arguments import parse_argument
from configs.sweeps.base import get_experiment, get_sweep, shorten

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
ARGUMENTS: dict[str, Any] = {"match": "width", "smoke": False, "fast": False}


def make_experiment() -> ml_collections.ConfigDict:
    base = sentiment.get_config()
    base.optimizer.weight_decay = sentiment.UNTUNED[2]  # the same for all, chosen for none
    return get_experiment(
        base,
        title="Film reviews: words of a sentence",
        question="Which combiner of a bag's word embeddings, with a linear layer on top, tells good reviews from bad?",
        metric="accuracy",
        learning_rates=(3e-4, 1e-3, 3e-3, 1e-2),
    )


def get_config(arg: str | None = None) -> ml_collections.ConfigDict:
    args = parse_argument(arg, **ARGUMENTS)
    experiment = make_experiment()
    if args["fast"]:
        shorten(experiment, seeds=3, epochs=10, num_rates=2)
    if args["smoke"]:
        shorten(experiment, seeds=2, epochs=1, num_rates=2)
    return get_sweep("sentiment_combiners", {"sentiment": experiment})


def sweep(arg: str | None = None) -> Iterator[dict[str, Any]]:
    args = parse_argument(arg, **ARGUMENTS)
    modes = args["match"].split("+")
    combiners = COMBINERS[:3] if args["smoke"] else COMBINERS
    if modes == ["width"]:
        return iter(grid.over("model.combiner", *combiners))
    return grid.product(grid.over("model.combiner", *combiners), grid.over("model.match", *modes))
