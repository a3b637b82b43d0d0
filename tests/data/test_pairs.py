"""Pairs of sentences come from a user's file or from TFDS, are encoded by one vocabulary, saved and restored."""

import csv
import json

import numpy as np
import pytest
import tensorflow_datasets as tfds

from configs import order as order_config
from data import order
from data.dataset import Preprocessor
from data.pairs import BETWEEN, PairPreprocessor
from data.text_preprocessor import TextPreprocessor

WORDS = ["red", "blue", "green", "old", "new", "tall", "small", "round"]


def rows_of(number):
    """Pairs that say the same or the reverse."""
    for i in range(number):
        a, b = WORDS[i % 8], WORDS[(i // 8 + i % 8 + 1) % 8]
        second = f"{a} then {b}" if i % 2 else f"{b} then {a} {'again ' * (i % 3)}"
        yield f"{a} then {b}", second.strip(), ("reversed", "same")[i % 2]


def write(path, rows, header=("one", "two", "verdict")):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return str(path)


def config(**overrides):
    data = order_config.get_config().data
    columns = {"text_column": "one", "text_b_column": "two", "label_column": "verdict"}
    data.update({**columns, **overrides})
    return data


@pytest.fixture
def path(tmp_path):
    return write(tmp_path / "pairs.csv", rows_of(60))


@pytest.fixture
def dataset(path):
    return order.load(config(path=path))


def test_both_texts_are_rows_of_the_same_words(dataset):
    assert dataset.name == "pairs.csv"
    assert dataset.spec.is_pair
    assert dataset.spec.classes == ("reversed", "same")
    assert {name: len(split) for name, split in dataset.splits.items()} == {
        "train": 48,
        "validation": 6,
        "test": 6,
    }
    vocabulary = dataset.preprocessor.tokenizer.get_vocab()
    assert len(vocabulary) == dataset.spec.vocab_size
    for split in dataset.splits.values():
        assert set(split.inputs) == {"tokens", "tokens_b"}
        for i, both in enumerate(split.texts):
            for name, text in zip(("tokens", "tokens_b"), both.split(BETWEEN), strict=True):
                ids = [vocabulary[word] for word in text.split()]
                assert split.inputs[name][i].tolist() == ids + [0] * (dataset.spec.num_slots - len(ids))


def test_a_pair_is_as_long_as_its_longer_text(dataset):
    train = dataset.splits["train"]
    expected = [max(len(text.split()) for text in both.split(BETWEEN)) for both in train.texts]
    assert train.lengths.tolist() == expected
    assert max(expected) == dataset.spec.num_slots == 5


def test_classes_keep_their_shares_and_a_fraction_of_training_is_nested(path, dataset):
    half = order.load(config(path=path, train_fraction=0.5)).splits
    assert set(half["train"].ids) < set(dataset.splits["train"].ids)
    assert np.bincount(half["train"].targets).tolist() == [12, 12]
    assert list(half["test"].ids) == list(dataset.splits["test"].ids)
    assert np.bincount(half["test"].targets).tolist() == [3, 3]


def test_saved_and_restored_it_encodes_the_same(dataset, tmp_path):
    assert isinstance(dataset.preprocessor, Preprocessor)
    dataset.preprocessor.save(tmp_path / "preprocessor.json")
    content = json.loads((tmp_path / "preprocessor.json").read_text())
    assert content["format"] == PairPreprocessor.FORMAT
    restored = PairPreprocessor.from_dict(content)
    assert restored.spec == dataset.spec
    test = dataset.splits["test"]
    again = restored.encode([both.split(BETWEEN) for both in test.texts])
    assert again.targets is None
    for name, array in again.inputs.items():
        np.testing.assert_array_equal(array, test.inputs[name])


def test_a_file_is_read_with_other_columns_and_without_labels(dataset, tmp_path):
    labelled = write(tmp_path / "new.csv", [("red then old", "old unheard", "same")], ("a", "b", "label"))
    columns = {"text_column": "a", "text_b_column": "b", "label_column": "label"}
    split = dataset.preprocessor.read(labelled, columns)
    assert split.targets.tolist() == [1]
    assert split.inputs["tokens_b"][0, 1] == 1, "the unknown word"
    unlabelled = write(tmp_path / "bare.csv", [("red", "old")], ("one", "two"))
    assert dataset.preprocessor.read(unlabelled, {}).targets is None


def test_rows_are_pairs_or_mappings(dataset):
    encode = dataset.preprocessor.encode
    mapping = {"one": "red", "two": "old", "verdict": "same", "more": 1}
    assert encode([mapping]).targets.tolist() == [1]
    assert encode([mapping], with_targets=False).targets is None
    np.testing.assert_array_equal(
        encode([mapping]).inputs["tokens_b"], encode([("red", "old")]).inputs["tokens_b"]
    )
    assert len(encode([])) == 0


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["red then old"], r"row 0: expected two texts, found 'red then old'"),
        ([("a", "b"), ("a", "b", "c")], r"row 1: expected two texts, found \('a', 'b', 'c'\)"),
        ([{"one": "red"}], r"row 0: no 'two'; found 'one'"),
        ([{"one": "red", "two": None}], r"row 0, 'two': the text is missing"),
        (
            [{"one": "red", "two": "old", "verdict": "sam"}],
            r"label 'sam' is not a class .*did you mean 'same'",
        ),
    ],
)
def test_wrong_rows_are_one_line(dataset, rows, message):
    with pytest.raises(ValueError, match=message) as error:
        dataset.preprocessor.encode(rows)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"text_b_column": "too"}, r"no column 'too' \(data.text_b_column\) \(did you mean 'two'\?\)"),
        ({"text_column": "too"}, r"no column 'too' \(data.text_column\)"),
        ({"label_column": "verdicts"}, r"no column 'verdicts' \(data.label_column\)"),
        ({"weights": "idf"}, r"data.weights: pairs of texts have none, found 'idf'"),
        ({"max_length": 0}, r"data.max_length: expected at least 1, found 0"),
    ],
)
def test_a_wrong_config_is_one_line(path, overrides, message):
    with pytest.raises(ValueError, match=message) as error:
        order.load(config(path=path, **overrides))
    assert "\n" not in str(error.value)


