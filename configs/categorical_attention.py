"""Users and films -> a rating: the two embeddings averaged with learned attention.

python train.py --config=configs/categorical_attention.py

to be measured
"""

import ml_collections

from configs import categorical


def get_config(arg: str | None = None) -> ml_collections.ConfigDict:
    return categorical.get_config(f"combiner=attention,{arg or ''}")
