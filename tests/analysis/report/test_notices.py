"""A reader is warned of what makes a table misleading, and of nothing else."""

import dataclasses
import json
import pathlib
import re

import numpy as np
import pytest

from analysis.report.evidence import Failure
from analysis.report.notices import notices

FIVE = (0.70, 0.71, 0.72, 0.73, 0.74)
OTHER_FIVE = (0.71, 0.70, 0.74, 0.73, 0.72)


def tuning(chosen=0.01, diverged=None, seeds=(100, 101), scales=(0.1,)):
    """Makes a tuning over three rates, two seeds and some scales."""
    steps = np.full((len(scales), 3, 2), -1)
    for index in diverged or ():
        steps[index] = 12
    return {
        "learning_rates": [0.001, 0.01, 0.1],
        "embedding_scales": list(scales),
        "seeds": list(seeds),
        "scores": [
            [
                [None if step >= 0 else 0.7 + 0.1 * (rate == chosen) - 0.01 * s for step in row]
                for rate, row in zip((0.001, 0.01, 0.1), rows, strict=True)
            ]
            for s, rows in enumerate(steps)
        ],
        "diverged_steps": steps.tolist(),
        "chosen": {"learning_rate": chosen, "embedding_scale": scales[0]},
    }


def only(said):
    assert len(said) == 1, said
    return said[0]


def test_a_clean_experiment_has_no_notices(make_arm, make_experiment):
    arms = [make_arm("sum", FIVE, tuning=tuning()), make_arm("max", OTHER_FIVE, tuning=tuning())]
    assert notices(make_experiment(arms)) == ()


def test_failed_arms_are_named_with_their_reason(make_arm, make_experiment):
    failure = Failure("gru", pathlib.Path("gru"), "out of memory")
    experiment = make_experiment([make_arm("max", FIVE)], failures=(failure,), reference="max")
    assert only(notices(experiment)) == "`gru` has no result: out of memory."
    missing = dataclasses.replace(experiment, reference="gru")
    assert "The reference `gru` has no result, so nothing is compared with it." in notices(missing)


def test_a_diverged_seed_is_named_with_its_step(make_arm, make_experiment):
    arms = [make_arm("sum", FIVE), make_arm("product", (0.7, np.nan, 0.7, 0.7, 0.7))]
    assert "`product` diverged with seed 1 at step 7" in only(notices(make_experiment(arms)))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"dataset": "another"}, "not tested on the same examples"),
        ({"num_examples": {"test": 51}}, "not tested on the same examples"),
        ({"versions": {"jax": "0.9"}}, "different versions"),
        ({"device": "gpu"}, "different devices"),
    ],
)
def test_runs_that_are_not_alike_are_told(make_arm, make_experiment, options, words):
    arms = [make_arm("sum", FIVE), make_arm("max", OTHER_FIVE, **options)]
    assert words in only(notices(make_experiment(arms)))


def test_test_data_of_another_fingerprint_is_told(make_arm, make_experiment, tmp_path):
    arms = []
    for label, values, fingerprint in (("sum", FIVE, "aaaaaaaaaa"), ("max", OTHER_FIVE, "bbbbbbbbbb")):
        folder = tmp_path / label
        folder.mkdir()
        (folder / "data.json").write_text(json.dumps({"test": fingerprint}))
        arms.append(make_arm(label, values, folder=folder))
    said = only(notices(make_experiment(arms)))
    assert "aaaaaaaa: `sum`" in said
    assert "bbbbbbbb: `max`" in said


def with_data(make_arm, tmp_path, label, values, fingerprints, **options):
    folder = tmp_path / label
    folder.mkdir()
    (folder / "data.json").write_text(json.dumps(fingerprints))
    return make_arm(label, values, folder=folder, **options)


def test_any_split_of_another_fingerprint_is_told_where_the_data_config_is_the_same(
    make_arm, make_experiment, tmp_path
):
    arms = [
        with_data(make_arm, tmp_path, "sum", FIVE, {"test": "t", "train": "aaaaaaaaaa", "test_longer": "s"}),
        with_data(
            make_arm, tmp_path, "max", OTHER_FIVE, {"test": "t", "train": "bbbbbbbbbb", "test_longer": "s"}
        ),
    ]
    said = only(notices(make_experiment(arms)))
    assert said.startswith("Arms with the same data config did not have the same train examples")
    assert "fingerprint aaaaaaaa: `sum`; fingerprint bbbbbbbb: `max`" in said