def test_a_missing_text_is_named_by_its_line(tmp_path):
    path = write(tmp_path / "pairs.csv", [*rows_of(20), ("red", "", "same")])
    with pytest.raises(ValueError, match=r"pairs.csv, line 22: the text is missing"):
        order.load(config(path=path))


def test_a_file_of_single_sentences_is_read_as_in_the_sentiment_task(path):
    dataset = order.load(config(path=path, text_b_column=""))
    assert isinstance(dataset.preprocessor, TextPreprocessor)
    assert not dataset.spec.is_pair
    assert set(dataset.splits["train"].inputs) == {"tokens"}


class TinyParaphrases(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """As PAWS: two sentences and a class."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        features = {
            "sentence1": tfds.features.Text(),
            "sentence2": tfds.features.Text(),
            "label": tfds.features.ClassLabel(names=["0", "1"]),
        }
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

    def _split_generators(self, dl_manager):
        return {split: self._generate_examples() for split in ("train", "validation", "test")}

    def _generate_examples(self):
        for i, (first, second, label) in enumerate(rows_of(20)):
            yield i, {"sentence1": first, "sentence2": second, "label": int(label == "same")}


def test_pairs_of_tfds_are_read_by_name(tmp_path):
    tfds.disable_progress_bar()
    TinyParaphrases(data_dir=tmp_path / "tfds").download_and_prepare(file_format="array_record")
    data = order_config.get_config("data=paws_wiki").data
    assert (data.name, data.text_column, data.text_b_column) == ("tfds:paws_wiki", "sentence1", "sentence2")
    data.update({"name": "tfds:tiny_paraphrases", "dir": str(tmp_path)})
    dataset = order.load(data)
    assert dataset.spec.classes == ("0", "1")
    assert {name: len(split) for name, split in dataset.splits.items()} == dict.fromkeys(
        ("train", "validation", "test"), 20
    )
    expected = {(first, second, int(label == "same")) for first, second, label in rows_of(20)}
    test = dataset.splits["test"]
    assert {
        (*both.split(BETWEEN), int(t)) for both, t in zip(test.texts, test.targets, strict=True)
    } == expected
