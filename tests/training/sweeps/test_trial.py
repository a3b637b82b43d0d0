"""A trial tunes on validation and then does what train.py would do with the chosen setting."""

import json

import numpy as np
import pytest

import training
from training.sweeps.trial import NothingLearnedError, is_finished, run_trial


def test_the_setting_with_the_best_validation_mean_is_chosen(make, shared, tmp_path):
    (arm,) = make("sum").arms
    run_trial(arm, tmp_path, shared)
    tuning = json.loads((tmp_path / "tuning.json").read_text())
    means = np.mean(tuning["scores"], axis=2)
    assert means.shape == (1, 2)
    assert tuning["chosen"]["learning_rate"] == tuning["learning_rates"][int(np.argmax(means[0]))]
    assert tuning["metric"] == "accuracy"
    assert is_finished(tmp_path)


def test_a_tuned_replica_and_the_final_run_equal_plain_runs(make, shared, tmp_path):
    (arm,) = make("sum").arms
    run_trial(arm, tmp_path / "trial", shared)
    tuning = json.loads((tmp_path / "trial" / "tuning.json").read_text())
    final = json.loads((tmp_path / "trial" / "final" / "results.json").read_text())

    plain = arm.config.copy_and_resolve_references()
    plain.seeds = arm.tuning.seeds
    plain.optimizer.learning_rate = 1e-1
    results = training.run(plain, tmp_path / "plain")
    assert tuning["scores"][0][1] == pytest.approx(
        results["metrics"]["validation"]["accuracy"]["per_seed"], abs=1e-6
    )

    plain.seeds = arm.config.seeds
    plain.optimizer.learning_rate = tuning["chosen"]["learning_rate"]
    results = training.run(plain, tmp_path / "chosen")
    assert final["metrics"] == results["metrics"]
    assert final["config"] == json.loads(json.dumps(results["config"]))


def test_every_scale_starts_as_a_plain_run_of_that_scale(make, experiment, shared, tmp_path):
    experiment.tuning.embedding_scales = (0.01, 1.0)
    (arm,) = make("sum").arms
    run_trial(arm, tmp_path / "trial", shared)
    tuning = json.loads((tmp_path / "trial" / "tuning.json").read_text())
    assert np.shape(tuning["scores"]) == (2, 2, 2)
    plain = arm.config.copy_and_resolve_references()
    plain.seeds = arm.tuning.seeds
    plain.optimizer.learning_rate, plain.model.embedding_scale = 1e-3, 1.0
    results = training.run(plain, tmp_path / "plain")
    assert tuning["scores"][1][0] == pytest.approx(
        results["metrics"]["validation"]["accuracy"]["per_seed"], abs=1e-6
    )


def test_a_rate_that_diverges_is_recorded_and_the_others_go_on(make, experiment, shared, tmp_path):
    experiment.base.optimizer.name = "sgd"
    experiment.tuning.learning_rates = (0.1, 1e38)
    (arm,) = make("sum").arms
    run_trial(arm, tmp_path, shared)
    tuning = json.loads((tmp_path / "tuning.json").read_text())
    assert tuning["scores"][0][1] == [None, None]
    assert all(step >= 0 for step in tuning["diverged_steps"][0][1])
    assert None not in tuning["scores"][0][0]
    assert tuning["chosen"]["learning_rate"] == 0.1


def test_a_trial_of_which_every_rate_diverges_has_no_result(make, experiment, shared, tmp_path):
    experiment.base.optimizer.name = "sgd"
    experiment.tuning.learning_rates = (1e37, 1e38)
    (arm,) = make("sum").arms
    with pytest.raises(NothingLearnedError, match=r"every learning rate diverged \(1e\+37, 1e\+38\)"):
        run_trial(arm, tmp_path, shared)
    assert not is_finished(tmp_path)


def test_more_tuning_seeds_than_fresh_ones_change_no_result(make, experiment, shared, tmp_path):
    run_trial(make("sum").arms[0], tmp_path / "two", shared)
    experiment.tuning.seeds = (7, 8, 9)
    run_trial(make("sum").arms[0], tmp_path / "three", shared)
    two, three = (json.loads((tmp_path / name / "tuning.json").read_text()) for name in ("two", "three"))
    for few, many in zip(two["scores"][0], three["scores"][0], strict=True):
        assert few == pytest.approx(many[:2], abs=1e-6)


def test_a_trial_does_not_go_on_over_other_data(make, shared, tmp_path):
    (arm,) = make("sum").arms
    run_trial(arm, tmp_path, shared)
    (tmp_path / "final" / "results.json").unlink()
    digests = json.loads((tmp_path / "data.json").read_text())
    (tmp_path / "data.json").write_text(json.dumps({**digests, "train": "another digest"}))
    with pytest.raises(ValueError, match=r"the data \(train\) has changed since the trial in"):
        run_trial(arm, tmp_path, shared)


def test_a_result_that_was_cut_short_is_measured_again_without_training_anew(make, shared, tmp_path):
    (arm,) = make("sum").arms
    run_trial(arm, tmp_path, shared)
    results = (tmp_path / "final" / "results.json").read_text()
    (tmp_path / "final" / "results.json").write_text(results[:100])
    tuned = (tmp_path / "tuning.json").stat().st_mtime_ns
    assert not is_finished(tmp_path)
    run_trial(arm, tmp_path, shared)
    again = json.loads((tmp_path / "final" / "results.json").read_text())
    assert again["metrics"] == json.loads(results)["metrics"]
    assert (tmp_path / "tuning.json").stat().st_mtime_ns == tuned


def test_a_finished_trial_is_left_alone(make, shared, tmp_path, attempts):
    (arm,) = make("sum").arms
    folder = tmp_path / "trials" / "reviews" / "sum"
    run_trial(arm, folder, shared)
    run_trial(arm, folder, shared)
    assert attempts(tmp_path) == {"sum": 1}
