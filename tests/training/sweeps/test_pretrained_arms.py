"""Arms of a sweep that start from word vectors: tried out before anything runs, and of the same vectors to the end."""

import numpy as np
import pytest

from data.vector_files import save_word2vec
from data.word_vectors import WordVectors
from training.sweeps import SharedData
from training.sweeps.trial import check_same_data, run_trial
from training.workdir import write_json

WORDS = ("the", "film", "fine", "dull")


@pytest.fixture
def vectors_file(tmp_path):
    path = tmp_path / "vectors"
    save_word2vec(path, WordVectors(WORDS, np.random.default_rng(0).normal(size=(4, 8)).astype(np.float32)))
    return path


def test_what_an_arm_cannot_start_from_is_refused_with_its_name(make, experiment, vectors_file):
    experiment.base.model.pretrained = str(vectors_file)
    with pytest.raises(ValueError, match=r"reviews: concat: .* has vectors of 8 numbers, but .* have 1 "):
        make("sum", "concat")


def test_a_sweep_does_not_go_on_with_other_vectors(make, vectors_file, tmp_path):
    random, frozen = make(
        "sum", {"model.pretrained": str(vectors_file), "model.pretrained_mode": "frozen", "label": "frozen"}
    ).arms
    for arm in (random, frozen):
        write_json(tmp_path / "data.json", SharedData().fingerprints(arm.config))
        check_same_data(tmp_path, SharedData().fingerprints(arm.config))
    save_word2vec(vectors_file, WordVectors(WORDS, np.ones((4, 8), np.float32)))
    with pytest.raises(ValueError, match=r"the data \(pretrained vectors\) has changed since the trial"):
        check_same_data(tmp_path, SharedData().fingerprints(frozen.config))


def test_a_trial_tunes_and_tests_from_the_vectors(make, shared, vectors_file, tmp_path):
    (arm,) = make(
        {"model.pretrained": str(vectors_file), "model.pretrained_mode": "frozen", "label": "sum"}
    ).arms
    run_trial(arm, tmp_path / "trial", shared)
    results = (tmp_path / "trial" / "final" / "results.json").read_text()
    assert '"embedding": 0' in results
    assert '"mode": "frozen"' in results
