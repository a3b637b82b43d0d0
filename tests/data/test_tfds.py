"""Any TFDS text data set is read by its name, without TensorFlow once it is prepared."""

# ruff: noqa: RUF012 (features and sizes are class attributes that nobody changes)

import importlib.util
import sys

import numpy as np
import pytest
import tensorflow_datasets as tfds

from data.text import load


class _Tiny(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """Base of the builders below, which stand for other people's: not registered, read from disk alone."""

    VERSION = tfds.core.Version("1.0.0")
    FEATURES = {}
    KEYS = None
    SIZES = {}

    def _info(self):
        return tfds.core.DatasetInfo(
            builder=self, features=tfds.features.FeaturesDict(self.FEATURES), supervised_keys=self.KEYS
        )

    def _split_generators(self, dl_manager):
        return {split: self._generate_examples(split, size) for split, size in self.SIZES.items()}

    def _generate_examples(self, split, size):
        for i in range(size):
            yield i, self.example(split, i)


class TinyReviews(_Tiny, skip_registration=True):
    FEATURES = {
        "text": tfds.features.Text(),
        "label": tfds.features.ClassLabel(names=["poor", "great"]),
        "key": tfds.features.Text(),
    }
    SIZES = {"train": 40, "test": 10}

    def example(self, split, i):
        return {"text": f"naïve film {i}", "label": i % 2, "key": f"{split}-{i}"}


class TinySentences(_Tiny, skip_registration=True):
    """As SST-2: other names, and a test split without labels."""

    FEATURES = {"sentence": tfds.features.Text(), "grade": tfds.features.ClassLabel(names=["poor", "great"])}
    KEYS = ("sentence", "grade")
    SIZES = {"train": 40, "validation": 6, "test": 10}

    def example(self, split, i):
        return {"sentence": f"film {i}", "grade": -1 if split == "test" else i % 2}


class TinyNumbers(_Tiny, skip_registration=True):
    """Classes without names."""

    FEATURES = {"text": tfds.features.Text(), "label": np.int64}
    SIZES = {"train": 60}

    def example(self, split, i):
        return {"text": f"film {i}", "label": 5 * (i % 3)}


class TinyPool(_Tiny, skip_registration=True):
    """Nothing labelled to train on."""

    FEATURES = TinyReviews.FEATURES
    SIZES = {"unsupervised": 4}
    example = TinyReviews.example


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cache")
    tfds.disable_progress_bar()
    for builder in (TinyReviews, TinySentences, TinyNumbers, TinyPool):
        builder(data_dir=folder / "tfds").download_and_prepare(file_format="array_record")
    return folder


def sizes(dataset):
    return {name: len(split) for name, split in dataset.splits.items()}


def test_read_by_name_with_the_absent_split_cut_from_training(folder, make_config):
    dataset = load(make_config(name="tfds:tiny_reviews", dir=str(folder), id_column="key"))
    assert dataset.name == "tfds:tiny_reviews"
    assert dataset.spec.classes == ("poor", "great")
    assert sizes(dataset) == {"train": 36, "validation": 4, "test": 10}
    assert np.bincount(dataset.splits["validation"].targets).tolist() == [2, 2]
    test = dataset.splits["test"]
    assert sorted(test.ids) == sorted(f"test-{i}" for i in range(10))
    for name, text, target in zip(test.ids, test.texts, test.targets, strict=True):
        number = int(name.removeprefix("test-"))
        assert (text, target) == (f"naïve film {number}", number % 2)
    assert "tensorflow" not in sys.modules


def test_supervised_keys_stand_in_and_an_unlabelled_test_split_is_replaced(folder, make_config):
    dataset = load(make_config(name="tfds:tiny_sentences", dir=str(folder)))
    assert sizes(dataset) == {"train": 36, "validation": 6, "test": 4}
    assert dataset.spec.classes == ("poor", "great")
    assert all(split.targets.min() >= 0 for split in dataset.splits.values())


def test_classes_without_names_are_numbers(folder, make_config):
    dataset = load(make_config(name="tfds:tiny_numbers", dir=str(folder)))
    assert dataset.spec.classes == ("0", "5", "10")
    assert sizes(dataset) == {"train": 48, "validation": 6, "test": 6}


def test_the_same_config_gives_the_same_arrays(folder, make_config):
    first, again = (load(make_config(name="tfds:tiny_numbers", dir=str(folder))) for _ in range(2))
    for name, split in first.splits.items():
        np.testing.assert_array_equal(split.inputs["tokens"], again.splits[name].inputs["tokens"])
        assert list(split.ids) == list(again.splits[name].ids)


def test_read_from_the_default_folder_of_tfds(folder, make_config, tmp_path, monkeypatch):
    monkeypatch.setattr(tfds.core.constants, "DATA_DIR", str(folder / "tfds"))
    assert len(load(make_config(name="tfds:tiny_reviews", dir=str(tmp_path))).splits["test"]) == 10


@pytest.mark.parametrize(
    ("name", "overrides", "message"),
    [
        (
            "tiny_reviews",
            {"text_column": "txt"},
            r"no feature 'txt' \(did you mean 'text'\?\); found 'key', 'label'",
        ),
        ("tiny_reviews", {"id_column": "id"}, r"no feature 'id'; found 'key', 'label', 'text'"),
        ("tiny_sentences", {"label_column": "stars"}, r"no feature 'stars'; found 'grade', 'sentence'"),
        ("tiny_numbers", {"text_column": "label"}, r"row 0: expected a text, found 0 of type int"),
        ("tiny_pool", {}, r"tfds:tiny_pool: no labelled split 'train'; found unsupervised"),
        ("imdb_review", {}, r"tfds:imdb_review: TFDS has no such data set \(did you mean 'imdb_reviews'\?\)"),
        ("imdb_reviews/nope", {}, r"tfds:imdb_reviews/nope: .*BuilderConfig nope not found"),
        ("not a name!", {}, r"tfds:not a name!: Parsing builder name string .* failed"),
    ],
)
def test_a_wrong_name_or_column_is_one_line(folder, make_config, name, overrides, message):
    with pytest.raises(ValueError, match=message) as error:
        load(make_config(name=f"tfds:{name}", dir=str(folder), **overrides))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["imdb_reviews", "glue/sst2"])
def test_a_missing_tensorflow_is_answered_with_the_install_line(make_config, tmp_path, monkeypatch, name):
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda n, *a: None if n == "tensorflow" else found(n, *a)
    )
    with pytest.raises(ImportError, match=rf"tfds:{name} .*needs TensorFlow: pip install -e '.\[tfds\]'"):
        load(make_config(name=f"tfds:{name}", dir=str(tmp_path)))
    assert list(tmp_path.iterdir()) == []


def test_data_in_a_format_that_needs_tensorflow_is_named(make_config, tmp_path):
    builder = TinyReviews(data_dir=tmp_path / "tfds")
    builder.download_and_prepare(file_format="array_record")
    info = tmp_path / "tfds/tiny_reviews/1.0.0/dataset_info.json"
    info.write_text(info.read_text().replace('"array_record"', '"tfrecord"'))
    with pytest.raises(ValueError, match=r"tiny_reviews/1.0.0 is in format tfrecord, expected array_record"):
        load(make_config(name="tfds:tiny_reviews", dir=str(tmp_path)))
