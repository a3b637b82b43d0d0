"""Positive controls: synthetic targets whose right combiner is known, linear heads, beside the Bayes-optimal error.

python analyze.py --config=configs/controls.py
python analyze.py --config=configs/controls.py:smoke    two seeds, two epochs: shows that it runs, judges nothing
"""

import ml_collections

from analysis.comparison_page import NO_BOUND
from configs import categorical
from configs.arguments import parse_argument

REACHES = (0.0, 1.03)  # test RMSE in units of the Bayes-optimal one
FAILS = (1.2, NO_BOUND)

# What is stated before anything is run. A combiner without a statement may come close or not: a product of 1 + x, say,
# is nearly a sum where x is small.
EXPECTED = {
    "additive": (
        "whatever is linear in every vector reaches the optimum; so does hybrid, which holds the sum; max does not.",
        {"sum": REACHES, "mean": REACHES, "concat": REACHES, "hybrid": REACHES, "max": FAILS},
    ),
    "product": (
        "only products reach the optimum; a sum of effects cannot know their product.",
        {"product": REACHES, "sum": FAILS, "mean": FAILS, "concat": FAILS, "max": FAILS},
    ),
    "xor": (
        "parity is a product of signs: product reaches the optimum, whatever is additive fails.",
        {"product": REACHES, "sum": FAILS, "mean": FAILS, "concat": FAILS, "max": FAILS},
    ),
    "max": (
        "max reaches the optimum, the additive ones fail.",
        {"max": REACHES, "sum": FAILS, "mean": FAILS, "concat": FAILS},
    ),
    "count": (
        "in bags of different length a sum can count; a mean and a maximum do not know how many there were.",
        {"sum": REACHES, "mean": FAILS, "max": FAILS},
    ),
    "mixed": (
        "a sum plus a product: hybrid keeps both; the additive ones fail.",
        {"hybrid": REACHES, "sum": FAILS, "mean": FAILS, "concat": FAILS, "max": FAILS},
    ),
    "measured": (
        "measured vectors are not free: side by side each meets weights of its own, summed they share them.",
        {"concat": REACHES, "sum": FAILS, "mean": FAILS},
    ),
    "scalars": (
        "standardised numbers with coefficients of different sign: side by side yes, summed no.",
        {"concat": REACHES, "sum": FAILS, "mean": FAILS},
    ),
}
COMBINERS = ("sum", "mean", "concat", "max", "product", "hybrid")


def get_config(arg: str | None = None) -> ml_collections.ConfigDict:
    args = parse_argument(arg, smoke=False)
    config = ml_collections.ConfigDict()
    config.analysis = "comparison"
    # A folder per arm; finished ones are reused.
    config.runs = "runs/controls_smoke" if args["smoke"] else "runs/controls"
    config.output = f"{config.runs}/controls"  # .json and .md
    config.title = "Controls: targets whose right combiner is known"
    config.introduction = (
        "Every arm has embeddings (or measured vectors), one combiner and a linear head: a multilayer perceptron on "
        "top could undo the difference. `ratio` is the test RMSE over that of the noise-free target itself, which "
        f"nothing can beat but by luck; an arm reaches it within {REACHES[1]} and fails from {FAILS[0]} on. All arms "
        "of a table have the same settings, five seeds and `match=embed`; formulas are in `data/synthetic.py`."
    )
    config.tables = ml_collections.ConfigDict()
    for kind, (expected, expect) in EXPECTED.items():
        table = config.tables[kind] = ml_collections.ConfigDict()
        table.title, table.expected = kind, expected
        table.metrics = ("test/rmse", "test/r2")
        table.reference = "bayes_optimal"
        table.repeats = ()
        table.expect = ml_collections.ConfigDict(expect)
        table.arms = ml_collections.ConfigDict()
        for combiner in COMBINERS:
            if kind == "count" and combiner == "concat":
                continue  # a bag's values are many, and their vector is as wide as one
            arm = categorical.get_config(
                f"data={kind},combiner={combiner}{',smoke' if args['smoke'] else ''}"
            )
            arm.model.match = "embed"
            table.arms[combiner] = arm
    return config
