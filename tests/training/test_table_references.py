"""The simple methods on tables are what they say, and are fitted to the training split alone."""

import dataclasses

import numpy as np
import pytest

from data import Dataset, Split
from data.table_preprocessor import CategoricalField, NumericField, TablePreprocessor, TableSpec
from data.table_roles import Roles
from training.references import tables
from training.references.tables import table_references

SIZES = {"train": 600, "validation": 150, "test": 150}


def field(name, num_rows, max_values=1):
    return CategoricalField(name=name, num_rows=num_rows, max_values=max_values)


def draw(rng, size):
    """Two categories of 6 values, bags of at most 3 out of 5, two numbers of which some are missing."""
    bags = rng.integers(2, 7, size=(size, 3))
    bags[np.arange(3) >= rng.integers(0, 4, size=size)[:, None]] = 0
    numbers = rng.standard_normal((size, 2))
    numbers[rng.random((size, 2)) < 0.1] = np.nan
    return {
        "categories": rng.integers(2, 8, size=(size, 2)).astype(np.int32),
        "bag_tags": bags.astype(np.int32),
        "numeric": numbers.astype(np.float32),
    }


SPEC = TableSpec(
    categorical=(field("cut", 8), field("color", 8), field("tags", 7, max_values=3)),
    numeric=tuple(NumericField(name=name, mean=0.0, scale=1.0, edges=(-1.0, 1.0)) for name in "xy"),
    vectors=((0,), (1,)),
)


def make(target, spec=SPEC, draw=draw):
    """A dataset whose targets are a function of the inputs and a generator."""
    rng = np.random.default_rng(0)
    splits = {}
    for name, size in SIZES.items():
        inputs = draw(rng, size)
        targets = np.asarray(target(inputs, rng))
        targets = targets.astype(np.int32 if spec.classes else np.float32)
        splits[name] = Split(inputs, targets, [str(i) for i in range(size)])
    return Dataset(
        "made", splits, spec, TablePreprocessor(spec=spec, roles=Roles(target="y"), vocabularies={})
    )


def additive(inputs, rng):
    ids, bags, x = inputs["categories"], inputs["bag_tags"], inputs["numeric"]
    y = ids[:, 0] ** 2 - 3.0 * ids[:, 1] + 5 * (bags == 4).sum(axis=1)
    return y + np.where(np.isnan(x[:, 0]), 7, 2 * x[:, 0])


def parity(inputs, rng):
    return (-1.0) ** inputs["categories"].sum(axis=1) + 0.01 * rng.standard_normal(len(inputs["categories"]))


@pytest.fixture(scope="module")
def added():
    return make(additive)


@pytest.fixture(scope="module")
def references(added):
    return table_references(added)


def test_numbers_have_three_references_with_three_metrics_on_two_splits(references):
    assert list(references) == ["mean", "ridge", "gradient_boosting"]
    for by_split in references.values():
        assert list(by_split) == ["validation", "test"]
        assert all(set(metrics) == {"rmse", "mae", "r2"} for metrics in by_split.values())


def test_the_mean_is_that_of_the_training_split_and_metrics_are_scikit_learns(added, references):
    from sklearn import metrics

    targets = added.splits["test"].targets
    answers = np.full(len(targets), added.splits["train"].targets.mean(dtype=np.float64))
    assert references["mean"]["test"] == pytest.approx(
        {
            "rmse": metrics.root_mean_squared_error(targets, answers),
            "mae": metrics.mean_absolute_error(targets, answers),
            "r2": metrics.r2_score(targets, answers),
        }
    )


def test_ridge_finds_what_is_additive_over_categories_bag_counts_numbers_and_missing_ones(references):
    assert references["ridge"]["test"]["r2"] > 0.9999


def test_ridge_cannot_see_an_interaction_that_trees_see():
    found = table_references(make(parity))
    assert found["ridge"]["test"]["r2"] < 0.1
    assert found["gradient_boosting"]["test"]["r2"] > 0.95


@pytest.mark.parametrize("penalty", tables._PENALTIES)
def test_ridge_equals_scikit_learns(added, penalty):
    from sklearn.linear_model import Ridge

    features = {name: tables._one_hot(SPEC, split) for name, split in added.splits.items()}
    targets = added.splits["train"].targets.astype(np.float64)
    model = dict(zip(reversed(tables._PENALTIES), tables._ridge(features["train"], targets), strict=True))
    expected = Ridge(alpha=penalty).fit(features["train"].toarray(), targets)
    np.testing.assert_allclose(
        model[penalty](features["test"]), expected.predict(features["test"].toarray()), rtol=1e-3, atol=1e-3
    )


