"""Folding a run writes a run of its own that predicts, evaluates and loads like any other."""

import json
import shutil

import numpy as np
import pytest

import training
from analysis import analyze
from configs import fold, sentiment


@pytest.fixture(scope="module")
def reviews(tmp_path_factory):
    """Writes 120 reviews of 1 to 5 words; a good one is warm, a bad one cold."""
    rng = np.random.default_rng(0)
    lines = ["text,label"]
    for row in range(120):
        words = [*rng.choice(["the", "film", "plot", "is"], rng.integers(0, 5)), ("warm", "cold")[row % 2]]
        lines.append(f"{' '.join(rng.permutation(words))},{('good', 'bad')[row % 2]}")
    path = tmp_path_factory.mktemp("reviews") / "reviews.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def train(reviews, workdir, combiner):
    config = sentiment.get_config(f"combiner={combiner}")
    config.data.path, config.seeds = str(reviews), (0, 1)
    config.model.update({"dim": 8, "hidden": (3,)})
    config.train.update({"epochs": 2, "batch_size": 32, "length_buckets": 1})
    training.run(config, workdir)
    return workdir


@pytest.fixture(scope="module")
def concat(reviews, tmp_path_factory):
    return train(reviews, tmp_path_factory.mktemp("runs") / "concat", "concat")


def fold_config(workdir, **fields):
    config = fold.get_config("smoke")
    config.update({"workdir": str(workdir), "batch": 16, **fields})
    return config


def test_the_folded_run_predicts_the_same_without_the_first_dense_layer(concat):
    page = analyze(fold_config(concat))
    before, after = training.load(concat), training.load(f"{concat}-folded")
    texts = ["warm film", "the plot is cold", "", "unseen words"]
    np.testing.assert_allclose(
        after.predict(texts, per_seed=True), before.predict(texts, per_seed=True), rtol=1e-5, atol=1e-6
    )
    there, here = (
        json.loads((path / "results.json").read_text())
        for path in (concat, concat.with_name("concat-folded"))
    )
    assert here["combiner"] == "sum"
    assert here["folded_from"]["workdir"] == str(concat)
    assert here["folded_from"]["combiner"] == "concat"
    assert here["metrics"]["test"]["accuracy"] == there["metrics"]["test"]["accuracy"]
    assert here["num_params"]["other"] == there["num_params"]["other"] - there["combined_width"] * 3
    assert {split: found["different"] for split, found in here["folded_from"]["differences"].items()} == {
        "train": 0,
        "validation": 0,
        "test": 0,
    }
    assert "times as fast" in page


def test_the_folded_run_evaluates_to_the_numbers_in_its_results(concat, tmp_path):
    output = tmp_path / "folded"
    analyze(fold_config(concat, output=str(output)))
    results = json.loads((output / "results.json").read_text())
    assert training.evaluate_workdir(output)["metrics"] == results["metrics"]["test"]
    analyze(fold_config(concat, output=str(output)))  # again, over itself
    assert json.loads((output / "results.json").read_text())["metrics"] == results["metrics"]


def test_a_run_of_another_config_is_not_overwritten(concat, reviews, tmp_path):
    other = train(reviews, tmp_path / "other", "sum")
    before = (other / "results.json").read_text()
    with pytest.raises(ValueError, match="holds the run of another config"):
        analyze(fold_config(concat, output=str(other)))
    assert (other / "results.json").read_text() == before


def test_what_cannot_be_folded_is_refused_and_nothing_is_written(reviews, tmp_path):
    run = train(reviews, tmp_path / "product", "product")
    with pytest.raises(ValueError, match="combiner 'product' is not a sum of linear maps"):
        analyze(fold_config(run))
    assert not (tmp_path / "product-folded").exists()


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"workdir": ""}, "which run is to be folded"),
        ({"workdir": "nowhere"}, "nowhere holds no finished run"),
        ({"batch": 0}, "must be positive, got 0, 3"),
        ({"max_bytes": 100}, "more than max_bytes=100"),
    ],
)
def test_bad_input_is_refused_in_one_line(concat, fields, reason):
    with pytest.raises(ValueError, match=reason):
        analyze(fold_config(**{"workdir": concat, **fields}))


def test_changed_data_is_refused(concat, reviews, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(concat, copy)
    digests = json.loads((copy / "data.json").read_text())
    (copy / "data.json").write_text(json.dumps({**digests, "test": "0" * 64}))
    with pytest.raises(ValueError, match=r"the data of .* \(test\) has changed"):
        analyze(fold_config(copy))
