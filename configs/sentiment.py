"""Bag-of-words sentiment: the task with any combiner; configs/base.py has the fields that all tasks share.

python train.py --config=configs/sentiment.py:combiner=sqrtn
python train.py --config=configs/sentiment.py:combiner=sqrtn,smoke    two seeds, two epochs

The README's table says what to expect of each combiner and how long it takes.
"""

import ml_collections

from configs.arguments import parse_argument
from configs.base import add_pretrained, get_base

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
    config = get_base("sentiment", args["combiner"])

    data = config.data
    data.name = "rotten_tomatoes"  # or tweets, tweets/three_classes, tfds:NAME; ignored where path is set
    data.text_column = "text"
    data.label_column = "label"
    data.id_column = ""  # names the rows of a predictions file; '' = the row number
    data.min_count = 1  # rarer words of the training split are unknown
    data.max_vocab = 0  # most frequent words kept, padding and unknown included; 0 = all
    data.max_length = 64  # words of a text that are read
    data.weights = ""  # 'idf', or a column of your file with one number per word

    model = config.model
    model.table_per_slot = False
    model.embedding_scale = embedding_scale
    model.word_dropout = 0.2

    add_pretrained(config)
    config.optimizer.learning_rate = learning_rate
    config.optimizer.weight_decay = weight_decay

    config.train.monitor = "accuracy"
    config.train.length_buckets = 3

    if args["smoke"]:
        config.seeds = (0, 1)
        config.train.epochs = 2
    return config
