"""Bag-of-words sentiment: the maximum in each dimension.

python train.py --config=configs/sentiment_max.py

Test accuracy 0.753 ± 0.007 (5 seeds, 95% interval); 17 s on 2 CPU cores, compilation included.
"""

import ml_collections

from configs import sentiment


def get_config(arg: str | None = None) -> ml_collections.ConfigDict:
    return sentiment.get_config(f"combiner=max,{arg or ''}")
