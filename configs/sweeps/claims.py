"""What people say about combining vectors, as experiments: each claim with the test that was stated before its run.

python sweep.py --config=configs/sweeps/claims.py                 trains, and writes claims.md into the sweep's folder
python report.py runs/sweeps/claims --claims=docs/claims.md        what is published here
python sweep.py --config=configs/sweeps/claims.py:smoke           shows that it runs, judges nothing

A claim is supported, refuted or undecided by its checks; analysis/claims.py says how they are judged. Tests and what is
expected of them were written down before these trials were run, by people who knew the README's tables.
"""

from collections.abc import Iterator
from typing import Any

import ml_collections

from configs import categorical, grid
from configs.arguments import parse_argument
from configs.sweeps import (
    categorical_combiners,
    concat_split,
    mnist_combiners,
    order_combiners,
    sentiment_combiners,
)
from configs.sweeps.base import ARGUMENTS, get_experiment, make_sweep

TUNING_SEEDS = (100, 101, 102)
NEAR_BAYES = 1.03  # times the error of the noise-free target, which nothing can beat but by luck
EXAMPLES_PER_WEIGHT = 10
# Of the controls' models: three tables of twenty values, padding and unseen, sixteen wide, and a linear head.
NUM_WEIGHTS = {"additive": 1_073, "product": 1_073}


def _contrast(
    experiment: str, weights: dict[str, float], relation: str, bound: float | str, relative_to: str = ""
) -> Any:
    return {
        "kind": "contrast",
        "experiment": experiment,
        "weights": weights,
        "relation": relation,
        "bound": bound,
        "relative_to": relative_to,
    }


def _beats(experiment: str, better: str, worse: str, by: float | str = 0.0) -> Any:
    return _contrast(experiment, {better: 1, worse: -1}, "above", by)


def _alike(experiment: str, one: str, other: str) -> Any:
    return _contrast(experiment, {one: 1, other: -1}, "within", "margin")


def _reaches_bayes(experiment: str, arm: str) -> Any:
    return _contrast(experiment, {arm: 1}, "below", NEAR_BAYES, relative_to="bayes_optimal")


def _claim(sentence: str, expected: str, test: str, *checks: Any) -> Any:
    return {"sentence": sentence, "expected": expected, "test": test, "checks": checks}


