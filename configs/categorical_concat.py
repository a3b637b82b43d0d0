"""Users and films -> a rating: the two embeddings side by side, half the width each.

python train.py --config=configs/categorical_concat.py

to be measured
"""

import ml_collections

from configs import categorical


def get_config(arg: str | None = None) -> ml_collections.ConfigDict:
    return categorical.get_config(f"combiner=concat,{arg or ''}")
