"""Bag-of-words sentiment: the maximum in each dimension.

python train.py --config=configs/sentiment_max.py

EXPECT
"""

import ml_collections

from configs import sentiment


def get_config(arg: str | None = None) -> ml_collections.ConfigDict:
    return sentiment.get_config(f"combiner=max,{arg or ''}")
