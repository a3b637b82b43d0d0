"""Images cut into four parts: a linear map per part, then the sum.

python train.py --config=configs/mnist_position_sum.py

to be measured
"""

import ml_collections

from configs import mnist


def get_config(arg: str | None = None) -> ml_collections.ConfigDict:
    return mnist.get_config(f"combiner=position_sum,{arg or ''}")
