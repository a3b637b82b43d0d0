"""Results are read whole, and what cannot be read is left out and said."""

import json

import numpy as np
import pytest

from analysis.report.choices import choose
from analysis.report.loading import load_runs, load_sweep


def test_a_sweep_is_read_with_its_experiments_arms_and_failures(sweep):
    evidence = load_sweep(sweep)
    sentiment, ratings = evidence.experiments
    assert [arm.label for arm in sentiment.arms][:3] == ["sum", "mean", "max"]
    assert (sentiment.metric, sentiment.higher_is_better, sentiment.margin) == ("accuracy", True, 0.005)
    assert (ratings.metric, ratings.higher_is_better) == ("rmse", False)
    assert ratings.margin == pytest.approx(0.01 * ratings.per_seed()["sum"].mean())
    assert [(failure.label, failure.reason) for failure in sentiment.failures] == [
        ("broken", "failed in final training: out of memory: 3 GB asked for"),
        ("waiting", "not run yet"),
    ]
    assert evidence.skipped == ()
    assert evidence.command == "python sweep.py --config=configs/sweeps/combiners.py"


def test_an_arm_brings_its_tuning_its_history_and_its_test_examples(sweep):
    arm = load_sweep(sweep).experiments[0].arms[0]
    assert arm.tuning["chosen"] == {"learning_rate": 0.1, "embedding_scale": 0.1}
    assert arm.items.shape == (5, 400)
    assert arm.items.mean() == pytest.approx(
        load_sweep(sweep).experiments[0].per_seed()["sum"].mean(), abs=2e-3
    )
    validation = arm.history[(arm.history["split"] == "validation") & (arm.history["epoch"] == 3)]
    assert list(validation["seed"]) == [0, 1, 2, 3, 4]
    assert set(validation["step"]) == {375}


@pytest.mark.parametrize("content", ['{"task": "sentiment", "combi', "[1, 2]", '{"name": "another program"}'])
def test_a_truncated_or_foreign_results_file_is_skipped_by_name(own_sweep, content):
    path = own_sweep / "trials" / "sentiment" / "mean" / "final" / "results.json"
    path.write_text(content)
    evidence = load_sweep(own_sweep)
    assert [arm.label for arm in evidence.experiments[0].arms] == ["sum", "max"]
    assert len(evidence.skipped) == 1
    assert str(path) in evidence.skipped[0]
    assert evidence.experiments[0].failures[0].reason == "its results.json cannot be read"
    assert "not valid JSON" in evidence.skipped[0] or "it lacks task" in evidence.skipped[0]


def test_a_broken_side_file_costs_only_what_it_held(own_sweep):
    trial = own_sweep / "trials" / "sentiment" / "mean"
    (trial / "final" / "test_items.npz").write_bytes(b"PK\x03\x04 cut short")
    (trial / "tuning.json").write_text('{"scores": [[')
    history = (trial / "final" / "metrics.jsonl").read_text()
    (trial / "final" / "metrics.jsonl").write_text(history[:-30])
    evidence = load_sweep(own_sweep)
    arm = evidence.experiments[0].arms[1]
    assert (arm.label, arm.items, arm.tuning) == ("mean", None, None)
    assert arm.history["epoch"].max() == 8  # the training line of the last epoch is whole
    assert [
        name
        for name in ("test_items.npz", "tuning.json", "metrics.jsonl")
        if name in " ".join(evidence.skipped)
    ]
    assert len(evidence.skipped) == 3


def test_a_reference_without_a_result_is_replaced_and_that_is_said(own_sweep):
    (own_sweep / "trials" / "sentiment" / "sum" / "final" / "results.json").unlink()
    evidence = load_sweep(own_sweep)
    assert evidence.experiments[0].reference == "mean"
    assert "its reference sum has no result, mean stands in" in evidence.skipped[0]


