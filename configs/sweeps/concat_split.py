"""How should 32 dimensions be divided between user and film in a concatenation, and what does a sum of 32 do?

python sweep.py --config=configs/sweeps/concat_split.py
python sweep.py --config=configs/sweeps/concat_split.py:fast                 two seeds, two rates, five epochs
python sweep.py --config=configs/sweeps/concat_split.py:smoke                shows that it runs, judges nothing
"""

from collections.abc import Iterator
from typing import Any

import ml_collections

from configs import grid
from configs.arguments import parse_argument
from configs.sweeps import categorical_combiners
from configs.sweeps.base import ARGUMENTS, make_sweep

DIM = 32  # that of the ratings' base config
USER_WIDTHS = (1, 2, 4, 8, 16, 24, 28, 30, 31)


def get_config(arg: str | None = None) -> ml_collections.ConfigDict:
    return make_sweep("concat_split", {"split": make_experiment()}, parse_argument(arg, **ARGUMENTS))


def make_experiment() -> ml_collections.ConfigDict:
    experiment = categorical_combiners.make_experiment()
    experiment.title = "Film ratings: a concatenation's widths"
    experiment.question = (
        f"Does it matter how {DIM} dimensions are divided between user and film, and does a sum of {DIM} lose to the "
        "best division?"
    )
    # Below a linear layer every part comes down to one number, however wide it is: no division could cost anything.
    experiment.base.model.hidden = (64,)
    experiment.tuning.learning_rates = (0.003, 0.01, 0.05, 0.25)
    return experiment


def split_arms(widths: tuple[int, ...]) -> Iterator[grid.Overrides]:
    """Yields a concatenation for every width of the user's part."""
    for width in widths:
        yield {
            "label": f"concat {width}+{DIM - width}",
            "model.combiner": "concat",
            "model.widths": (width, DIM - width),
        }


def sweep(arg: str | None = None) -> Iterator[dict[str, Any]]:
    widths = USER_WIDTHS[::4] if parse_argument(arg, **ARGUMENTS)["smoke"] else USER_WIDTHS
    return grid.chain({"model.combiner": "sum"}, split_arms(widths))
