"""Users and films: every combiner on five random splits, paired with ridge regression on one-hot users and films.

python analyze.py --config=configs/movielens_splits.py
python analyze.py --config=configs/movielens_splits.py:smoke    two seeds, two epochs: shows that it runs
"""

import ml_collections

from configs import categorical
from configs.arguments import parse_argument

COMBINERS = ("sum", "concat", "product", "hybrid")


def get_config(arg: str | None = None) -> ml_collections.ConfigDict:
    args = parse_argument(arg, smoke=False)
    config = ml_collections.ConfigDict()
    config.analysis = "comparison"
    # A folder per arm and split; finished ones are reused.
    config.runs = "runs/movielens_splits_smoke" if args["smoke"] else "runs/movielens_splits"
    config.output = f"{config.runs}/movielens_splits"  # .json and .md
    config.title = "movielens_small on five random splits"
    config.introduction = (
        "Rating from user and film, 100,004 ratings, cut at random into training, validation and test rows "
        "(80/10/10) by `data.split_seed` 0 to 4. Settings were chosen on the validation rows of split 0. An arm's "
        "value on a split is the mean over its seeds; intervals are over the five splits, and the difference from "
        "ridge regression (one-hot users and films, its penalty chosen on the validation rows) is taken split by split."
    )
    config.tables = ml_collections.ConfigDict()
    table = config.tables.movielens = ml_collections.ConfigDict()
    table.title = "Test RMSE"
    table.expected = (
        "the best combiner is no worse than ridge; product and hybrid, which see interactions, lead."
    )
    table.metrics = ("test/rmse", "test/mae", "validation/rmse")
    table.reference = "ridge"
    table.repeats = tuple({"data.split_seed": seed} for seed in range(5))
    table.expect = ml_collections.ConfigDict()
    table.arms = ml_collections.ConfigDict()
    for combiner in COMBINERS:
        arm = categorical.get_config(f"combiner={combiner}{',smoke' if args['smoke'] else ''}")
        arm.seeds = (0, 1)
        table.arms[combiner] = arm
    return config