def test_training_examples_may_differ_with_the_data_config(make_arm, make_experiment, tmp_path):
    arms = [
        with_data(
            make_arm, tmp_path, label, values, {"test": "t", "train": label}, data={"train_fraction": part}
        )
        for label, values, part in (("a", FIVE, 0.1), ("b", OTHER_FIVE, 1.0))
    ]
    assert notices(make_experiment(arms)) == ()


def test_too_few_seeds_are_told(make_arm, make_experiment):
    few = make_experiment({"sum": [0.7, 0.8, 0.9], "max": [0.8, 0.9, 0.7]})
    assert only(notices(few)).startswith("There are 3 seeds per arm.")
    mixed = make_experiment([make_arm("sum", FIVE), make_arm("max", [0.7, 0.8])])
    assert only(notices(mixed)).startswith("Few seeds: `max` 2.")


def test_a_test_set_too_small_for_the_margin_is_told(make_arm, make_experiment):
    rng = np.random.default_rng(0)
    arms = []
    for label in ("sum", "max"):
        items = np.repeat(rng.random((1, 2000)) < 0.75, 5, axis=0)
        items[np.arange(5), np.arange(5)] ^= True
        arms.append(make_arm(label, items.mean(1), items=items))
    said = only(notices(make_experiment(arms)))
    assert said.startswith("The test set of 2,000 examples is small for a margin of 0.005")
    two_proportions = 1.96 * np.sqrt(2 * 0.75 * 0.25 / 2000)
    assert float(re.search(r"about ±([\d.]+)\. ", said)[1]) == pytest.approx(two_proportions, abs=0.002)
    assert not any("small for a margin" in s for s in notices(make_experiment(arms, margin=0.05)))


def test_seeds_used_twice_are_told(make_arm, make_experiment):
    arms = [make_arm("sum", FIVE, tuning=tuning(seeds=(4, 5))), make_arm("max", OTHER_FIVE, tuning=tuning())]
    assert only(notices(make_experiment(arms))).startswith("Seeds 4 of `sum` also chose the settings")


@pytest.mark.parametrize(
    ("chosen", "words"), [(0.1, "largest learning rate"), (0.001, "smallest learning rate")]
)
def test_a_rate_at_the_edge_of_the_grid_is_told(make_arm, make_experiment, chosen, words):
    arms = [make_arm("sum", FIVE, tuning=tuning(chosen)), make_arm("max", OTHER_FIVE, tuning=tuning(chosen))]
    assert (
        only(notices(make_experiment(arms)))
        == f"`sum` and `max` chose the {words} of the grid, {chosen:g}: a better one may lie beyond."
    )


def test_a_scale_at_the_edge_is_told_where_there_was_a_choice(make_arm, make_experiment):
    arms = [make_arm("sum", FIVE, tuning=tuning(scales=(0.1, 1.0)))]
    assert "smallest embedding scale" in only(notices(make_experiment(arms)))


@pytest.mark.parametrize(
    "scores", [[[0.5, 0.5], [0.5, 0.5], [0.5, 0.5]], [[1.0, 1.0], [1.0, 1.0], [0.9, 1.0]]]
)
def test_an_edge_that_is_no_better_than_what_lies_within_is_not_told(make_arm, make_experiment, scores):
    arm = make_arm("sum", FIVE, tuning={**tuning(chosen=0.001), "scores": [scores]})
    assert notices(make_experiment([arm])) == ()


def test_replicas_that_diverged_in_the_tuning_are_counted(make_arm, make_experiment):
    arms = [make_arm("product", FIVE, tuning=tuning(diverged=[(0, 1, 0), (0, 2, 0), (0, 2, 1)]))]
    assert (
        only(notices(make_experiment(arms)))
        == "In the tuning of `product` 3 of 6 replicas diverged, from learning rate 0.01 on."
    )


def test_different_parameter_counts_are_told_with_what_is_held_equal(make_arm, make_experiment):
    arms = [make_arm("sum", FIVE, total=1_164_290), make_arm("max", OTHER_FIVE, total=18_312)]
    said = only(notices(make_experiment(arms)))
    assert "from 18,312 (`max`) to 1,164,290 (`sum`)" in said
    assert "the combined width (match=width)" in said
    close = [make_arm("sum", FIVE, total=1000), make_arm("max", OTHER_FIVE, total=1010)]
    assert notices(make_experiment(close)) == ()


