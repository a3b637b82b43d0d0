"""Do word vectors help a classifier of texts, how much where labels are few, and does it matter how words are combined?

python sweep.py --config=configs/sweeps/pretrained.py
python sweep.py --config=configs/sweeps/pretrained.py:vectors=glove.6B.100d.txt       a run of your own, or a file
python sweep.py --config=configs/sweeps/pretrained.py:fast                 two seeds, two rates, one scale, five epochs
python sweep.py --config=configs/sweeps/pretrained.py:smoke                shows that it runs, judges nothing

Film reviews, with 5%, 20% and all of the training examples, each part an experiment of its own. Embeddings of four
combiners start at random, or from the vectors and stay as they are (frozen), or from the vectors and are trained on
(tuned). The vectors were trained on other texts, without labels: configs/skip_gram.py.

What is equal for all arms: the width of 100, that of the vectors; the vocabulary, that of the training reviews and all
words of the vectors, so that a word that only test reviews hold has its vector; the grid of rates and scales, the seeds
and the weight decay. Words that no training review holds are not trained: their vectors stay as they are, neither moved
nor decayed. Without vectors they are zero, as if they were not there, where an unknown word would be noise.

The intervals are over the seeds of the classifier, from the same vectors: what other vectors, trained from other seeds,
would have brought, they do not say.
"""

from collections.abc import Iterator
from typing import Any

import ml_collections

from configs import sentiment
from configs.arguments import parse_argument
from configs.sweeps.base import ARGUMENTS, get_experiment, make_sweep

COMBINERS = ("sum", "mean", "max", "attention")
STARTS = ("random", "frozen", "tuned")
# The part of the training examples, and a batch that makes 16, 31 and 20 steps an epoch: each passes over the table.
PARTS = {
    "reviews_5_percent": (0.05, 32),
    "reviews_20_percent": (0.2, 64),
    "reviews_all": (1.0, 512),
}
_ARGUMENTS = {"vectors": "runs/skip_gram", **ARGUMENTS}


def _contrast(part: str, better: str, worse: str, relation: str, bound: float | str) -> dict[str, Any]:
    weights = {better: 1, worse: -1}
    return {
        "kind": "contrast",
        "experiment": part,
        "weights": weights,
        "relation": relation,
        "bound": bound,
        "relative_to": "",
    }


def _for_every_combiner(part: str, better: str, worse: str, relation: str, bound: float | str) -> list[Any]:
    return [_contrast(part, f"{c} {better}", f"{c} {worse}", relation, bound) for c in COMBINERS]


# Stated before the run, with nothing known but what a linear classifier makes of such reviews (README).
CLAIMS = {
    "vectors_help_where_labels_are_few": {
        "sentence": "With few labelled texts, embeddings that start from word vectors beat random ones.",
        "expected": "supported",
        "test": "5% of the film reviews: for every combiner, both frozen and tuned vectors beat a random start.",
        "checks": [
            *_for_every_combiner("reviews_5_percent", "frozen", "random", "above", 0.0),
            *_for_every_combiner("reviews_5_percent", "tuned", "random", "above", 0.0),
        ],
    },
    "labels_make_up_for_vectors": {
        "sentence": "With enough labelled texts, word vectors hardly matter any more.",
        "expected": "supported",
        "test": "For every combiner, tuned vectors lead a random start by more than 0.03 of accuracy with 5% of the "
        "film reviews, and by less than 0.02 with all of them.",
        "checks": [
            *_for_every_combiner("reviews_5_percent", "tuned", "random", "above", 0.03),
            *_for_every_combiner("reviews_all", "tuned", "random", "below", 0.02),
        ],
    },
    "tuning_needs_labels": {
        "sentence": "Few labels: leave the vectors as they are. Many: train them on.",
        "expected": "supported",
        "test": "For every combiner, tuned vectors beat frozen ones by more than the margin with all film reviews, and "
        "with 5% of them frozen ones are not worse than tuned ones by more than the margin.",
        "checks": [
            *_for_every_combiner("reviews_all", "tuned", "frozen", "above", "margin"),
            *_for_every_combiner("reviews_5_percent", "frozen", "tuned", "above", "-margin"),
        ],
    },
}


def get_config(arg: str | None = None) -> ml_collections.ConfigDict:
    args = parse_argument(arg, **_ARGUMENTS)
    experiments = {}
    for name, (part, batch_size) in PARTS.items():
        base = sentiment.get_config()
        base.data.train_fraction = part
        base.data.extra_vocabulary = args["vectors"]
        base.model.dim = 100
        base.optimizer.weight_decay = sentiment.UNTUNED[2]  # the same for all, chosen for none
        base.train.batch_size = batch_size
        base.train.patience = 5
        experiments[name] = get_experiment(
            base,
            title=f"Film reviews: {part:.0%} of the training examples",
            question="How should embeddings start, and be combined, with that many examples?",
            metric="accuracy",
            learning_rates=(1e-3, 1e-2),
            embedding_scales=(0.03, 1.0),
            tuning_seeds=(100, 101),
            reference="sum random",
        )
    return make_sweep("pretrained", experiments, args, None if args["smoke"] else CLAIMS)


def sweep(arg: str | None = None) -> Iterator[dict[str, Any]]:
    args = parse_argument(arg, **_ARGUMENTS)
    starts = {
        "random": {},
        "frozen": {"model.pretrained": args["vectors"], "model.pretrained_mode": "frozen"},
        "tuned": {"model.pretrained": args["vectors"], "model.pretrained_mode": "tuned"},
    }
    combiners = COMBINERS[:1] if args["smoke"] else COMBINERS
    for part in PARTS:
        for combiner in combiners:
            for start in STARTS:
                label = f"{combiner} {start}"
                yield {"experiment": part, "label": label, "model.combiner": combiner, **starts[start]}
