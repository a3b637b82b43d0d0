"""Probes: what they find is there, what is not there they do not find, and chance is exactly a half for order."""

import json

import ml_collections
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.linear_model import Ridge
from sklearn.metrics import roc_auc_score

from analysis.sums.combiner_probes import (
    MEASURES,
    PROBES,
    Bags,
    combine_bags,
    draw_bags,
    mean_auc,
    measure_probes,
    probe_combiners,
)
from analysis.sums.probe_expectations import EXPECTATIONS, check_expectations
from analysis.sums.probe_figures import plot_probes
from analysis.sums.probe_page import probe_section
from analysis.sums.probe_training import Training, fit_mlp, fit_ridge, fit_standardiser
from combiners import combiner_class

WORDS, N, TRAIN, TEST, SEEDS = 8, 4, 512, 200, (0, 1)
TRAINING = Training(hidden=32, steps=150, batch=128, learning_rate=1e-2)


def probe(make):
    """Measures what probes read from vectors that `make` computes from the words of bags, [bags, n] -> [bags, out]."""
    bags = draw_bags(N, WORDS, TRAIN, TEST, SEEDS)
    unordered, ordered = (
        np.stack([make(of_seed) for of_seed in ids]).astype(np.float32) for ids in (bags.words, bags.ordered)
    )
    return measure_probes(unordered, ordered, bags, WORDS, TRAIN, TRAINING)


def one_hot(ids):
    return np.eye(WORDS)[ids]


@pytest.mark.parametrize("reader", PROBES)
def test_all_is_read_from_words_side_by_side(reader):
    found = probe(lambda ids: one_hot(ids).reshape(len(ids), -1))
    assert found["set"][reader]["mean"] > 0.99
    assert found["counts"][reader]["mean"] > 0.99
    assert found["exact"][reader]["mean"] == 1.0
    assert found["order"][reader]["mean"] > 0.97


@pytest.mark.parametrize("reader", PROBES)
def test_counts_alone_give_no_order(reader):
    found = probe(lambda ids: one_hot(ids).sum(axis=1))
    assert found["exact"][reader]["mean"] == 1.0
    assert found["order"][reader] == {"per_seed": [0.5, 0.5], "mean": 0.5, "ci95": [0.5, 0.5]}


@pytest.mark.parametrize("reader", PROBES)
def test_a_set_alone_gives_neither_counts_nor_order(reader):
    found = probe(lambda ids: one_hot(ids).max(axis=1))
    assert found["set"][reader]["mean"] > 0.99
    assert found["counts"][reader]["mean"] < 0.9
    assert found["exact"][reader]["mean"] < 0.75
    assert found["order"][reader]["mean"] == 0.5


