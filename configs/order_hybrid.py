"""Which of two sentences of the same words is the original?: ½(Π(1 + x) − 1), product and sum in one.

python train.py --config=configs/order_hybrid.py

to be measured
"""

import ml_collections

from configs import order


def get_config(arg: str | None = None) -> ml_collections.ConfigDict:
    return order.get_config(f"combiner=hybrid,{arg or ''}")
