"""Output variance and gradient norm of every combiner at initialisation, against the number of vectors.

python analyze.py --config=configs/diagnostics.py
python analyze.py --config=configs/diagnostics.py:smoke
"""

import ml_collections

from combiners import COMBINERS
from configs import sentiment
from configs.arguments import parse_argument


def get_config(arg: str | None = None) -> ml_collections.ConfigDict:
    args = parse_argument(arg, smoke=False)
    config = ml_collections.ConfigDict()
    config.analysis = "diagnostics"
    config.output = "runs/diagnostics"  # the folder of diagnostics.json, .md and .png
    config.combiners = tuple(COMBINERS)  # names, or my_module:MyCombiner
    config.num_vectors = (2, 4, 8, 16, 32, 64, 128, 256)
    config.dim = 32
    config.scale = 0.1  # standard deviation of the vectors, as embeddings start
    config.bags = 256
    config.seeds = (0, 1, 2)
    config.max_numbers = (
        2**24
    )  # parameters or output of one combiner; what is larger is left out, with the reason
    # Learning rates that did best on the reviews, on validation, to lay beside the measurement.
    config.tuned_rates = {name: rate for name, (rate, _, _) in sentiment.TUNED.items()}
    if args["smoke"]:
        config.num_vectors, config.bags, config.seeds = (2, 4), 8, (0,)
    return config
