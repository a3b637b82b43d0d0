"""A sweep small enough to run in seconds: three combiners of few words, two rates, two seeds each."""

import json

import pytest

from configs.arguments import parse_argument
from configs.sweeps.base import ARGUMENTS, get_experiment, make_sweep
from training.sweeps import SharedData, make_plan


@pytest.fixture
def experiment(config):
    """An experiment on the small reviews; change it as a test wants."""
    base = config.copy_and_resolve_references()
    base.seeds = (0, 1)
    base.train.epochs = 2
    return get_experiment(
        base,
        title="Small reviews",
        question="Which combiner?",
        metric="accuracy",
        learning_rates=(1e-3, 1e-1),
        tuning_seeds=(7, 8),
    )


@pytest.fixture(scope="session")
def shared():
    """Datasets that all tests share."""
    return SharedData()


@pytest.fixture
def make(experiment, shared):
    """Makes the plan of a sweep with that experiment and an arm per override dict or combiner."""

    def plan(*arms, claims=None):
        overrides = [{"model.combiner": arm} if isinstance(arm, str) else arm for arm in arms]
        return make_plan(
            make_sweep("small", {"reviews": experiment}, parse_argument(None, **ARGUMENTS), claims),
            overrides,
            shared,
        )

    return plan


@pytest.fixture(scope="session")
def table():
    """Returns what a sweep's folder says of its arms: {label: (chosen setting, test metrics)} of the finished."""

    def read(workdir):
        rows = {}
        for arm in json.loads((workdir / "sweep.json").read_text())["arms"]:
            folder = workdir / arm["folder"]
            if not (folder / "final" / "results.json").exists():
                continue
            results = json.loads((folder / "final" / "results.json").read_text())
            rows[arm["label"]] = (
                json.loads((folder / "tuning.json").read_text())["chosen"],
                results["metrics"],
            )
        return rows

    return read


@pytest.fixture(scope="session")
def attempts():
    """Returns how often each trial of a sweep was begun: {folder name: count}."""

    def count(workdir):
        return {
            path.parent.name: len(path.read_text().splitlines())
            for path in workdir.glob("trials/*/*/attempts.jsonl")
        }

    return count
