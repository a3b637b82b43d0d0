"""Users and films -> a rating: the two embeddings side by side, half the width each.

python train.py --config=configs/categorical_concat.py

Test RMSE 0.8927 ± 0.0003 (5 seeds, 95% interval); 58 s on 2 CPU cores shared with other work.
"""

import ml_collections

from configs import categorical


def get_config(arg: str | None = None) -> ml_collections.ConfigDict:
    return categorical.get_config(f"combiner=concat,{arg or ''}")
