"""Images come from a user's .npz file, a folder of PNG files, or Python."""

import json
import re

import numpy as np
import PIL.Image
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from data.image_files import centred, read_images
from data.images import ImagePreprocessor, ImageSpec, load

DIGITS = ImagePreprocessor(ImageSpec(classes=("0", "1")))


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


# A user's own files


@pytest.mark.parametrize("side", [28, 32])
def test_an_npz_file_is_split_stratified_and_centred(make_image_config, tmp_path, side):
    dataset = load(make_image_config(path=write_npz(tmp_path / "own.npz", side=side)))
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


def test_a_margin_that_no_image_uses_is_known_and_new_images_must_keep_it(make_image_config, tmp_path):
    dataset = load(make_image_config(path=write_npz(tmp_path / "own.npz")))
    preprocessor = dataset.preprocessor
    padded = np.pad(picture(0), 2)
    np.testing.assert_array_equal(preprocessor.encode([padded]).inputs["pixels"][0], padded)
    with pytest.raises(
        ValueError, match=r"row 1: found ink less than 2 pixels from the edge, .* expected 28x28 pix"
    ):
        preprocessor.encode([padded, picture(0, 32)])
    with pytest.raises(ValueError, match=r"four.npz, row 0: found ink less than 2 pixels"):
        preprocessor.read(write_npz(tmp_path / "four.npz", side=32), {})


def test_labels_may_be_texts_and_own_validation_and_test_files_are_used(make_image_config, tmp_path):
    names = np.array(["cat", "dog", "cow"])[np.arange(60) % 3]
    train = write_npz(tmp_path / "train.npz", labels=names)
    other = write_npz(tmp_path / "other.npz", count=9, labels=names[:9])
    dataset = load(make_image_config(path=train, path_validation=other, path_test=other))
    assert dataset.spec.classes == ("cat", "cow", "dog")
    assert [len(split) for split in dataset.splits.values()] == [60, 9, 9]


def test_a_folder_of_png_files_names_its_classes_and_its_images(make_image_config, tmp_path):
    for i in range(40):
        write_png(tmp_path / "own" / ("cat", "dog")[i % 2] / f"{i:02}.png", picture(i))
    (tmp_path / "own" / ".hidden").touch()
    dataset = load(make_image_config(path=tmp_path / "own"))
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
    make_image_config, tmp_path, fraction, expected
):
    path = write_npz(tmp_path / "own.npz")
    whole, part = (load(make_image_config(path=path, train_fraction=f)) for f in (1.0, fraction))
    assert set(part.splits["train"].ids) <= set(whole.splits["train"].ids)
    assert len(part.splits["train"]) == expected
    assert part.spec == whole.spec
    for name in ("validation", "test"):
        assert part.splits[name].fingerprint() == whole.splits[name].fingerprint()


def test_the_same_config_gives_the_same_arrays_and_another_seed_others(make_image_config, tmp_path):
    path = write_npz(tmp_path / "own.npz")
    first, again, other = (load(make_image_config(path=path, split_seed=seed)) for seed in (0, 0, 1))
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
def test_a_wrong_npz_file_is_one_line(make_image_config, tmp_path, overrides, message):
    path = write_npz(tmp_path / "own.npz", count=6, **overrides)
    with pytest.raises(ValueError, match=message) as error:
        load(make_image_config(path=path))
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
def test_a_wrong_folder_is_one_line(make_image_config, tmp_path, write, message):
    path = tmp_path / "own" / "a" / "x.png"
    path.parent.mkdir(parents=True)
    write(path)
    with pytest.raises(ValueError, match=message) as error:
        load(make_image_config(path=tmp_path / "own"))
    assert "\n" not in str(error.value)


def test_a_folder_without_classes_cannot_be_trained_on(make_image_config, tmp_path):
    write_png(tmp_path / "own" / "x.png", picture(0))
    with pytest.raises(
        ValueError, match="own: the images have no labels, expected PNG files in one sub-folder per"
    ):
        load(make_image_config(path=tmp_path / "own"))


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
def test_a_wrong_config_is_one_line(make_image_config, tmp_path, monkeypatch, config, error, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.csv").write_text("a,b\n")
    whole = write_npz(tmp_path / "own.npz").read_bytes()
    write_npz(tmp_path / "four.npz", count=2, labels=np.array([4, 0]))
    (tmp_path / "torn.npz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(error, match=message) as raised:
        load(make_image_config(**config))
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
