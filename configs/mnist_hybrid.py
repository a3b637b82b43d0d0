"""Images cut into four parts: ½(Π(1 + x) − 1), product and sum in one.

python train.py --config=configs/mnist_hybrid.py

to be measured
"""

import ml_collections

from configs import mnist


def get_config(arg: str | None = None) -> ml_collections.ConfigDict:
    return mnist.get_config(f"combiner=hybrid,{arg or ''}")
