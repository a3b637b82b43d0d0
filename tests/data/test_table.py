"""`table.load` gives the same splits for the same config, from a user's files and from synthetic tables."""

import csv
import logging

import absl.logging
import numpy as np
import pytest

from data.splits import random_splits
from data.table import load
from data.table_preprocessor import Gaps

HEADER = ("name", "cut", "tags", "carat", "price")


def write(path, rows, header=HEADER):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def row(i):
    return (f"r{i}", "abc"[i % 3], "|".join("xyz"[: i % 4]), i / 7, 10 + i)


@pytest.fixture
def path(tmp_path):
    """100 rows."""
    return write(tmp_path / "stones.csv", [row(i) for i in range(100)])


@pytest.fixture
def config(make_table_config, path):
    """Returns a function from overrides to a config of those rows."""

    def make(**overrides):
        columns = {"target": "price", "categorical": "cut", "numeric": "carat"}
        return make_table_config(**{"path": path, **columns, **overrides})

    return make


@pytest.fixture
def lines():
    """The lines that are logged."""
    records = []
    handler = logging.Handler()
    handler.emit = lambda record: records.append(f"{record.levelname}: {record.getMessage()}")
    logger, verbosity = absl.logging.get_absl_logger(), absl.logging.get_verbosity()
    absl.logging.set_verbosity(absl.logging.INFO)
    logger.addHandler(handler)
    yield records
    logger.removeHandler(handler)
    absl.logging.set_verbosity(verbosity)


def sizes(dataset):
    return {name: len(split) for name, split in dataset.splits.items()}


def fingerprints(dataset):
    return {name: split.fingerprint() for name, split in dataset.splits.items()}


def test_a_tenth_each_is_cut_and_rows_keep_their_names_and_targets(config):
    dataset = load(config(multi_valued="tags", id_column="name"))
    assert dataset.name == "stones.csv"
    assert sizes(dataset) == {"train": 80, "validation": 10, "test": 10}
    seen = {}
    for split in dataset.splits.values():
        assert list(split.inputs) == ["categories", "bag_tags", "numeric"]
        seen.update(zip(split.ids, split.targets.tolist(), strict=True))
    assert seen == {f"r{i}": 10 + i for i in range(100)}


def test_the_same_config_gives_the_same_arrays_and_another_seed_others(config):
    first, again, other = (load(config(split_seed=seed)) for seed in (1, 1, 2))
    assert fingerprints(first) == fingerprints(again)
    assert set(first.splits["test"].ids) != set(other.splits["test"].ids)


def test_given_splits_are_used_whole(config, tmp_path):
    test = write(tmp_path / "test.csv", [row(i) for i in range(7)])
    dataset = load(config(path_test=test))
    assert sizes(dataset) == {"train": 90, "validation": 10, "test": 7}
    dataset = load(config(path_test=test, path_validation=test))
    assert sizes(dataset) == {"train": 100, "validation": 7, "test": 7}
    assert dataset.splits["test"].targets.tolist() == list(range(10, 17))


def test_a_fraction_shrinks_training_before_anything_is_fitted_to_it(config):
    whole, half = load(config()), load(config(train_fraction=0.5))
    assert sizes(half) == {"train": 40, "validation": 10, "test": 10}
    assert set(half.splits["train"].ids) < set(whole.splits["train"].ids)
    assert half.splits["test"].ids == whole.splits["test"].ids
    assert half.spec.target_mean == pytest.approx(half.splits["train"].targets.mean())
    assert np.mean(half.splits["train"].inputs["numeric"]) == pytest.approx(0, abs=1e-6)


def test_classes_are_cut_in_proportion(config):
    dataset = load(config(target="cut", target_type="class", categorical="", multi_valued="tags"))
    assert dataset.spec.classes == ("a", "b", "c")
    assert sorted(np.bincount(dataset.splits["train"].targets).tolist()) == [26, 27, 27]
    assert sorted(np.bincount(dataset.splits["test"].targets).tolist()) == [3, 3, 4]


