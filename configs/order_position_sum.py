"""Sentences, two words swapped or not: a linear map per position, then the sum.

python train.py --config=configs/order_position_sum.py

to be measured
"""

import ml_collections

from configs import order


def get_config(arg: str | None = None) -> ml_collections.ConfigDict:
    return order.get_config(f"combiner=position_sum,{arg or ''}")
