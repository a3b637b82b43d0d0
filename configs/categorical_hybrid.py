"""Users and films -> a rating: ½(Π(1 + x) − 1), product and sum in one.

python train.py --config=configs/categorical_hybrid.py

Test RMSE 0.8856 ± 0.0007 (5 seeds, 95% interval); 57 s on 2 CPU cores shared with other work.
"""

import ml_collections

from configs import categorical


def get_config(arg: str | None = None) -> ml_collections.ConfigDict:
    return categorical.get_config(f"combiner=hybrid,{arg or ''}")
