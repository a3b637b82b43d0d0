"""Bag-of-words sentiment: the first 60 words side by side, one dimension each.

python train.py --config=configs/sentiment_concat.py

EXPECT
"""

import ml_collections

from configs import sentiment


def get_config(arg: str | None = None) -> ml_collections.ConfigDict:
    return sentiment.get_config(f"combiner=concat,{arg or ''}")
