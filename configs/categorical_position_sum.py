"""Users and films -> a rating: a linear map per feature, then the sum.

python train.py --config=configs/categorical_position_sum.py

to be measured
"""

import ml_collections

from configs import categorical


def get_config(arg: str | None = None) -> ml_collections.ConfigDict:
    return categorical.get_config(f"combiner=position_sum,{arg or ''}")
