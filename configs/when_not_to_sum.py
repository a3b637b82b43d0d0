"""When not to sum: measured vectors and raw scalars, added up, side by side, and each through a linear map of its own.

python analyze.py --config=configs/when_not_to_sum.py
python analyze.py --config=configs/when_not_to_sum.py:smoke    two seeds, two epochs: shows that it runs, judges nothing
"""

import ml_collections

from analysis.comparison_page import NO_BOUND
from configs import categorical
from configs.arguments import parse_argument

REACHES = (0.0, 1.03)  # test RMSE in units of the Bayes-optimal one
FAILS = (1.2, NO_BOUND)
# Name of a table -> its title, the control of configs/categorical.py, and what differs from it.
TABLES = {
    "two_measurements": ("Two measured vectors", "measured", {"data.synthetic.num_features": 2}),
    "measurements": ("Three measured vectors", "measured", {}),
    "scalars": ("Raw scalars", "scalars", {}),
}
# Label of an arm -> its combiner, what becomes of the numbers, and what is stated before anything is run.
ARMS = {
    "sum": ("sum", "raw", FAILS),
    "mean": ("mean", "raw", FAILS),
    "concat": ("concat", "raw", REACHES),
    "own maps, then sum": ("sum", "linear", REACHES),
    "own maps, then mean": ("mean", "linear", REACHES),
}


def get_config(arg: str | None = None) -> ml_collections.ConfigDict:
    args = parse_argument(arg, smoke=False)
    config = ml_collections.ConfigDict()
    config.analysis = "comparison"
    # A folder per arm; finished ones are reused.
    config.runs = "runs/when_not_to_sum_smoke" if args["smoke"] else "runs/when_not_to_sum"
    config.output = f"{config.runs}/when_not_to_sum"  # .json and .md
    config.title = "When not to sum: what is measured, and not learned"
    config.introduction = (
        "Every row holds measured vectors (or scalars) x_i and the target Σ_i w_i·x_i, with another w_i for each, plus "
        "noise (`data/synthetic.py`); a linear head. Summed as they are, all share one w, which no training mends: the "
        "numbers are given. Side by side each meets weights of its own. So it does where each goes through a linear "
        "map of its own before the sum, since Σ_i w_i·x_i = v·Σ_i x_i A_i with A_i = w_i vᵀ / |v|². All numbers are "
        "standardised, so that it is not different ranges that make a sum fail. `ratio` is the test RMSE over the "
        f"Bayes-optimal one; an arm reaches it within {REACHES[1]} and fails from {FAILS[0]} on. Five seeds."
    )
    config.tables = ml_collections.ConfigDict()
    for name, (title, kind, overrides) in TABLES.items():
        table = config.tables[name] = ml_collections.ConfigDict()
        table.title = title
        table.expected = (
            "sum and mean fail; concat reaches the optimum, and so do both after maps of their own."
        )
        table.metrics = ("test/rmse", "test/r2")
        table.reference = "bayes_optimal"
        table.repeats = ()
        table.expect = ml_collections.ConfigDict({label: bounds for label, (_, _, bounds) in ARMS.items()})
        table.arms = ml_collections.ConfigDict()
        for label, (combiner, numbers, _) in ARMS.items():
            smoke = ",smoke" if args["smoke"] else ""
            arm = categorical.get_config(f"data={kind},combiner={combiner}{smoke}")
            arm.update_from_flattened_dict({**overrides, "model.match": "embed", "model.numeric": numbers})
            table.arms[label] = arm
    return config
