"""Bag-of-words sentiment: sums and products of the word embeddings together.

python train.py --config=configs/sentiment_hybrid.py

EXPECT
"""

import ml_collections

from configs import sentiment


def get_config(arg: str | None = None) -> ml_collections.ConfigDict:
    return sentiment.get_config(f"combiner=hybrid,{arg or ''}")
