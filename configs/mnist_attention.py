"""Images cut into four parts: the parts' embeddings averaged with learned attention.

python train.py --config=configs/mnist_attention.py

to be measured
"""

import ml_collections

from configs import mnist


def get_config(arg: str | None = None) -> ml_collections.ConfigDict:
    return mnist.get_config(f"combiner=attention,{arg or ''}")
