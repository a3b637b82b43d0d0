"""Sentences, two words swapped or not: the sum of the word embeddings.

python train.py --config=configs/order_sum.py

Test accuracy 0.500 ± 0.000 (5 seeds, 95% interval); 138 s on 2 CPU cores shared with other work.
"""

import ml_collections

from configs import order


def get_config(arg: str | None = None) -> ml_collections.ConfigDict:
    return order.get_config(f"combiner=sum,{arg or ''}")