def test_the_penalty_is_the_one_that_is_best_on_validation():
    def noisy(inputs, rng):
        return inputs["numeric"][:, 0] * 0 + rng.standard_normal(len(inputs["numeric"]))

    def no_gaps(rng, size):
        return {**draw(rng, size), "numeric": rng.standard_normal((size, 2)).astype(np.float32)}

    dataset = make(noisy, draw=no_gaps)
    train, validation = dataset.splits["train"], dataset.splits["validation"]
    features = {name: tables._one_hot(SPEC, split) for name, split in dataset.splits.items()}
    models = tables._ridge(features["train"], train.targets.astype(np.float64))
    errors = [np.mean((model(features["validation"]) - validation.targets) ** 2) for model in models]
    found = table_references(dataset)["ridge"]["validation"]["rmse"]
    assert found == pytest.approx(np.sqrt(min(errors)))
    assert max(errors) > min(errors)


def test_one_hot_features_count_the_values_of_a_bag_and_flag_missing_numbers():
    split = Split(
        {
            "categories": np.asarray([[2, 0]], np.int32),
            "bag_tags": np.asarray([[3, 3, 0]], np.int32),
            "numeric": np.asarray([[0.5, np.nan]], np.float32),
        },
        None,
        ["0"],
    )
    cut, color, tags, rest = np.split(tables._one_hot(SPEC, split).toarray()[0], [8, 16, 23])
    np.testing.assert_array_equal(cut, np.eye(8)[2])
    np.testing.assert_array_equal(color, np.eye(8)[0])  # missing is a category
    np.testing.assert_array_equal(tags, 2 * np.eye(7)[3])
    np.testing.assert_array_equal(rest, [0.5, 0, 0, 1])


def test_trees_get_small_fields_as_categories_and_large_ones_by_the_mean_of_their_targets():
    spec = TableSpec(categorical=(field("small", 255), field("large", 302)))

    def pairs(rng, size):
        ids = np.stack([rng.integers(2, 255, size), rng.integers(2, 302, size)], axis=1)
        ids[:3, 1] = [0, 1, 2]
        return {"categories": ids.astype(np.int32)}

    dataset = make(lambda inputs, rng: inputs["categories"][:, 1] > 150, spec, pairs)
    columns, is_categorical = tables._tree_columns(dataset)
    again, _ = tables._tree_columns(dataset)
    assert is_categorical == [True, False]
    for name, split in dataset.splits.items():
        np.testing.assert_array_equal(columns[name], again[name])
        np.testing.assert_array_equal(columns[name][:, 0], split.inputs["categories"][:, 0])
        assert np.corrcoef(columns[name][:, 1], split.targets)[0, 1] > 0.4
    # An answer is not in its own encoding: with one row per category nothing can be known.
    unique = dataclasses.replace(
        dataset.splits["train"],
        inputs={"categories": np.stack([np.full(300, 2), np.arange(2, 302)], axis=1).astype(np.int32)},
        targets=np.arange(300).astype(np.float32) % 2,
        ids=[str(i) for i in range(300)],
    )
    alone = dataclasses.replace(dataset, splits={**dataset.splits, "train": unique})
    assert abs(np.corrcoef(tables._tree_columns(alone)[0]["train"][:, 1], unique.targets)[0, 1]) < 0.3


@pytest.mark.parametrize("num_classes", [2, 3])
def test_classes_have_references_with_an_accuracy(num_classes):
    spec = dataclasses.replace(SPEC, classes=("bad", "fair", "good")[:num_classes])
    found = table_references(make(lambda inputs, rng: inputs["categories"][:, 0] % num_classes, spec))
    assert list(found) == ["majority_class", "logistic_regression", "gradient_boosting"]
    for name, by_split in found.items():
        assert list(by_split) == ["validation", "test"]
        assert (by_split["test"]["accuracy"] > 0.99) == (name != "majority_class")
    assert 0.2 < found["majority_class"]["test"]["accuracy"] < 0.65


def test_a_split_whose_targets_are_all_equal_explains_nothing(added):
    constant = dataclasses.replace(added.splits["test"], targets=np.ones(SIZES["test"], np.float32))
    found = table_references(dataclasses.replace(added, splits={**added.splits, "test": constant}))
    assert found["ridge"]["test"]["r2"] == 0.0


def test_a_reference_that_cannot_be_measured_is_left_out_and_the_others_stay():
    """Training rows of one class, as a small train_fraction may leave: scikit-learn's linear model refuses them."""
    classes = dataclasses.replace(SPEC, classes=("a", "b"))
    dataset = make(lambda inputs, rng: np.zeros(len(inputs["categories"])), classes)
    references = table_references(dataset)
    assert references["majority_class"]["test"]["accuracy"] == 1.0
    assert "logistic_regression" not in references