def test_arms_with_the_same_results_are_found(make_arm, make_experiment):
    said = only(notices(make_experiment({"a": FIVE, "b": OTHER_FIVE, "c": FIVE})))
    assert said.startswith("`a` and `c` have the same test metric with every seed")


@pytest.mark.parametrize(
    ("metric", "words"),
    [("accuracy", "gave the same right and wrong answers"), ("rmse", "made the same errors")],
)
def test_arms_that_are_alike_on_every_example_are_found(make_arm, make_experiment, metric, words):
    items = np.random.default_rng(0).random((5, 50)) < 0.7
    arms = [make_arm(label, FIVE, items=items, metric=metric) for label in ("a", "b")]
    said = only(notices(make_experiment(arms, metric=metric, margin=1.0)))
    assert said == f"`a` and `b` {words} with every seed: on this test data they are the same function."


@pytest.mark.parametrize("answer", [0, 1])
def test_arms_that_are_right_or_wrong_on_every_example_are_not_called_the_same(
    make_arm, make_experiment, answer
):
    items = np.full((5, 50), answer)
    arms = [make_arm(label, [float(answer)] * 5, items=items) for label in ("concat", "position_sum")]
    assert notices(make_experiment(arms)) == ()


def test_the_same_accuracy_on_other_examples_is_not_the_same_function(make_arm, make_experiment):
    items = np.repeat(np.eye(2), 50, axis=1)[[0, 0, 0, 0, 0]].astype(bool)
    arms = [make_arm("a", FIVE, items=items), make_arm("b", FIVE, items=~items)]
    assert not any("same function" in said for said in notices(make_experiment(arms, margin=1.0)))


def test_arms_at_chance_with_every_seed_are_not_called_the_same(make_experiment):
    assert notices(make_experiment({"a": [0.5] * 5, "b": [0.5] * 5})) == ()


@pytest.mark.parametrize(
    ("combiners", "options", "words"),
    [
        (("sum", "mean", "sqrtn"), {"fixed_length": True}, "up to a constant factor"),
        (("concat", "padded_sum"), {}, "a padded sum is a concatenation"),
        (("position_sum", "projected_concat"), {}, "a projected concatenation is a sum"),
        (("concat", "position_sum"), {"model": {"match": "embed"}}, "a linear map of a concatenation"),
        (
            ("sum", "concat", "position_sum"),
            {"task": "categorical"},
            "embeddings of its own and one linear map",
        ),
        (
            ("sum", "position_sum"),
            {"task": "categorical", "model": {"hidden": [64]}},
            "take in a linear map per slot",
        ),
        (
            ("sum", "projected_concat"),
            {"task": "mnist", "model": {"shared_embedding": False}},
            "take in a linear map",
        ),
    ],
)
def test_arms_known_to_be_one_function_are_told(make_arm, make_experiment, combiners, options, words):
    rng = np.random.default_rng(0)
    arms = [make_arm(name, rng.random(5), **options) for name in (*combiners, "max")]
    said = only(notices(make_experiment(arms)))
    assert words in said
    assert all(f"`{name}`" in said for name in combiners)
    assert "`max`" not in said


@pytest.mark.parametrize(
    ("combiners", "options"),
    [
        (("sum", "mean"), {"fixed_length": False}),
        (("sum", "mean"), {"fixed_length": True, "data": {"weights": "idf"}}),
        (("sum", "mean"), {"fixed_length": True, "model": {"word_dropout": 0.2}}),
        (("sum", "concat"), {}),
        (("concat", "position_sum"), {}),
        (("sum", "concat"), {"task": "categorical", "model": {"hidden": [64]}}),
        (("sum", "concat"), {"task": "mnist", "model": {"shared_embedding": False}}),
    ],
)
def test_arms_that_are_not_one_function_are_left_alone(make_arm, make_experiment, combiners, options):
    rng = np.random.default_rng(0)
    assert notices(make_experiment([make_arm(name, rng.random(5), **options) for name in combiners])) == ()


def test_arms_that_differ_in_more_than_the_combiner_are_left_alone(make_arm, make_experiment):
    rng = np.random.default_rng(0)
    arms = [
        make_arm("concat", rng.random(5), model={"dim": 8}),
        make_arm("padded_sum", rng.random(5), model={"dim": 16}),
    ]
    assert notices(make_experiment(arms)) == ()
