"""What can be read back out of a sum of vectors, by which method, and what other combiners keep and lose.

python analyze.py --config=configs/vector_sums.py
python analyze.py --config=configs/vector_sums.py:smoke    few draws and small sizes: shows that it runs

docs/vector_sums.md tells what came out. Decoding sums of trained embeddings needs the run in decoders.trained_workdir.
"""

import ml_collections

from combiners import COMBINERS
from configs.arguments import parse_argument


def get_config(arg: str | None = None) -> ml_collections.ConfigDict:
    args = parse_argument(arg, smoke=False)
    config = ml_collections.ConfigDict()
    config.analysis = "vector_sums"
    # vector_sums.md, figures, and a file per part, in which what is finished is kept
    config.output = "runs/vector_sums_smoke" if args["smoke"] else "runs/vector_sums"

    classic = config.classic = ml_collections.ConfigDict()  # one draw per cell, the same for everybody
    classic.seed = 1729
    classic.vocabularies = (8, 32, 128, 1024)
    classic.dims = (10, 20, 50, 70, *range(100, 1001, 100))
    classic.numbers = (10, 20, 50, 100, 200)

    illustration = config.illustration = ml_collections.ConfigDict()  # counts of every embedding, drawn
    illustration.seed = 1729
    illustration.vocabulary = 32
    illustration.dims = (2, 16, 24, 32, 64, 128)
    illustration.numbers = (10, 50, 100, 500)

    draws = config.draws = ml_collections.ConfigDict()  # the classic grid, many times
    draws.num_draws = 1000
    draws.seed = 0

    decoders = config.decoders = ml_collections.ConfigDict()
    decoders.names = ("greedy", "nnls", "lasso", "omp", "linear_probe", "mlp_probe")
    decoders.kinds = ("random", "orthogonal", "sparse", "trained")
    # V, d, n
    decoders.cells = (
        (32, 16, 5),
        (32, 16, 20),
        (32, 32, 20),
        (32, 64, 20),
        (128, 32, 5),
        (128, 64, 10),
        (128, 64, 50),
        (128, 128, 50),
        (1024, 64, 5),
        (1024, 64, 20),
        (1024, 256, 20),
        (1024, 256, 50),
    )
    decoders.num_draws = 20
    decoders.seed = 0
    decoders.trained_workdir = "runs/sentiment_sum"
    decoders.density = 0.1  # of sparse embeddings

    probes = config.probes = ml_collections.ConfigDict()
    probes.combiners = tuple(COMBINERS)  # names, or my_module:MyCombiner
    probes.numbers = (2, 8)  # words of a bag
    probes.dims = (16, 64)
    probes.vocabulary = 32
    probes.num_train, probes.num_test = 2048, 1024
    probes.seeds = (0, 1, 2)
    probes.max_width = 512  # of a combined vector; what is wider is left out, with the reason
    probes.hidden, probes.steps, probes.batch, probes.learning_rate = 64, 200, 256, 1e-2  # of the small MLP

    if args["smoke"]:
        classic.vocabularies, classic.dims, classic.numbers = (8, 32), (10, 50, 100), (10, 20)
        illustration.dims, illustration.numbers = (2, 32), (10, 50)
        draws.num_draws = 20
        decoders.cells, decoders.num_draws = ((32, 16, 5), (32, 64, 20)), 4
        probes.combiners, probes.numbers, probes.dims = ("sum", "max", "concat"), (2,), (16,)
        probes.seeds, probes.steps = (0,), 50
    return config
