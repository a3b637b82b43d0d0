"""Images cut into four parts: the product of the parts' embeddings.

python train.py --config=configs/mnist_product.py

to be measured
"""

import ml_collections

from configs import mnist


def get_config(arg: str | None = None) -> ml_collections.ConfigDict:
    return mnist.get_config(f"combiner=product,{arg or ''}")