def test_vectors_group_numbers_and_the_others_stand_alone(make_table_config, tmp_path):
    rows = [(i, i + 1, i * i, -i, 3 * i) for i in range(30)]
    path = write(tmp_path / "t.csv", rows, ("a", "b", "c", "d", "y"))
    config = make_table_config(path=path, target="y", numeric=("a", "b", "c", "d"), vectors="c, a")
    assert load(config).spec.vectors == ((2, 0), (1,), (3,))


def test_what_is_missing_or_unseen_is_counted_told_and_kept(config, tmp_path, lines):
    rows = [row(i) for i in range(20)]
    rows[3] = ("r3", "", "x", "", 1)
    train = write(tmp_path / "train.csv", rows)
    test = write(tmp_path / "test.csv", [("t", "new", "w|x|y|z|x", 1, 1), *rows[:3]])
    dataset = load(config(path=train, path_test=test, path_validation=train, multi_valued="tags"))
    assert dataset.preprocessor.gaps == {
        "train": {"cut": Gaps(missing=1), "tags": Gaps(missing=5), "carat": Gaps(missing=1)},
        "validation": {"cut": Gaps(missing=1), "tags": Gaps(missing=5), "carat": Gaps(missing=1)},
        "test": {"cut": Gaps(unseen=1), "tags": Gaps(missing=1, unseen=1, cut=1)},
    }
    assert lines == [
        "INFO: train.csv, train split: 'cut': 1 missing; 'tags': 5 missing; 'carat': 1 missing",
        "INFO: train.csv, validation split: 'cut': 1 missing; 'tags': 5 missing; 'carat': 1 missing",
        "INFO: train.csv, test split: 'cut': 1 unseen; 'tags': 1 missing, 1 unseen, 1 cut",
    ]


def test_a_category_of_its_own_for_every_row_is_a_warning(config, lines):
    load(config(categorical="name,cut"))
    warnings = [line for line in lines if line.startswith("WARNING")]
    assert len(warnings) == 1
    assert "column 'name' (data.categorical) has as many values as training rows, 80" in warnings[0]


def test_controls_bring_their_columns_vectors_and_references(make_table_config):
    dataset = load(make_table_config(name="synthetic_measured"))
    assert sizes(dataset) == {"train": 200, "validation": 50, "test": 60}
    assert dataset.spec.vectors == ((0, 1), (2, 3), (4, 5))
    assert dataset.references["bayes_optimal"]["test"]["rmse"] > 0
    dataset = load(make_table_config(name="synthetic_interactions"))
    assert [(field.num_rows, field.max_values) for field in dataset.spec.categorical] == [(6, 1)] * 3
    dataset = load(make_table_config(name="synthetic_scalars", numeric="x_0,x_2"))
    assert [field.name for field in dataset.spec.numeric] == ["x_0", "x_2"]


