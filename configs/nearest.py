"""Words nearest to others, and to what vector arithmetic makes of them, by cosine.

python analyze.py --config=configs/nearest.py "--config.queries=food - american + eat; blood * color"
python analyze.py --config=configs/nearest.py --config.vectors=vectors.txt "--config.queries=king - man + woman"

analysis/queries.py has the grammar: + and - as usual, * multiplies number by number, & is the hybrid ½(u∘v + u + v),
0.5 king is weighed, parentheses group. Queries are separated by semicolons.
"""

import ml_collections

from configs.arguments import parse_argument


def get_config(arg: str | None = None) -> ml_collections.ConfigDict:
    parse_argument(arg)
    config = ml_collections.ConfigDict()
    config.analysis = "nearest"
    config.vectors = "runs/skip_gram"  # a run's folder, or a file: word2vec, GloVe or gensim's KeyedVectors
    config.which = "word"  # of a run's two vectors a word; or 'context', 'sum', 'unit sum', 'concat', …
    config.seed = 0  # of the run
    # No tuple, whose elements the command line would read as Python: don't and 1984 are words.
    config.queries = "food - american + eat; blood * color; blood & color"
    config.k = 10
    config.dtype = "float32"  # or 'bfloat16', 'float16': the same answers, faster on an accelerator
    config.normalise = True  # every word's vector to one length before the arithmetic
    return config
