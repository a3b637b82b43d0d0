"""Bag-of-words sentiment: the elementwise product of the word embeddings.

python train.py --config=configs/sentiment_product.py

Test accuracy 0.751 ± 0.003 (5 seeds, 95% interval); 24 s on 2 CPU cores, compilation included.
"""

import ml_collections

from configs import sentiment


def get_config(arg: str | None = None) -> ml_collections.ConfigDict:
    return sentiment.get_config(f"combiner=product,{arg or ''}")