def test_what_takes_a_curve_is_read_by_the_mlp_and_not_by_the_ridge():
    def parity_of_order(ids):  # whether A stands first, hidden in the product of two random signs
        first = np.argmax(ids < WORDS // 4, axis=1) < np.argmax(
            (ids >= WORDS // 4) & (ids < WORDS // 2), axis=1
        )
        sign = np.random.default_rng(0).choice([-1.0, 1.0], len(ids))
        return np.stack([sign, np.where(first, sign, -sign)], axis=1)

    found = probe(parity_of_order)
    assert found["order"]["mlp"]["mean"] > 0.97
    assert abs(found["order"]["ridge"]["mean"] - 0.5) < 0.1


@pytest.mark.parametrize(
    "make",
    [
        lambda ids: np.random.default_rng(1).standard_normal((len(ids), 5)),
        lambda ids: np.ones((len(ids), 3)),
    ],
    ids=["noise", "a constant"],
)
def test_nothing_is_read_where_nothing_is(make):
    found = probe(make)
    for reader in PROBES:
        assert abs(found["set"][reader]["mean"] - 0.5) < 0.05
        assert -0.3 < found["counts"][reader]["mean"] < 0.02
        assert found["exact"][reader]["mean"] < 0.02
        assert abs(found["order"][reader]["mean"] - 0.5) < 0.1


@given(st.integers(2, 6), st.integers(4, 13))
def test_ordered_bags_hold_one_mark_of_each_sort_and_come_in_swapped_pairs(n, num_words):
    bags = draw_bags(n, num_words, 20, 10, (0, 1))
    quarter = num_words // 4
    is_a, is_b = bags.ordered < quarter, (bags.ordered >= quarter) & (bags.ordered < 2 * quarter)
    assert (is_a.sum(axis=2) == 1).all()
    assert (is_b.sum(axis=2) == 1).all()
    np.testing.assert_array_equal(is_a.argmax(axis=2) < is_b.argmax(axis=2), bags.first)
    tested, first = bags.ordered[:, 20:], bags.first[:, 20:]
    np.testing.assert_array_equal(np.sort(tested[:, ::2]), np.sort(tested[:, 1::2]))
    np.testing.assert_array_equal(first[:, ::2], ~first[:, 1::2])
    assert ((tested[:, ::2] != tested[:, 1::2]).sum(axis=2) == 2).all()
    assert bags.words.shape == (2, 30, n)
    assert not np.array_equal(bags.words[0], bags.words[1])


@given(
    arrays(np.int64, (12, 3), elements=st.integers(0, 1)),
    arrays(np.float64, (12, 3), elements=st.integers(0, 4)),
)
def test_the_area_under_the_curve_is_that_of_scikit_learn_ties_included(present, scores):
    present = present.astype(bool)
    areas = [
        roc_auc_score(present[:, j], scores[:, j]) for j in range(3) if 0 < present[:, j].sum() < len(present)
    ]
    if areas:
        assert mean_auc(present, scores) == pytest.approx(np.mean(areas), abs=1e-12)
    else:
        with pytest.raises(ValueError, match="all bags hold the same words"):
            mean_auc(present, scores)


def test_the_ridge_is_that_of_scikit_learn():
    rng = np.random.default_rng(0)
    x, targets = rng.standard_normal((40, 5)) * [1, 10, 0.1, 3, 0] + 2, rng.standard_normal((40, 2))
    standardised = fit_standardiser(x)(x)
    assert not standardised[:, 4].any()  # does not vary
    np.testing.assert_allclose(standardised[:, :4].std(axis=0), 1)
    theirs = Ridge(alpha=0.3 * 40).fit(standardised, targets).predict(standardised)
    np.testing.assert_allclose(fit_ridge(standardised, targets, 0.3)(standardised), theirs, atol=1e-10)


def test_the_mlp_of_a_seed_is_the_same_whatever_stands_beside_it():
    rng = np.random.default_rng(0)
    x, targets = rng.standard_normal((2, 64, 3)), rng.standard_normal((2, 64, 2))
    ridge = fit_ridge(x, targets)
    both = fit_mlp(x, targets, ridge, TRAINING)(x)
    swapped = np.stack([x[0], x[0]]), np.stack([targets[0], targets[0]])
    np.testing.assert_allclose(
        fit_mlp(*swapped, fit_ridge(*swapped), TRAINING)(swapped[0])[0], both[0], atol=1e-4
    )


def test_a_combiner_is_applied_to_the_embeddings_of_the_words_around_its_own_mean():
    ids = np.array([[[0, 1], [1, 0], [0, 0]]])
    product = combine_bags(combiner_class("product"), ids, 3, 4, (5,))
    table = 1 + np.random.default_rng([5, 4, 3]).standard_normal((4, 3))
    np.testing.assert_allclose(product[0], table[ids[0]].prod(axis=1), rtol=1e-5)


def config_of(**fields):
    config = ml_collections.ConfigDict()
    config.probes = {
        "combiners": ("sum", "max", "concat", "first", "abs_difference"),
        "numbers": (2, 4),
        "dims": (16,),
        "vocabulary": WORDS,
        "num_train": TRAIN,
        "num_test": TEST,
        "seeds": SEEDS,
        "max_width": 512,
        "hidden": 32,
        "steps": 100,
        "batch": 128,
        "learning_rate": 1e-2,
    }
    config.probes.update(fields)
    return config


@pytest.fixture(scope="module")
def probed(tmp_path_factory):
    """The folder, the results and {(combiner, n): row} of five combiners for bags of two and four words."""
    output = tmp_path_factory.mktemp("probes")
    results = probe_combiners(config_of(), output)
    return output, results, {(row["combiner"], row["n"]): row for row in results["rows"]}


def test_a_sum_keeps_counts_and_loses_order(probed):
    _, _, rows = probed
    for n in (2, 4):
        assert rows["sum", n]["exact"]["ridge"]["mean"] > 0.98
        assert rows["sum", n]["order"]["mlp"]["mean"] == pytest.approx(0.5, abs=0.005)


def test_a_concatenation_keeps_the_order_and_a_first_vector_a_part_of_it(probed):
    _, _, rows = probed
    assert rows["concat", 4]["order"]["ridge"]["mean"] > 0.95
    assert rows["concat", 4]["width"] == 64
    # A mark stands in the first of four slots in half of the bags: 1/2 + 1/4.
    assert rows["first", 4]["order"]["mlp"]["mean"] == pytest.approx(0.75, abs=0.06)
    assert rows["first", 4]["counts"]["ridge"]["mean"] == pytest.approx(0.25, abs=0.05)


def test_a_maximum_keeps_the_set_better_than_the_counts(probed):
    _, _, rows = probed
    assert rows["max", 4]["set"]["mlp"]["mean"] > 0.85
    assert rows["max", 4]["exact"]["mlp"]["mean"] < rows["sum", 4]["exact"]["mlp"]["mean"] - 0.3


def test_what_cannot_be_probed_says_why(probed):
    _, _, rows = probed
    assert "reason" not in rows["abs_difference", 2]
    assert rows["abs_difference", 4]["reason"] == "combines exactly 2 vectors"


def test_what_is_too_wide_is_left_out(tmp_path):
    (row,) = probe_combiners(config_of(combiners=("concat",), numbers=(4,), max_width=63), tmp_path)["rows"]
    assert row["reason"] == "output of 64 numbers, more than max_width=63"


def test_finished_cells_are_kept_and_results_are_json(probed):
    output, results, _ = probed
    before = (output / "combiner_probes.json").read_text()
    assert probe_combiners(config_of(), output) == results
    assert (output / "combiner_probes.json").read_text() == before
    json.dumps(results, allow_nan=False)


def test_the_page_shows_every_combiner_with_what_it_declares_and_the_figure(probed, tmp_path):
    _, results, _ = probed
    page = probe_section(results, "probes.png")
    assert "(probes.png)" in page
    assert "order, counts, and all but the largest value of each dimension" in page
    assert "- combines exactly 2 vectors: `abs_difference` at (n, d) = (4, 16)" in page
    assert all(f"| `{row['combiner']}` |" in page for row in results["rows"] if "reason" not in row)
    assert "came true in" in page
    plot_probes(results, tmp_path / "probes.png")
    assert (tmp_path / "probes.png").read_bytes().startswith(b"\x89PNG")


def test_expectations_hold_here_and_say_so_where_they_do_not(probed):
    _, results, _ = probed
    assert not [e for e in results["expectations"] if e["measure"] == "order" and e["failed"]]
    lying = [
        {**row, "order": {reader: {"mean": 0.8} for reader in PROBES}}
        for row in results["rows"]
        if row["combiner"] == "sum"
    ]
    (blind,) = [e for e in check_expectations(lying, WORDS) if e["measure"] == "order"]
    assert blind["checked"] == len(blind["failed"]) == 2
    assert blind["failed"][0] == {
        "combiner": "sum",
        "n": 2,
        "dim": 16,
        "mean": 0.8,
        "expected": [0.495, 0.505],
    }


def test_every_expectation_speaks_of_a_measure_and_a_probe_that_there_are():
    assert {e.measure for e in EXPECTATIONS} <= set(MEASURES)
    assert {e.probe for e in EXPECTATIONS} <= set(PROBES)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"combiners": ("summ",)}, r"unknown combiner 'summ' \(did you mean 'sum'\?\)"),
        ({"vocabulary": 3}, "vocabulary must be at least 4, got 3"),
        ({"numbers": (1, 2)}, r"numbers must be at least 2, .* got \(1, 2\)"),
        ({"seeds": ()}, "seeds not empty"),
        ({"num_test": 7}, "the latter even, got 512 and 7"),
    ],
)
def test_what_cannot_be_is_refused_and_leaves_no_trace(tmp_path, fields, message):
    with pytest.raises(ValueError, match=message):
        probe_combiners(config_of(**fields), tmp_path)
    assert not list(tmp_path.iterdir())


def test_bags_of_all_seeds_have_one_shape():
    bags = draw_bags(3, 8, 10, 4, (0, 1, 2))
    assert isinstance(bags, Bags)
    assert [array.shape for array in bags] == [(3, 14, 3), (3, 14, 3), (3, 14)]
