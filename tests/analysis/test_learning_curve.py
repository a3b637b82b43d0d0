"""A learning curve holds every arm at every number of examples, and says how many there are per weight."""

import json

import ml_collections
import pytest

import training
from analysis import ANALYSES, analyze
from configs import mnist_examples


@pytest.fixture
def runs(monkeypatch):
    """Stands in for training, and returns what it was asked to run."""
    asked = []

    def run(config, workdir):
        asked.append((config, workdir))
        fraction, width = config.data.train_fraction, config.model.dim
        mean = None if width == 7 and fraction == 1.0 else 0.5 + fraction / 4
        accuracy = {"per_seed": [mean, mean], "mean": mean, "ci95": mean and [mean - 0.01, mean + 0.01]}
        return {
            "num_examples": {"train": round(1000 * fraction)},
            "num_params": {"total": 10 * width},
            "metrics": {"test": {"accuracy": accuracy}},
        }

    monkeypatch.setattr(training, "run", run)
    return asked


@pytest.fixture
def config(tmp_path):
    def arm(width):
        return {"data": {"train_fraction": 1.0}, "model": {"dim": width}, "train": {"epochs": 10}}

    return ml_collections.ConfigDict(
        {
            "analysis": "learning_curve",
            "output": str(tmp_path / "out" / "curve"),
            "runs": str(tmp_path / "runs"),
            "title": "A curve",
            "metric": "test/accuracy",
            "arms": {"narrow": arm(5), "wide": arm(7)},
            "points": ({"data.train_fraction": 0.1, "train.epochs": 30}, {"data.train_fraction": 1.0}),
        }
    )


def test_every_arm_is_trained_at_every_point_in_a_folder_of_its_own(config, runs, tmp_path):
    analyze(config)
    seen = [(c.model.dim, c.data.train_fraction, c.train.epochs) for c, _ in runs]
    assert seen == [(5, 0.1, 30), (5, 1.0, 10), (7, 0.1, 30), (7, 1.0, 10)]
    assert [str(path.relative_to(tmp_path / "runs")) for _, path in runs] == [
        "narrow-0",
        "narrow-1",
        "wide-0",
        "wide-1",
    ]
    assert config.arms.narrow.train.epochs == 10


def test_the_figure_the_numbers_and_the_page_are_written(config, runs, tmp_path):
    told = analyze(config)
    files = {path.name: path for path in (tmp_path / "out").iterdir()}
    assert set(files) == {"curve.json", "curve.png", "curve.md"}
    assert all(str(path) in told for path in files.values())
    rows = json.loads(files["curve.json"].read_text())["rows"]
    assert [(row["arm"], row["num_examples"], row["num_weights"]) for row in rows] == [
        ("narrow", 100, 50),
        ("narrow", 1000, 50),
        ("wide", 100, 70),
        ("wide", 1000, 70),
    ]
    assert files["curve.png"].read_bytes().startswith(b"\x89PNG")
    page = files["curve.md"].read_text()
    assert "| 100 | 0.5250 ± 0.0100 (2) | 0.5250 ± 0.0100 (1.4) |" in page
    assert "| 1,000 | 0.7500 ± 0.0100 (20) | diverged (14) |" in page
    assert "The rule asks for 500 for `narrow`, 700 for `wide`." in page


@pytest.mark.parametrize("argument", ["", "smoke"])
def test_the_config_of_the_three_networks_can_be_run(argument, runs, tmp_path):
    config = mnist_examples.get_config(argument)
    assert config.analysis in ANALYSES
    config.output, config.runs = str(tmp_path / "curve"), str(tmp_path / "runs")
    analyze(config)
    assert len(runs) == len(config.arms) * len(config.points)
    assert {run.model.dim for run, _ in runs} == {10, 512}