CLAIMS = {
    "sum_for_concat": _claim(
        "With free embeddings followed by a linear map, a sum does what a concatenation does.",
        "supported",
        "Film ratings, linear head: the sum (width 32) lies within the margin of a concatenation of two parts of 16 "
        "and of one of two parts of 32; and W[u; v] = W_u u + W_v v to rounding, through the combiners themselves.",
        _alike("ratings", "sum", "concat"),
        _alike("ratings", "sum", "concat match=embed"),
        {"kind": "identity", "name": "concat_is_sum"},
    ),
    "split_costs": _claim(
        "Choosing k against d − k dimensions in a concatenation costs accuracy that a sum does not risk.",
        "supported",
        "Film ratings, one hidden layer of 64: dividing 32 dimensions 1 to 31 and 31 to 1 both lose to 16 to 16 by "
        "more than the margin, and the sum is not worse than 16 to 16 by more than the margin.",
        _beats("widths", "concat 16+16", "concat 1+31", by="margin"),
        _beats("widths", "concat 16+16", "concat 31+1", by="margin"),
        _beats("widths", "sum", "concat 16+16", by="-margin"),
    ),
    "concat_needs_data": _claim(
        "A concatenation needs more data than a sum to learn a target that hardly depends on order.",
        "supported",
        "Film reviews, embeddings of width 64 for both: the sum's lead over the concatenation is greater with a tenth "
        "of the training examples than with all.",
        _contrast(
            "few_reviews",
            {"sum, tenth": 1, "concat, tenth": -1, "sum, all": -1, "concat, all": 1},
            "above",
            0.0,
        ),
    ),
    "sum_is_order_blind": _claim(
        "A sum cannot see order; concatenation and position-wise sums can.",
        "supported",
        "Sentences and their twins of the same words, one hidden layer: the sum's accuracy stays below 0.51, that of "
        "concat and of position_sum lies above 0.9.",
        _contrast("order", {"sum": 1}, "below", 0.51),
        _contrast("order", {"concat": 1}, "above", 0.9),
        _contrast("order", {"position_sum": 1}, "above", 0.9),
    ),
    "products_interact": _claim(
        "Products catch interactions that sums miss.",
        "supported",
        "Linear heads. A synthetic product of hidden effects: product beats sum by more than the margin; film "
        "ratings: product beats sum.",
        _beats("product", "product", "sum", by="margin"),
        _beats("ratings", "product", "sum"),
    ),
    "hybrid_keeps_both": _claim(
        "½(u∘v + u + v) keeps what the sum and what the product can do.",
        "supported",
        f"Linear heads: hybrid comes within {NEAR_BAYES} times the Bayes-optimal error on an additive target, on a "
        "product and on their mixture.",
        _reaches_bayes("additive", "hybrid"),
        _reaches_bayes("product", "hybrid"),
        _reaches_bayes("mixed", "hybrid"),
    ),
    "several_beat_each": _claim(
        "Several combiners in parallel beat each alone.",
        "undecided",
        "At equal combined width, linear heads. Film reviews: mean, max and product together beat each of them. Film "
        "ratings: sum and product together beat both.",
        *(_beats("reviews", "several", alone) for alone in ("mean", "max", "product")),
        *(_beats("ratings", "several", alone) for alone in ("sum", "product")),
    ),
    "mean_is_sum": _claim(
        "Averaging and summing behave alike once the learning rate is tuned.",
        "supported",
        "A fixed number of vectors: film ratings (two) and a tenth of MNIST (four parts). Each with a rate of its own, "
        "mean and sum lie within the margin of each other.",
        _alike("ratings", "mean", "sum"),
        _alike("mnist", "mean", "sum"),
    ),
    "measured_not_summed": _claim(
        "Fixed measured vectors and raw scalars should not be summed.",
        "supported",
        "Synthetic targets that are linear in measured vectors, and in standardised scalars: side by side beats "
        "summed by more than the margin.",
        _beats("measured", "concat", "sum", by="margin"),
        _beats("scalars", "concat", "sum", by="margin"),
    ),
    "attention_on_long_bags": _claim(
        "Attention pays on long bags.",
        "undecided",
        "Film reviews of up to 60 words: attention beats the mean, and its lead is greater than where only the first "
        "8 words are read.",
        _beats("reviews", "attention", "mean"),
        _contrast(
            "reviews",
            {"attention": 1, "mean": -1, "attention max_length=8": -1, "mean max_length=8": 1},
            "above",
            0.0,
        ),
    ),
    "heads_are_a_sum": _claim(
        "Heads of attention concatenated and mapped by W_O equal a sum of maps, one per head.",
        "supported",
        "The project's own multi-head attention against the sum over heads in NumPy, float64: equal to rounding.",
        {"kind": "identity", "name": "heads"},
    ),
    "ten_examples_per_weight": _claim(
        "Ten examples per weight is enough.",
        "supported",
        f"Synthetic tables with ten training examples per weight of the model: the sum on an additive target and the "
        f"product on a product come within {NEAR_BAYES} times the Bayes-optimal error. (No real data here has ten "
        "examples per weight: MNIST's 1024-10 network has five.)",
        _reaches_bayes("additive_per_weight", "sum"),
        _reaches_bayes("product_per_weight", "product"),
    ),
}


