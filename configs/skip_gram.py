"""Word vectors from running text: skip-gram or CBOW, with any combiner for the bag of CBOW.

python train.py --config=configs/skip_gram.py
python train.py --config=configs/skip_gram.py --config.data.path=corpus.txt      your own text, a sentence a line
python train.py --config=configs/skip_gram.py:objective=cbow,combiner=mean
python train.py --config=configs/skip_gram.py:smoke                              half the text, one seed, one epoch

Spearman's ρ 0.641 ± 0.006 on WordSim-353, 0.663 ± 0.006 on MEN (3 seeds, 95% interval); 3 min 48 s on 2 CPU cores.
"""

import ml_collections

from configs.arguments import parse_argument


def get_config(arg: str | None = None) -> ml_collections.ConfigDict:
    args = parse_argument(arg, objective="skip_gram", combiner="sum", smoke=False)
    config = ml_collections.ConfigDict()
    config.task = "skip_gram"
    config.seeds = (0, 1, 2)

    data = config.data = ml_collections.ConfigDict()
    data.name = (
        "english/full"  # 16 million words, or english/small with 8, or tfds:NAME; ignored where path is set
    )
    data.path = ""  # your own text, a sentence a line, also .gz; several separated by commas
    data.dir = ""  # where prepared datasets live; '' = the user's cache folder
    data.text_column = "text"  # of a TFDS dataset
    data.min_count = 5  # rarer words are left out
    data.max_vocab = 0  # most frequent words kept; 0 = all
    data.word_pairs = ()  # people's judgements to be held against, also files of yours; () = all that there are
    data.subsample = 1e-3  # words more frequent than that are thinned out; 0 keeps all

    model = config.model = ml_collections.ConfigDict()
    model.objective = args["objective"]  # a word tells its neighbours, or (cbow) they tell it
    model.combiner = args["combiner"]  # of CBOW's bag
    model.combiner_options = ml_collections.ConfigDict()
    model.loss = "negative_sampling"  # or softmax, for small vocabularies
    model.dim = 100
    model.window = 5  # words to either side at most; every word draws its own from 1 to that
    model.negatives = 5  # noise words that a pair counts for
    model.noise = 32  # noise words that the words of some blocks share, weighted to stand for those
    model.noise_blocks = 4  # blocks that share them
    model.noise_power = 0.75  # noise words are drawn in proportion to count ** power
    model.block = 16  # consecutive words that are read at a time

    optimizer = config.optimizer = ml_collections.ConfigDict()
    optimizer.name = "adagrad"  # row by row; or sgd
    optimizer.learning_rate = 0.3
    optimizer.final_fraction = 0.004  # the rate falls in a straight line to that part of it
    optimizer.max_repeats = 10.0  # sgd: a row that a step reads more often than that takes smaller steps
    optimizer.combiner_rate = 1e-3  # of Adam, for what CBOW's combiner learns itself

    train = config.train = ml_collections.ConfigDict()
    train.epochs = 3
    train.step_words = 4096  # words of a step, after thinning out
    train.round_words = 1_000_000  # of the corpus, between two lines of metrics.jsonl
    train.on_divergence = "stop"  # or freeze: the seed is recorded as diverged, the others go on
    train.checkpoint_seconds = 30.0  # at the end of the first round after so long

    engine = config.engine = ml_collections.ConfigDict()
    engine.replicas = "auto"  # seeds side by side (vmap) or one after the other (map) in one program
    engine.compilation_cache = ""  # a folder; '' = the user's cache folder; 'off'
    engine.matmul_precision = "default"  # or float32, tf32, bfloat16: docs/profiling.md

    if args["smoke"]:
        config.seeds = (0,)
        config.data.name = "english/small"
        config.train.epochs = 1
    return config
