"""A word's two skip-gram vectors: which agrees with people, and what adding, averaging or concatenating them does.

python train.py --config=configs/skip_gram.py            first: the vectors
python analyze.py --config=configs/word_vectors.py
python analyze.py --config=configs/word_vectors.py:smoke --config.run=RUN    few resamples and words: shows that it runs

docs/word_vectors.md tells what came out.
"""

import ml_collections

from configs.arguments import parse_argument
from data.word_pairs import PAIR_SOURCES, VALIDATION_PAIRS


def get_config(arg: str | None = None) -> ml_collections.ConfigDict:
    args = parse_argument(arg, smoke=False)
    config = ml_collections.ConfigDict()
    config.analysis = "word_vectors"
    config.run = "runs/skip_gram"  # the workdir of a skip-gram run
    # results.json, in which what is finished is kept; word_vectors.md; figures
    config.output = "runs/word_vectors_smoke" if args["smoke"] else "docs/results/word_vectors"
    data = config.data = ml_collections.ConfigDict()
    data.dir = ""  # where wheels are kept; '' = the user's cache folder

    config.pairs = tuple(PAIR_SOURCES)  # sets of word pairs; or files .tsv or .csv of word, word, score
    config.validation = (
        VALIDATION_PAIRS  # the set (or file) on which α is chosen, no test; '' = α is not chosen
    )
    config.alphas = tuple(i / 10 for i in range(11))  # of αw + (1 − α)c
    config.num_resamples = 2000  # of the pairs
    config.identity_pairs = 20_000  # random pairs of words on which identities are checked

    analogies = config.analogies = ml_collections.ConfigDict()
    analogies.path = ""  # a file like questions-words.txt; '' = that one
    analogies.vocabulary = 30_000  # questions and answers among so many most frequent words; 0 = all
    analogies.combinations = (
        "word",
        "context",
        "sum",
        "concat",
        "product",
        "hybrid",
        "unit sum",
        "unit concat",
    )

    neighbours = config.neighbours = ml_collections.ConfigDict()
    neighbours.k = 10
    neighbours.vocabulary = 30_000  # neighbours among so many most frequent words; 0 = all
    neighbours.combinations = ("word", "context", "sum", "concat", "product", "hybrid", "word→context")
    neighbours.words = ("house", "car", "doctor", "king", "blood", "good", "eat", "paris", "war", "computer")
    neighbours.compared = {"house": ("mansion", "residence", "barn", "kitchen")}  # ranks among its neighbours

    config.projection = {  # words by group
        "homes": ("house", "mansion", "residence", "barn", "kitchen", "roof"),
        "vehicles": ("car", "truck", "bus", "train", "road", "driver"),
        "medicine": ("doctor", "nurse", "hospital", "patient", "disease", "surgery"),
        "animals": ("dog", "cat", "horse", "cow", "sheep", "bird"),
        "food": ("food", "bread", "meat", "eat", "dinner", "cook"),
    }

    if args["smoke"]:
        config.pairs = ("wordsim353_similarity", "wordsim353_relatedness", "mturk")
        config.alphas, config.num_resamples, config.identity_pairs = (0.0, 0.5, 1.0), 200, 1000
        analogies.vocabulary, analogies.combinations = 2000, ("word", "sum")
        neighbours.vocabulary, neighbours.combinations = 2000, ("word", "context", "sum")
        neighbours.words = ("house", "good")
    return config
