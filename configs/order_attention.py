"""Sentences, two words swapped or not: the word embeddings averaged with learned attention.

python train.py --config=configs/order_attention.py

Test accuracy 0.500 ± 0.000 (5 seeds, 95% interval); 148 s on 2 CPU cores shared with other work.
"""

import ml_collections

from configs import order


def get_config(arg: str | None = None) -> ml_collections.ConfigDict:
    return order.get_config(f"combiner=attention,{arg or ''}")
