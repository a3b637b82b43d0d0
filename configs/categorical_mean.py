"""Users and films -> a rating: the mean of the two embeddings.

python train.py --config=configs/categorical_mean.py

to be measured
"""

import ml_collections

from configs import categorical


def get_config(arg: str | None = None) -> ml_collections.ConfigDict:
    return categorical.get_config(f"combiner=mean,{arg or ''}")
