"""Users and films -> a rating: ½(Π(1 + x) − 1), product and sum in one.

python train.py --config=configs/categorical_hybrid.py

to be measured
"""

import ml_collections

from configs import categorical


def get_config(arg: str | None = None) -> ml_collections.ConfigDict:
    return categorical.get_config(f"combiner=hybrid,{arg or ''}")
