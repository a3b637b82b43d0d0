"""report.py: from result files to a report, and one clear line for what is wrong."""

import json

import pytest


def write_run(folder, combiner, accuracies):
    """Writes the least that a finished run holds."""
    folder.mkdir(parents=True)
    metric = {"accuracy": {"per_seed": accuracies, "mean": sum(accuracies) / len(accuracies), "ci95": None}}
    results = {
        "task": "sentiment",
        "combiner": combiner,
        "dataset": "reviews",
        "match": "width",
        "seeds": list(range(len(accuracies))),
        "metrics": {"test": metric, "validation": metric},
        "num_params": {"embedding": 100, "other": 3, "total": 103},
        "timing": {"train_seconds": 2.0},
        "num_examples": {"train": 80, "validation": 10, "test": 10},
        "epochs": [4] * len(accuracies),
        "config": {"data": {"name": "reviews"}, "model": {"combiner": combiner}},
        "versions": {"jax": "0.10.1"},
        "device": "cpu",
    }
    (folder / "results.json").write_text(json.dumps(results))
    return folder


@pytest.fixture
def runs(tmp_path):
    return [
        write_run(tmp_path / "with_sum", "sum", [0.70, 0.71, 0.72]),
        write_run(tmp_path / "with_mean", "mean", [0.80, 0.81, 0.83]),
    ]


def test_two_runs_become_a_report_in_the_chosen_folder(command, runs, tmp_path):
    output = tmp_path / "docs" / "report"
    done = command("report.py", runs[0], f"--output={output}", runs[1], "--margin=0.02", "--reference=mean")
    assert done.returncode == 0, done.stderr
    assert "`mean` is recommended" in done.stdout
    assert f"written: {output / 'report.html'}" in done.stdout
    markdown = (output / "report.md").read_text()
    assert "difference from `mean`" in markdown


def test_help_shows_the_commands_and_the_flags(command):
    done = command("report.py", "--help")
    assert "python report.py runs/sweeps/sentiment_combiners" in done.stdout
    for flag in ("--output", "--margin", "--reference", "--metric"):
        assert flag in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "which results? for example report.py runs/sweeps/sentiment_combiners"),
        (["runs/no_such_sweep_at_all"], "no folder runs/no_such_sweep_at_all"),
        (["runs/x", "--margin=-1"], "--margin"),
    ],
)
def test_bad_input_is_one_clear_line(command, arguments, said):
    done = command("report.py", *arguments)
    assert done.returncode in (1, 2)
    assert done.stderr.startswith("error: ")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_an_unknown_reference_is_named_with_the_nearest_arm(command, runs):
    done = command("report.py", *runs, "--reference=meen")
    assert done.returncode == 1
    assert "has no arm 'meen' (did you mean 'mean'?)" in done.stderr


def test_other_commands_still_refuse_arguments_that_are_no_flags(command):
    done = command("analyze.py", "--config=configs/diagnostics.py", "surplus")
    assert done.returncode == 2
    assert "unexpected argument 'surplus'" in done.stderr
