"""Order-sensitive sentences: the task with any combiner; configs/base.py has the fields that all tasks share.

python train.py --config=configs/order.py:combiner=gru
python train.py --config=configs/order.py:combiner=gru,data=order_grammar
python train.py --config=configs/order.py:combiner=gru,smoke    two seeds, two epochs
"""

import ml_collections

from configs.arguments import parse_argument
from configs.base import add_pretrained, get_base

# Learning rate, initial embedding scale and weight decay that did best of a few trials on the validation split of
# order_swaps, one seed each: more of them for gru than for the others, so that they do not rank combiners. What is
# blind to order is at chance with any.
TUNED = {
    "concat": (3e-3, 0.1, 0.1),
    "position_sum": (1e-3, 0.1, 0.1),
    "gru": (2e-3, 0.1, 0.1),
}
UNTUNED = (1e-3, 0.1, 0.1)  # where all others start, and your own


def get_config(arg: str | None = None) -> ml_collections.ConfigDict:
    args = parse_argument(arg, combiner="gru", data="order_swaps", smoke=False)
    learning_rate, embedding_scale, weight_decay = TUNED.get(args["combiner"], UNTUNED)
    config = get_base("order", args["combiner"])
    is_paws = args["data"] == "paws_wiki"

    data = config.data
    data.name = (
        "tfds:paws_wiki" if is_paws else args["data"]
    )  # order_swaps, order_grammar or tfds:NAME; see path
    data.text_column = "sentence1" if is_paws else "text"  # of your file or TFDS dataset
    data.text_b_column = (
        "sentence2" if is_paws else ""
    )  # of the second text, where an example is a pair of them
    data.label_column = "label"
    data.id_column = ""  # names the rows of a predictions file; '' = the row number
    data.min_count = 1  # rarer words of the training split are unknown
    data.max_vocab = 6_000  # most frequent words kept, padding and unknown included; 0 = all
    data.max_length = 64  # words of a text that are read
    data.weights = ""  # 'idf', or a column of your file with one number per word; not for pairs
    data.seed = 0  # of the generated sentences, and of what is swapped
    data.max_examples = 40_000  # order_swaps: of the training split, twins included
    data.question = "both"  # order_grammar: 'act' (who does it?), 'describe' (which is described?) or 'both'
    data.level = 2  # 1 plain, 2 with passives, 3 with several adjectives and relative clauses
    data.num_nouns = 20  # of each kind that are used: animals, persons, places; at most 40
    data.num_verbs = 15  # for each question; at most 30
    data.num_adjectives = 20  # at most 40
    data.num_train = 20_000  # sentences of the training split, twins included
    data.num_test = 2_000  # of each other split

    model = config.model
    model.table_per_slot = False
    model.pair_combiner = "matching"  # of the two texts' vectors, where an example is a pair
    model.pair_combiner_options = ml_collections.ConfigDict()
    model.hidden = (64,)
    model.embedding_scale = embedding_scale

    add_pretrained(config)
    config.optimizer.learning_rate = learning_rate
    config.optimizer.weight_decay = weight_decay
    config.optimizer.clip_norm = 1.0

    config.train.monitor = "accuracy"
    config.train.length_buckets = 3

    if args["smoke"]:
        config.seeds = (0, 1)
        config.train.epochs = 2
    return config
