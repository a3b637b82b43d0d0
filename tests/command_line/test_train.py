"""train.py: from one command to results.json, undisturbed or not."""

import json
import signal
import subprocess
import sys
import time

import pytest

from training.statistics import over_seeds

ROOT_KEYS = {
    *("task", "combiner", "dataset", "match", "seeds", "metrics", "num_params", "timing", "num_examples"),
    *("best_epoch", "config", "versions", "device"),
}


def results_of(workdir):
    return json.loads((workdir / "results.json").read_text())


def test_results_hold_what_other_tools_read(trained):
    workdir, _ = trained
    results = results_of(workdir)
    assert set(results) >= ROOT_KEYS
    assert (results["task"], results["combiner"], results["match"]) == ("sentiment", "sum", "width")
    assert results["dataset"] == "reviews.csv"
    assert results["seeds"] == [0, 1, 2, 3, 4]
    assert results["num_examples"] == {"train": 240, "validation": 30, "test": 30}
    assert (
        results["num_params"]["total"] == results["num_params"]["embedding"] + results["num_params"]["other"]
    )
    assert set(results["timing"]) >= {"compile_seconds", "train_seconds", "examples_per_second"}
    for split in ("test", "validation"):
        for summary in results["metrics"][split].values():
            assert summary == over_seeds(summary["per_seed"])
    assert results["config"] == json.loads((workdir / "config.json").read_text())
    assert results["metrics"]["test"]["accuracy"]["mean"] > 0.9, (
        "good words and bad words are easily told apart"
    )
    assert len(results["best_epoch"]) == 5


def test_the_summary_names_the_metrics_their_interval_and_the_references(trained):
    workdir, printed = trained
    accuracy = results_of(workdir)["metrics"]["test"]["accuracy"]
    assert f"{accuracy['mean']:.4f}" in printed
    assert "95% interval" in printed
    assert "naive bayes (reference)" in printed
    assert str(workdir / "results.json") in printed


def test_the_workdir_holds_the_files_that_the_design_names_and_no_resume_state(trained):
    workdir, _ = trained
    names = {path.name.split(".")[0] for path in workdir.iterdir()}
    assert names >= {"config", "metrics", "checkpoints", "events", "results", "preprocessor"}
    assert [path.name for path in (workdir / "checkpoints").iterdir()] == ["best"]
    lines = [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]
    assert [(line["epoch"], line["split"]) for line in lines[:2]] == [(1, "train"), (1, "validation")]
    assert all(len(line["accuracy"]) == 5 for line in lines)


def test_a_finished_run_is_reported_not_repeated(trained, command, small):
    workdir, printed = trained
    before = (workdir / "results.json").stat().st_mtime_ns
    again = command("train.py", *small, f"--workdir={workdir}")
    assert again.returncode == 0
    assert again.stdout == printed
    assert (workdir / "results.json").stat().st_mtime_ns == before


def start_and_signal(number, environment, small, workdir):
    """Starts a run that saves after every epoch, and sends it a signal after its third; returns its exit code."""
    arguments = [sys.executable, "train.py", *small, f"--workdir={workdir}"]
    process = subprocess.Popen(arguments, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 200
    metrics = workdir / "metrics.jsonl"
    while time.monotonic() < deadline and process.poll() is None:
        if metrics.exists() and metrics.read_text().count("\n") >= 6:
            process.send_signal(number)
            break
        time.sleep(0.002)
    _, errors = process.communicate(timeout=100)
    return process.returncode, errors.decode()


@pytest.fixture
def slow(small):
    """The small run, long enough to be caught in the middle, with a checkpoint after every epoch."""
    epochs = ["--config.train.epochs=40", "--config.train.patience=40", "--config.train.checkpoint_seconds=0"]
    return [*small, *epochs]


@pytest.fixture(scope="session")
def undisturbed(command, small, tmp_path_factory):
    """The metrics of the slow run when nothing happens to it."""
    workdir = tmp_path_factory.mktemp("undisturbed") / "run"
    epochs = ["--config.train.epochs=40", "--config.train.patience=40", "--config.train.checkpoint_seconds=0"]
    done = command("train.py", *small, *epochs, f"--workdir={workdir}")
    assert done.returncode == 0, done.stderr
    return results_of(workdir)["metrics"], (workdir / "metrics.jsonl").read_text()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_an_interrupted_run_ends_as_an_undisturbed_one_bit_for_bit(
    number, environment, command, slow, tmp_path, undisturbed
):
    workdir = tmp_path / "run"
    code, errors = start_and_signal(number, environment, slow, workdir)
    if number == signal.SIGKILL:
        assert code == -signal.SIGKILL
    else:
        assert code == 130
        assert "the same command goes on from there" in errors
    assert not (workdir / "results.json").exists(), "it was caught in the middle"
    resumed = command("train.py", *slow, f"--workdir={workdir}")
    assert resumed.returncode == 0, resumed.stderr
    metrics, lines = undisturbed
    assert results_of(workdir)["metrics"] == metrics
    assert (workdir / "metrics.jsonl").read_text() == lines


def test_a_diverging_run_stops_and_names_the_seed_and_the_step(command, small, tmp_path):
    diverging = [*small, "--config.optimizer.name=sgd", "--config.optimizer.learning_rate=1e30"]
    done = command("train.py", *diverging, f"--workdir={tmp_path / 'run'}")
    assert done.returncode == 1
    assert done.stderr.startswith("error: seed 0 diverged at step 1: the loss is not finite")
    assert done.stderr.count("\n") == 1


def test_a_diverging_seed_can_be_recorded_instead(command, small, tmp_path):
    workdir = tmp_path / "run"
    diverging = [*small, "--config.optimizer.name=sgd", "--config.optimizer.learning_rate=1e30"]
    done = command("train.py", *diverging, "--config.train.on_divergence=freeze", f"--workdir={workdir}")
    assert done.returncode == 0, done.stderr
    results = results_of(workdir)
    assert results["diverged"] == {str(seed): 1 for seed in range(5)}
    assert results["metrics"]["test"]["accuracy"] == {"per_seed": [None] * 5, "mean": None, "ci95": None}
    assert command("eval.py", f"--workdir={workdir}").returncode == 0
    evaluated = json.loads((workdir / "eval_test.json").read_text())
    assert evaluated["metrics"] == results["metrics"]["test"]


def test_a_users_combiner_trains_by_name(command, small, tmp_path):
    (tmp_path / "my_combiners.py").write_text(
        "import combiners\n\n\n"
        "class Half(combiners.COMBINERS['sum']):\n"
        '    """Half a sum."""\n\n'
        '    name = "half"\n'
        '    formula = "y = ½ Σ_i x_i"\n\n'
        "    def combine(self, x, mask, weights):\n"
        "        return 0.5 * super().combine(x, mask, weights)\n"
    )
    workdir = tmp_path / "run"
    arguments = ["--config.model.combiner=my_combiners:Half", f"--workdir={workdir}"]
    done = command("train.py", *small, *arguments, PYTHONPATH=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert results_of(workdir)["combiner"] == "my_combiners:Half"


def test_options_of_a_combiner_are_config_fields(command, small, tmp_path):
    workdir = tmp_path / "run"
    options = ["--config.model.combiner=position_sum", "--config.model.combiner_options.features=5"]
    done = command("train.py", *small, *options, f"--workdir={workdir}")
    assert done.returncode == 0, done.stderr
    assert results_of(workdir)["combined_width"] == 5
