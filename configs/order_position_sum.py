"""Sentences, two words swapped or not: a linear map per position, then the sum.

python train.py --config=configs/order_position_sum.py

Test accuracy 0.604 ± 0.005 (5 seeds, 95% interval); 382 s on 2 CPU cores shared with other work.
"""

import ml_collections

from configs import order


def get_config(arg: str | None = None) -> ml_collections.ConfigDict:
    return order.get_config(f"combiner=position_sum,{arg or ''}")
