"""Users and films -> a rating: the product of the two embeddings.

python train.py --config=configs/categorical_product.py

Test RMSE 0.8842 ± 0.0004 (5 seeds, 95% interval); 58 s on 2 CPU cores shared with other work.
"""

import ml_collections

from configs import categorical


def get_config(arg: str | None = None) -> ml_collections.ConfigDict:
    return categorical.get_config(f"combiner=product,{arg or ''}")