def get_config(arg: str | None = None) -> ml_collections.ConfigDict:
    experiments = {
        "ratings": categorical_combiners.make_experiment(),
        "widths": concat_split.make_experiment(),
        "reviews": _reviews(
            "Film reviews", "Do several combiners together beat each alone, and does attention pay?"
        ),
        "few_reviews": _reviews(
            "Film reviews, all and a tenth", "Does a concatenation need more examples than a sum?"
        ),
        "order": order_combiners.make_experiment(),
        "mnist": mnist_combiners.make_experiment(),
        **{kind: _control(kind) for kind in ("additive", "product", "mixed", "measured", "scalars")},
        **{f"{kind}_per_weight": _few_examples(kind) for kind in NUM_WEIGHTS},
    }
    for experiment in experiments.values():
        experiment.tuning.seeds = TUNING_SEEDS
    experiments["few_reviews"].reference = "sum, all"
    experiments["reviews"].reference = "mean"
    experiments["product_per_weight"].reference = "product"
    return make_sweep("claims", experiments, parse_argument(arg, **ARGUMENTS), CLAIMS)


def sweep() -> Iterator[dict[str, Any]]:
    several = {"model.combiner": "multi", "label": "several"}
    controls = {
        "additive": ("sum", "hybrid"),
        "product": ("sum", "product", "hybrid"),
        "mixed": ("sum", "product", "hybrid"),
        "additive_per_weight": ("sum",),
        "product_per_weight": ("product",),
    }
    return grid.chain(
        grid.product(
            {"experiment": "ratings"},
            grid.chain(
                grid.over("model.combiner", "sum", "mean", "product", "hybrid", "concat"),
                {"model.combiner": "concat", "model.match": "embed"},
                {**several, "model.combiner_options.combiners": ("sum", "product")},
            ),
        ),
        grid.product(
            {"experiment": "widths"},
            grid.chain({"model.combiner": "sum"}, concat_split.split_arms((1, 4, 16, 28, 31))),
        ),
        grid.product(
            {"experiment": "reviews"},
            grid.chain(
                grid.over("model.combiner", "mean", "max", "product", "attention"),
                {**several, "model.combiner_options.combiners": ("mean", "max", "product")},
                grid.product(
                    grid.over("model.combiner", "mean", "attention"), grid.over("data.max_length", 8)
                ),
            ),
        ),
        (
            {
                "experiment": "few_reviews",
                "label": f"{combiner}, {part}",
                "model.combiner": combiner,
                "model.match": "embed",
                "data.train_fraction": fraction,
            }
            for combiner in ("sum", "concat")
            for part, fraction in (("tenth", 0.1), ("all", 1.0))
        ),
        grid.product({"experiment": "order"}, grid.over("model.combiner", "sum", "concat", "position_sum")),
        grid.product({"experiment": "mnist"}, grid.over("model.combiner", "sum", "mean")),
        *(
            grid.product({"experiment": kind}, grid.over("model.combiner", *combiners))
            for kind, combiners in controls.items()
        ),
        *(
            {"experiment": kind, "label": name, "model.combiner": name, "model.numeric_combiner": name}
            for kind in ("measured", "scalars")
            for name in ("sum", "concat")
        ),
    )


def _reviews(title: str, question: str) -> ml_collections.ConfigDict:
    experiment = sentiment_combiners.make_experiment(batch_size=128)
    experiment.title, experiment.question = title, question
    return experiment


def _control(kind: str) -> ml_collections.ConfigDict:
    base = categorical.get_config(f"data={kind}")
    base.model.match = "embed"
    return get_experiment(
        base,
        title=f"Control: {kind}",
        question="Which combiner reaches the error of the noise-free target?",
        metric="rmse",
        learning_rates=(2e-3, 1e-2, 5e-2),
    )


def _few_examples(kind: str) -> ml_collections.ConfigDict:
    experiment = _control(kind)
    experiment.title = f"Control: {kind}, {EXAMPLES_PER_WEIGHT} examples per weight"
    experiment.base.data.synthetic.num_train = EXAMPLES_PER_WEIGHT * NUM_WEIGHTS[kind]
    return experiment
