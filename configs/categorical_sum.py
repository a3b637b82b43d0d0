"""Users and films -> a rating: the sum of the two embeddings.

python train.py --config=configs/categorical_sum.py

Test RMSE 0.8929 ± 0.0005 (5 seeds, 95% interval); 110 s on 2 CPU cores shared with other work.
"""

import ml_collections

from configs import categorical


def get_config(arg: str | None = None) -> ml_collections.ConfigDict:
    return categorical.get_config(f"combiner=sum,{arg or ''}")
