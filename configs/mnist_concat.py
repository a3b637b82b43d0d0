"""Images cut into four parts: 128 units for each part.

python train.py --config=configs/mnist_concat.py

to be measured
"""

import ml_collections

from configs import mnist


def get_config(arg: str | None = None) -> ml_collections.ConfigDict:
    return mnist.get_config(f"combiner=concat,{arg or ''}")
