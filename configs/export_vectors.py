"""Writes the word vectors of a run in word2vec's format, as gensim loads it.

python analyze.py --config=configs/export_vectors.py --config.run=runs/skip_gram --config.path=vectors.txt
python analyze.py --config=configs/export_vectors.py --config.run=runs/skip_gram --config.which=sum \
    --config.format=binary --config.path=vectors.bin
python analyze.py --config=configs/export_vectors.py --config.run=glove.txt --config.path=glove.bin.gz

A run on texts has vectors, too: its embedding table. Of several seeds the first is written.
"""

import ml_collections


def get_config(arg: str | None = None) -> ml_collections.ConfigDict:
    if arg:
        raise ValueError(f"this config takes no argument, got {arg!r}")
    config = ml_collections.ConfigDict()
    config.analysis = "export_vectors"
    config.run = ""  # a finished run's folder, or a file of word vectors
    config.which = "word"  # of a run of skip-grams: word, context, sum or concat of both
    config.format = "text"  # or binary
    config.path = "vectors.txt"  # gzipped where it ends in .gz
    return config
