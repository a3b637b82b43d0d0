"""Which of two sentences of the same words is the original?: the words side by side, one or two dimensions each.

python train.py --config=configs/order_concat.py

to be measured
"""

import ml_collections

from configs import order


def get_config(arg: str | None = None) -> ml_collections.ConfigDict:
    return order.get_config(f"combiner=concat,{arg or ''}")
