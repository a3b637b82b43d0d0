"""Synthetic tables are what their formulas say, and the least error that any model can have on them is known."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configs import categorical
from data.synthetic import KINDS, NAMES, make_synthetic

FEATURES = ["additive", "product", "max", "xor", "mixed"]


def config_of(name="synthetic_interactions", **fields):
    config = categorical.get_config().data
    config.name = name
    small = {"num_train": 600, "num_validation": 50, "num_test": 60, "num_values": 5}
    config.synthetic.update({**small, **fields})
    return config


def make(name="synthetic_interactions", **fields):
    return make_synthetic(config_of(name, **fields))


def targets(made, split="train"):
    return np.asarray(made.tables[split].columns[made.target])


def ids(made, split="train"):
    columns = made.tables[split].columns
    return np.stack([[int(cell[1:]) for cell in columns[name]] for name in made.categorical], axis=1)


def unexplained(features, y):
    """The share of the variance of y that no linear function of the features explains."""
    features = np.column_stack([features, np.ones(len(y))])
    errors = y - features @ np.linalg.lstsq(features, y, rcond=None)[0]
    return errors.var() / y.var()


def one_hot(columns, num_values=5):
    return np.concatenate([np.eye(num_values)[column] for column in columns.T], axis=1)


@pytest.mark.parametrize("name", NAMES)
def test_the_same_config_gives_the_same_tables_and_another_seed_others(name):
    first, again, other = make(name), make(name), make(name, seed=1)
    for split, size in {"train": 600, "validation": 50, "test": 60}.items():
        assert len(first.tables[split]) == size
        assert first.tables[split].columns == again.tables[split].columns
        assert first.tables[split].columns != other.tables[split].columns
    assert first.references == again.references


@pytest.mark.parametrize("kind", KINDS)
def test_the_noise_free_target_is_standardised_and_the_best_possible_error_is_that_of_the_noise(kind):
    clean, noisy = (make(kind=kind, noise=noise) for noise in (0.0, 0.5))
    np.testing.assert_allclose([targets(clean).mean(), targets(clean).std()], [0, 1], atol=1e-9)
    assert clean.references["bayes_optimal"]["test"] == {"rmse": 0.0, "mae": 0.0}
    for split in ("validation", "test"):
        noise = targets(noisy, split) - targets(clean, split)
        expected = {"rmse": np.sqrt(np.mean(noise**2)), "mae": np.mean(np.abs(noise))}
        assert noisy.references["bayes_optimal"][split] == pytest.approx(expected)
        assert expected["rmse"] == pytest.approx(0.5, rel=0.3)


@given(
    st.sampled_from(FEATURES), st.integers(1, 4), st.integers(2, 9), st.integers(20, 60), st.integers(0, 99)
)
@settings(max_examples=40)
def test_every_value_of_every_feature_occurs_in_training_as_often_as_the_others(
    kind, num_features, num_values, num_train, seed
):
    made = make(
        kind=kind, num_features=num_features, num_values=num_values, num_train=num_train, seed=seed, noise=0.1
    )
    for column in ids(made).T:
        counts = Counter(column.tolist())
        assert len(counts) == num_values
        assert max(counts.values()) - min(counts.values()) <= 1
    assert set(ids(made, "test").ravel()) <= set(range(num_values))


def test_an_additive_target_is_a_sum_over_features():
    made = make(kind="additive", noise=0.0)
    assert unexplained(one_hot(ids(made)), targets(made)) < 1e-12


@pytest.mark.parametrize("kind", ["product", "xor"])
def test_of_a_product_one_feature_alone_tells_little_and_two_of_two_tell_all(kind):
    made = make(kind=kind, num_features=2, num_values=6, noise=0.0)
    pairs = ids(made)
    assert unexplained(one_hot(pairs, 6), targets(made)) > 0.5
    assert unexplained(np.eye(36)[pairs[:, 0] * 6 + pairs[:, 1]], targets(made)) < 1e-12


def test_a_product_of_two_features_has_the_rank_of_the_effect_vectors():
    made = make(kind="product", num_features=2, num_values=12, effect_dim=3, noise=0.0, num_train=4000)
    matrix = np.zeros((12, 12))
    matrix[tuple(ids(made).T)] = targets(made)
    # Standardising adds a constant, which has rank one.
    assert np.linalg.matrix_rank(matrix, tol=1e-9) <= 4
    assert np.linalg.matrix_rank(matrix, tol=1e-9) >= 3


def test_a_parity_has_two_values_and_says_nothing_of_fewer_than_all_features():
    made = make(kind="xor", num_values=6, num_train=4000, noise=0.0)
    assert len(np.unique(targets(made).round(9))) == 2
    first_two = ids(made)[:, 0] * 6 + ids(made)[:, 1]
    assert unexplained(np.eye(36)[first_two], targets(made)) > 0.97


def test_a_maximum_is_partly_additive_and_grows_with_no_feature_beyond_it():
    made = make(kind="max", noise=0.0, num_train=4000)
    assert 0.02 < unexplained(one_hot(ids(made)), targets(made)) < 0.6
    single = make(kind="max", num_features=1, noise=0.0)
    assert unexplained(one_hot(ids(single)), targets(single)) < 1e-12


def test_mixed_is_additive_and_product_in_equal_parts():
    made = make(kind="mixed", num_features=2, num_values=10, num_train=5000, noise=0.0)
    assert unexplained(one_hot(ids(made), 10), targets(made)) == pytest.approx(0.5, abs=0.15)


def test_a_count_is_linear_in_how_often_each_item_is_in_the_bag_and_not_in_how_large_its_share_is():
    made = make(kind="count", bag_length=8, noise=0.0)
    assert (made.categorical, made.multi_valued) == ((), ("items",))
    bags = made.tables["train"].columns["items"]
    assert Counter(map(len, bags)).keys() == set(range(1, 9))
    counts = np.stack([[bag.count(f"v{i}") for i in range(5)] for bag in bags])
    assert unexplained(counts, targets(made)) < 1e-12
    assert unexplained(counts / counts.sum(axis=1, keepdims=True), targets(made)) > 0.3
    effects = np.linalg.lstsq(np.column_stack([counts, np.ones(600)]), targets(made), rcond=None)[0][:-1]
    assert len(np.unique(effects.round(9))) == 2  # an item counts, or it does not


def test_measured_vectors_have_weights_of_their_own():
    made = make("synthetic_measured", num_features=3, effect_dim=4, noise=0.0)
    assert made.vectors == "a_0,a_1,a_2,a_3;b_0,b_1,b_2,b_3;c_0,c_1,c_2,c_3"
    assert made.numeric == tuple(made.vectors.replace(";", ",").split(","))
    x = np.stack([made.tables["train"].columns[name] for name in made.numeric], axis=1)
    assert unexplained(x, targets(made)) < 1e-12
    assert unexplained(x.reshape(-1, 3, 4).sum(axis=1), targets(made)) > 0.3


def test_scalars_have_coefficients_of_both_signs():
    made = make("synthetic_scalars", num_features=4, noise=0.0)
    assert (made.numeric, made.vectors) == (("x_0", "x_1", "x_2", "x_3"), "")
    x = np.stack([made.tables["train"].columns[name] for name in made.numeric], axis=1)
    coefficients = np.linalg.lstsq(np.column_stack([x, np.ones(600)]), targets(made), rcond=None)[0][:-1]
    assert (np.sign(coefficients) == [1, -1, 1, -1]).all()
    assert unexplained(x, targets(made)) < 1e-12
    assert unexplained(x.sum(axis=1), targets(made)) > 0.8


@pytest.mark.parametrize(
    ("name", "fields", "message"),
    [
        ("synthetic_scalar", {}, r"no control 'synthetic_scalar' \(did you mean 'synthetic_scalars'\?\)"),
        (
            "synthetic_interactions",
            {"kind": "xro"},
            r"no kind 'xro' \(did you mean 'xor'\?\); expected one of",
        ),
        ("synthetic_interactions", {"num_values": 1}, "num_values: expected .* at least 2, found 1"),
        ("synthetic_interactions", {"num_features": 0}, "num_features: expected .* at least 1, found 0"),
        ("synthetic_interactions", {"num_test": 0}, "num_test: expected .* at least 1, found 0"),
        ("synthetic_interactions", {"seed": -1}, "seed: expected .* at least 0, found -1"),
        ("synthetic_interactions", {"noise": -0.1}, "noise: expected a number of at least 0.*found -0.1"),
        (
            "synthetic_interactions",
            {"num_train": 4},
            "num_train=4: too few rows to show each of num_values=5",
        ),
        ("synthetic_measured", {"effect_dim": 1}, "at least 2 numbers, found 1; use synthetic_scalars"),
        ("synthetic_measured", {"num_features": 27}, "at most 26 measured vectors .*found 27"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(name, fields, message):
    with pytest.raises(ValueError, match=message) as error:
        make(name, **fields)
    assert "\n" not in str(error.value)


def test_targets_that_are_all_equal_are_refused():
    # Two balanced rows of two signs are (+, +) and (-, -), or (+, -) and (-, +).
    with pytest.raises(ValueError, match="all 2 training targets are equal; raise num_train"):
        make(kind="xor", num_features=2, num_values=2, num_train=2)
