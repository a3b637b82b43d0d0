"""Runs the project's commands as a user does: each in a process of its own."""

import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

ROOT = pathlib.Path(__file__).parents[2]


@pytest.fixture(scope="session")
def environment():
    """The environment of a user's shell: without what makes the tests cheap."""
    return {**{k: v for k, v in os.environ.items() if k != "XLA_FLAGS"}, "COLUMNS": "140"}


@pytest.fixture(scope="session")
def command(environment):
    """Runs an entry point from the project's root, with arguments and extra environment variables."""

    def run(script, *arguments, **extra):
        return subprocess.run(
            [sys.executable, script, *map(str, arguments)],
            cwd=ROOT,
            env={**environment, **extra},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    return run


@pytest.fixture(scope="session")
def reviews_csv(tmp_path_factory):
    """Writes 300 reviews of 1 to 12 words with an id; a good one holds good words, a bad one bad words."""
    rng = np.random.default_rng(0)
    words = {"good": ["fine", "warm", "great", "fun"], "bad": ["dull", "cold", "awful", "flat"]}
    filler = ["the", "film", "a", "plot", "is", "and", "scene", "story"]
    lines = ["name,text,label"]
    for row in range(300):
        label = ("good", "bad")[row % 2]
        text = [*rng.choice(words[label], 1 + row % 3), *rng.choice(filler, rng.integers(0, 9))]
        lines.append(f"review {row},{' '.join(rng.permutation(text))},{label}")
    path = tmp_path_factory.mktemp("reviews") / "reviews.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="session")
def small(reviews_csv):
    """The arguments of a small run on those reviews."""
    return [
        "--config=configs/sentiment_sum.py",
        f"--config.data.path={reviews_csv}",
        "--config.data.id_column=name",
        "--config.data.min_count=1",
        "--config.model.dim=8",
        "--config.optimizer.learning_rate=0.01",
        "--config.train.batch_size=32",
        "--config.train.epochs=12",
        "--config.train.patience=12",
    ]


@pytest.fixture(scope="session")
def trained(command, small, tmp_path_factory):
    """A finished small run: (workdir, what the command printed)."""
    workdir = tmp_path_factory.mktemp("runs") / "small"
    done = command("train.py", *small, f"--workdir={workdir}")
    assert done.returncode == 0, done.stderr
    return workdir, done.stdout
