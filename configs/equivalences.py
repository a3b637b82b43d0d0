"""When a sum is a concatenation: identities in floating point, a sum unfolded into a concatenation, and their learning.

python analyze.py --config=configs/equivalences.py
python analyze.py --config=configs/equivalences.py:smoke    few steps and widths: shows that it runs

configs/fold.py folds a concatenation that you have trained.
"""

import ml_collections

from configs import categorical
from configs.arguments import parse_argument


def get_config(arg: str | None = None) -> ml_collections.ConfigDict:
    args = parse_argument(arg, smoke=False)
    config = ml_collections.ConfigDict()
    config.analysis = "equivalences"
    # equivalences.md, figures, and a file per part, in which what is finished is kept
    config.output = "runs/equivalences_smoke" if args["smoke"] else "runs/equivalences"

    rounding = config.rounding = ml_collections.ConfigDict()
    rounding.shapes = ((2, 8, 8), (2, 64, 64), (4, 64, 64), (16, 64, 64), (2, 512, 64), (16, 512, 64))
    rounding.batch = 256
    rounding.seeds = (0, 1, 2)

    unfolding = config.unfolding = ml_collections.ConfigDict()
    unfolding.folder = f"{config.output}/runs"  # of the runs; finished ones are reused
    unfolding.runs = ml_collections.ConfigDict()
    for label, decay in (("tuned weight decay", None), ("no weight decay", 0.0)):
        run = unfolding.runs[label] = categorical.get_config("combiner=sum")
        run.model.hidden = (64,)  # a linear head would make every table a single column
        run.seeds = (0, 1, 2)
        if decay is not None:
            run.optimizer.weight_decay = decay
    unfolding.widths = (1, 2, 4, 8, 16, 32)

    dynamics = config.dynamics = ml_collections.ConfigDict()
    dynamics.run = categorical.get_config("combiner=concat")
    dynamics.run.model.update({"match": "embed", "dim": 16, "hidden": (32,), "embedding_scale": 0.3})
    dynamics.rates = ml_collections.ConfigDict({"sgd": 0.1, "adam": 1e-3})
    dynamics.steps = 4000
    dynamics.points = 40  # at which the validation split is looked at, ever further apart
    dynamics.batch = 256
    dynamics.seeds = (0, 1, 2)

    if args["smoke"]:
        rounding.shapes, rounding.seeds = rounding.shapes[:2], (0,)
        unfolding.widths = (1, 4, 32)
        for run in unfolding.runs.values():
            run.train.epochs, run.seeds = 2, (0,)
        dynamics.steps, dynamics.points, dynamics.seeds = 100, 8, (0,)
    return config
