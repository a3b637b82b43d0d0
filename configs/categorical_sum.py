"""Users and films -> a rating: the sum of the two embeddings.

python train.py --config=configs/categorical_sum.py

to be measured
"""

import ml_collections

from configs import categorical


def get_config(arg: str | None = None) -> ml_collections.ConfigDict:
    return categorical.get_config(f"combiner=sum,{arg or ''}")
