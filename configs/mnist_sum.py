"""Images cut into four parts: the dense layer 1024-512.

python train.py --config=configs/mnist_sum.py

to be measured
"""

import ml_collections

from configs import mnist


def get_config(arg: str | None = None) -> ml_collections.ConfigDict:
    return mnist.get_config(f"combiner=sum,{arg or ''}")
