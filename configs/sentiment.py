"""Bag-of-words sentiment: the task with any combiner, and every field there is.

python train.py --config=configs/sentiment.py:combiner=sqrtn
python train.py --config=configs/sentiment.py:combiner=sqrtn,smoke    two seeds, two epochs

The README's table says what to expect of each combiner and how long it takes.
"""

import ml_collections
from ml_collections import config_dict

from configs.arguments import parse_argument

# Learning rate, initial embedding scale and weight decay that did best on validation, of the same fourteen trials for
# each of these, seeds 0 to 2: rates 3e-4, 1e-3, 3e-3 by scales 0.03, 0.1 by decays 1, 3; then decays 0.3 and 10 at the
# best rate and scale. padded_sum computes what concat does.
TUNED = {
    "sum": (3e-4, 0.03, 3.0),
    "mean": (1e-3, 0.03, 0.3),
    "sqrtn": (3e-4, 0.03, 1.0),
    "max": (3e-3, 0.1, 1.0),
    "product": (3e-4, 0.03, 3.0),
    "hybrid": (3e-4, 0.1, 3.0),
    "concat": (3e-3, 0.03, 0.3),
    "padded_sum": (3e-3, 0.03, 0.3),
    "position_sum": (3e-4, 0.03, 10.0),
    "attention": (3e-3, 0.1, 0.3),
}
UNTUNED = (1e-3, 0.03, 1.0)  # where all others start, and your own


def get_config(arg: str | None = None) -> ml_collections.ConfigDict:
    args = parse_argument(arg, combiner="sum", smoke=False)
    learning_rate, embedding_scale, weight_decay = TUNED.get(args["combiner"], UNTUNED)
    config = ml_collections.ConfigDict()
    config.task = "sentiment"
    config.seeds = (0, 1, 2, 3, 4)

    data = config.data = ml_collections.ConfigDict()
    data.name = "rotten_tomatoes"  # or tweets, tweets/three_classes, tfds:NAME; ignored where path is set
    data.path = ""  # your own CSV, TSV, JSON lines or Parquet file
    data.path_validation = ""  # cut from path where not given
    data.path_test = ""
    data.text_column = "text"
    data.label_column = "label"
    data.id_column = ""  # names the rows of a predictions file; '' = the row number
    data.dir = ""  # where prepared datasets live; '' = the user's cache folder
    data.min_count = 1  # rarer words of the training split are unknown
    data.max_vocab = 0  # most frequent words kept, padding and unknown included; 0 = all
    data.max_length = 64  # words of a text that are read
    data.weights = ""  # 'idf', or a column of your file with one number per word
    data.split_seed = 0  # of the splits that are cut from path

    model = config.model = ml_collections.ConfigDict()
    model.combiner = args["combiner"]  # a name in COMBINERS, or my_module:MyCombiner
    model.combiner_options = ml_collections.ConfigDict()  # --config.model.combiner_options.features=32
    model.match = "width"  # what is held equal across combiners: width, embed or params
    model.dim = 64
    model.widths = ()  # with table_per_slot: how the slots share dim
    model.table_per_slot = False
    model.hidden = ()
    model.embedding_scale = embedding_scale  # standard deviation at the start
    model.embedding_mean = config_dict.placeholder(float)  # None = as the combiner declares
    model.word_dropout = 0.2
    model.dropout = 0.0
    model.dtype = "float32"  # or bfloat16

    optimizer = config.optimizer = ml_collections.ConfigDict()
    optimizer.name = "adamw"
    optimizer.learning_rate = learning_rate
    optimizer.schedule = "constant"  # or linear, cosine
    optimizer.warmup_fraction = 0.0
    optimizer.weight_decay = weight_decay  # times the learning rate per step; spares vectors
    optimizer.clip_norm = config_dict.placeholder(float)
    optimizer.options = ml_collections.ConfigDict()  # of optax, such as --config.optimizer.options.b2=0.99

    train = config.train = ml_collections.ConfigDict()
    train.epochs = 30
    train.batch_size = 128
    train.monitor = "accuracy"  # the validation metric that picks the best epoch
    train.patience = 8  # epochs without a better one after which a seed stops
    train.length_buckets = 3  # batches of like length are trimmed to it: widths L, L/2, L/4, …
    train.on_divergence = "stop"  # or freeze: the seed is recorded as diverged, the others go on
    train.checkpoint_seconds = 30.0  # at the end of the first epoch after so long

    engine = config.engine = ml_collections.ConfigDict()
    engine.replicas = "auto"  # seeds side by side (vmap) or one after the other (map) in one program
    engine.compilation_cache = ""  # a folder; '' = the user's cache folder; 'off'

    if args["smoke"]:
        config.seeds = (0, 1)
        train.epochs = 2
    return config
