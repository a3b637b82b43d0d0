"""Users and films -> a rating: a linear map per feature, then the sum.

python train.py --config=configs/categorical_position_sum.py

Test RMSE 0.8954 ± 0.0007 (5 seeds, 95% interval); 43 s on 2 CPU cores shared with other work.
"""

import ml_collections

from configs import categorical


def get_config(arg: str | None = None) -> ml_collections.ConfigDict:
    return categorical.get_config(f"combiner=position_sum,{arg or ''}")
