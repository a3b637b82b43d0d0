"""Which of two sentences of the same words is the original?: the sum of the word embeddings.

python train.py --config=configs/order_sum.py

to be measured
"""

import ml_collections

from configs import order


def get_config(arg: str | None = None) -> ml_collections.ConfigDict:
    return order.get_config(f"combiner=sum,{arg or ''}")