def test_bags_of_a_control_keep_their_counts(make_table_config):
    config = make_table_config(name="synthetic_interactions")
    config.synthetic.kind = "count"
    dataset = load(config)
    train = dataset.splits["train"].inputs["bag_items"]
    assert train.shape == (200, 5)
    assert set((train > 0).sum(axis=1)) == {1, 2, 3, 4, 5}


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"target": ""}, r"stones.csv: data.target: name the column to predict; found columns 'name', 'cut'"),
        ({"target": "prize"}, r"no column 'prize' \(data.target\) \(did you mean 'price'\?\); found columns"),
        ({"categorical": "cutt"}, r"no column 'cutt' \(data.categorical\) \(did you mean 'cut'\?\)"),
        ({"numeric": "karat"}, r"no column 'karat' \(data.numeric\) \(did you mean 'carat'\?\)"),
        ({"multi_valued": "tag"}, r"no column 'tag' \(data.multi_valued\) \(did you mean 'tags'\?\)"),
        ({"id_column": "nam"}, r"no column 'nam' \(data.id_column\) \(did you mean 'name'\?\)"),
        ({"categorical": "cut,cut"}, r"column 'cut' is named in data.categorical twice"),
        ({"multi_valued": "cut"}, r"column 'cut' is named in data.categorical and data.multi_valued"),
        ({"numeric": "price"}, r"column 'price' is named in data.target and data.numeric"),
        ({"categorical": "", "numeric": "none"}, r"no feature to predict 'price' from: name columns in"),
        (
            {"target": "cut", "categorical": "tags"},
            r"line 2: column 'cut' .*found 'a'; .*data.target_type=class",
        ),
        (
            {"numeric": "name"},
            r"stones.csv, line 2: column 'name' \(data.numeric\): expected a number, found 'r0'",
        ),
        ({"target_type": "clas"}, r"data.target_type: expected .*found 'clas' \(did you mean 'class'\?\)"),
        ({"target_transform": "ln"}, r"data.target_transform: expected .*'none' or 'log', found 'ln'"),
        ({"target_type": "class", "target_transform": "log"}, r"data.target_transform=log needs a number"),
        (
            {"target": "carat", "numeric": "", "target_transform": "log"},
            r"line 2: the target 'carat' is 0, but",
        ),
        ({"vectors": "carat,price"}, r"data.vectors: 'price' is not in data.numeric"),
        ({"vectors": "carat;carat"}, r"data.vectors names 'carat' twice"),
        ({"value_separator": ""}, r"data.value_separator: expected a text"),
        ({"train_fraction": 0.0}, r"data.train_fraction must lie in \(0, 1\], got 0.0"),
        ({"path": "", "path_test": "x.csv"}, r"data.path_test=x.csv needs data.path, the file to train on"),
        ({"path": "", "name": "movielens"}, r"no data set 'movielens' \(did you mean 'movielens_small'\?\)"),
    ],
)
def test_a_wrong_config_is_one_line(config, overrides, message):
    with pytest.raises(ValueError, match=message) as error:
        load(config(**overrides))
    assert "\n" not in str(error.value)


def test_a_missing_target_names_its_line(config, tmp_path):
    path = write(tmp_path / "t.csv", [row(0), (*row(1)[:4], ""), row(2)])
    with pytest.raises(ValueError, match=r"t.csv, line 3: the target 'price' is missing"):
        load(config(path=path))
    with pytest.raises(ValueError, match=r"t.csv, line 3: the target 'price' is missing"):
        load(config(path_test=path))


def test_a_test_file_without_the_target_column_is_named(config, tmp_path):
    path = write(tmp_path / "t.csv", [row(0)[:4]], HEADER[:4])
    with pytest.raises(ValueError, match=r"t.csv: no column 'price' \(data.target\)"):
        load(config(path_test=path))


def test_a_constant_target_is_refused(config, tmp_path):
    path = write(tmp_path / "t.csv", [(*row(i)[:4], 5) for i in range(20)])
    with pytest.raises(
        ValueError, match=r"t.csv: the target 'price' is the same in all 16 training rows \(5\)"
    ):
        load(config(path=path))


def test_numbers_are_cut_at_random_into_disjoint_exhaustive_ordered_parts():
    parts = random_splits(103, ["test", "validation"], 0, "a.csv")
    assert {name: len(part) for name, part in parts.items()} == {"train": 83, "test": 10, "validation": 10}
    assert sorted(i for part in parts.values() for i in part) == list(range(103))
    assert all(np.all(np.diff(part) > 0) for part in parts.values())
    assert np.array_equal(parts["test"], random_splits(103, ["test"], 0, "a.csv")["test"])
    assert np.array_equal(random_splits(3, [], 0, "a.csv")["train"], [0, 1, 2])


def test_too_few_rows_to_cut_are_told():
    with pytest.raises(
        ValueError, match=r"a.csv: too few rows to cut test and validation from: found 3, exp.* 4;"
    ):
        random_splits(3, ["test", "validation"], 0, "a.csv")
