"""The simple methods on images are what they say, and are fitted to the training split alone."""

import numpy as np
import pytest

from data import Dataset
from data.image_files import Images
from data.images import ImagePreprocessor, ImageSpec
from training.references.images import image_references

PREPROCESSOR = ImagePreprocessor(ImageSpec(classes=("dark", "grey", "bright")))


def split(brightness, labels):
    """Images of one brightness each."""
    pixels = np.broadcast_to(np.array(brightness, np.uint8)[:, None, None], (len(labels), 32, 32))
    return PREPROCESSOR.encode_images(
        Images(np.ascontiguousarray(pixels), labels, [str(i) for i in range(len(labels))], str)
    )


@pytest.fixture
def dataset():
    splits = {
        "train": split([0, 20, 100, 140, 160, 250], ["dark", "dark", "grey", "grey", "grey", "bright"]),
        "validation": split([60, 80, 240], ["dark", "dark", "bright"]),
        "test": split([200, 10], ["grey", "dark"]),
    }
    return Dataset("shades", splits, PREPROCESSOR.spec, PREPROCESSOR)


def test_the_majority_class_and_the_nearest_mean(dataset):
    # The means are 10, 133 and 250: halves lie at 72 and 192.
    assert image_references(dataset) == {
        "majority_class": {"validation": {"accuracy": 0.0}, "test": {"accuracy": 0.5}},
        "nearest_mean": {"validation": {"accuracy": 2 / 3}, "test": {"accuracy": 0.5}},
    }


def test_a_class_without_a_training_image_is_never_the_answer(dataset):
    dataset.splits["train"] = split([0, 100], ["dark", "grey"])
    references = image_references(dataset)
    assert references["nearest_mean"]["validation"] == {"accuracy": 0.0}
    assert references["nearest_mean"]["test"] == {"accuracy": 1.0}
