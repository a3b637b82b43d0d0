"""Bag-of-words sentiment: a mean weighted by a learned query.

python train.py --config=configs/sentiment_attention.py

EXPECT
"""

import ml_collections

from configs import sentiment


def get_config(arg: str | None = None) -> ml_collections.ConfigDict:
    return sentiment.get_config(f"combiner=attention,{arg or ''}")
