"""Images cut into four parts: 128 units for each part.

python train.py --config=configs/mnist_concat.py

Test accuracy 0.9836 ± 0.0009 (5 seeds, 95% interval); 277 s on 2 CPU cores shared with other work.
"""

import ml_collections

from configs import mnist


def get_config(arg: str | None = None) -> ml_collections.ConfigDict:
    return mnist.get_config(f"combiner=concat,{arg or ''}")