def test_a_sweep_without_any_result_is_one_clear_error(own_sweep):
    for path in own_sweep.glob("trials/*/*/final/results.json"):
        path.unlink()
    with pytest.raises(ValueError, match="has no result yet: none of its 10 arms"):
        load_sweep(own_sweep)


def test_a_broken_sweep_file_is_one_clear_error(own_sweep):
    content = json.loads((own_sweep / "sweep.json").read_text())
    del content["arms"][0]["label"]
    (own_sweep / "sweep.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r"sweep\.json is not the file of a sweep: it lacks 'label'"):
        load_sweep(own_sweep)


def test_a_missing_folder_is_named_with_its_nearest_neighbour(sweep, tmp_path):
    with pytest.raises(ValueError, match=r"no folder .*combinrs.*did you mean 'combiners'"):
        load_sweep(sweep.parent / "combinrs")
    with pytest.raises(ValueError, match="holds neither a sweep"):
        load_runs([tmp_path])
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(ValueError, match=r"notes\.txt is a file; expected the folder"):
        load_runs([tmp_path / "notes.txt"])


def test_plain_runs_are_grouped_by_task_and_test_examples(make_run):
    numbers = {"task": "categorical", "dataset": "movielens_small", "metric": "rmse"}
    runs = [
        make_run("a", "concat"),
        make_run("b", "sum"),
        make_run("c", "sum", (0.9, 0.91, 0.92), **numbers),
        make_run("d", "sum", fingerprint="99" * 32),
    ]
    first, second, third = load_runs(runs).experiments
    assert [arm.label for arm in first.arms] == ["concat", "sum"]
    assert (first.reference, first.metric) == ("sum", "accuracy")
    assert (second.metric, second.margin) == ("rmse", pytest.approx(0.0091))
    assert first.name != third.name


def test_labels_of_plain_runs_say_what_differs(make_run):
    runs = [
        make_run("a", "concat"),
        make_run("b", "concat", match="embed"),
        make_run("c", "mean"),
        make_run("d", "mean"),
    ]
    labels = [arm.label for arm in load_runs(runs).experiments[0].arms]
    assert labels == ["concat, model.match=width", "concat, model.match=embed", "mean, c", "mean, d"]


def test_a_folder_of_runs_stands_for_the_runs_in_it(make_run):
    runs = [make_run("a", "sum"), make_run("b", "mean")]
    (experiment,) = load_runs([runs[0].parent, runs[1]]).experiments
    assert [arm.label for arm in experiment.arms] == ["sum", "mean"]


def test_diverged_seeds_have_no_items(make_run):
    (experiment,) = load_runs([make_run("a", "sum", (0.7, None, 0.72))]).experiments
    assert experiment.arms[0].items.shape == (2, 400)
    assert np.isnan(experiment.per_seed()["sum"]).tolist() == [False, True, False]


def test_metric_margin_and_reference_can_be_chosen_anew(make_run):
    evidence = load_runs([make_run("a", "sum"), make_run("b", "mean")])
    (experiment,) = choose(evidence, metric="loss", reference="mean").experiments
    assert (experiment.metric, experiment.higher_is_better, experiment.reference) == ("loss", False, "mean")
    assert experiment.margin == pytest.approx(0.01 * 0.7 * 0.71)
    assert all(arm.items is None for arm in experiment.arms)
    assert choose(evidence, margin=0.02).experiments[0].margin == 0.02


def test_a_choice_that_does_not_fit_names_the_nearest(make_run, sweep):
    evidence = load_runs([make_run("a", "sum"), make_run("b", "mean")])
    with pytest.raises(ValueError, match=r"has no arm 'meen' .did you mean 'mean'"):
        choose(evidence, reference="meen")
    with pytest.raises(ValueError, match=r"has no test 'acuracy' \(did you mean 'accuracy'"):
        choose(evidence, metric="acuracy")
    with pytest.raises(ValueError, match=r"one margin of 0.1 for experiments in different units"):
        choose(load_sweep(sweep), margin=0.1)
