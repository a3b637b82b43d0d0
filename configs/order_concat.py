"""Sentences, two words swapped or not: the words side by side, one or two dimensions each.

python train.py --config=configs/order_concat.py

Test accuracy 0.547 ± 0.015 (5 seeds, 95% interval); 127 s on 2 CPU cores shared with other work.
"""

import ml_collections

from configs import order


def get_config(arg: str | None = None) -> ml_collections.ConfigDict:
    return order.get_config(f"combiner=concat,{arg or ''}")
