"""Folds a trained run whose combiner is linear in every slot (concat, position_sum, …) into one whose combiner is sum.

python analyze.py --config=configs/fold.py --config.workdir=runs/sentiment_concat
python eval.py --workdir=runs/sentiment_concat-folded                               the same numbers

The new run predicts the same, without the first dense layer; folding.md in its folder says how much faster.
"""

import ml_collections

from configs.arguments import parse_argument


def get_config(arg: str | None = None) -> ml_collections.ConfigDict:
    args = parse_argument(arg, smoke=False)
    config = ml_collections.ConfigDict()
    config.analysis = "fold"
    config.workdir = ""  # of the finished run
    config.output = ""  # workdir of the new one; '' = <workdir>-folded
    config.batch = 1024  # examples per call when the speed is measured
    config.rounds = 3 if args["smoke"] else 15  # of that measurement, both models in each
    config.max_bytes = 2**31  # of the new parameters of one seed
    return config
