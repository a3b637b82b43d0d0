"""Where word vectors come from: a run of skip-grams, or a file; which of a run's two tables; what has none."""

import json

import numpy as np
import pytest

from data.vector_files import load_vectors, save_word2vec
from data.word_vectors import WordVectors
from training.vector_sources import load_source

WORDS = ("fine", "superb", "the", "dull", "plot", "dreadful", "film")
VECTORS = WordVectors(WORDS, np.random.default_rng(0).normal(0, 3, (7, 8)).astype(np.float32))


class FakeRun:
    words = WORDS
    centre = np.stack([VECTORS.vectors, VECTORS.vectors + 5])
    context = np.stack([VECTORS.vectors * 2, VECTORS.vectors])


@pytest.mark.parametrize(
    ("which", "expected"),
    [
        ("word", FakeRun.centre[0]),
        ("context", FakeRun.context[0]),
        ("sum", FakeRun.centre[0] + FakeRun.context[0]),
        ("concat", np.concatenate([FakeRun.centre[0], FakeRun.context[0]], axis=1)),
    ],
)
def test_a_run_of_skip_grams_has_vectors_of_words_and_of_contexts(tmp_path, monkeypatch, which, expected):
    saved = {"format": "combiner-ablations corpus vocabulary 1", "words": WORDS, "counts": [1] * 7}
    (tmp_path / "preprocessor.json").write_text(json.dumps(saved))
    monkeypatch.setattr("training.load_words", lambda _: FakeRun)
    source = load_source(str(tmp_path), which)
    assert source.words == WORDS
    np.testing.assert_array_equal(source.vectors, expected)


def test_contexts_of_another_width_are_not_added(tmp_path, monkeypatch):
    class Unequal(FakeRun):
        context = np.zeros((2, 7, 3), np.float32)

    (tmp_path / "preprocessor.json").write_text(
        json.dumps({"format": "combiner-ablations corpus vocabulary 1"})
    )
    monkeypatch.setattr("training.load_words", lambda _: Unequal)
    assert load_source(str(tmp_path), "concat").vectors.shape == (7, 11)
    with pytest.raises(ValueError, match="vectors of 8 numbers and contexts of 3 have no sum"):
        load_source(str(tmp_path), "sum")


def test_a_file_that_changed_is_read_again(tmp_path):
    path = tmp_path / "vectors"
    for count in (3, 7):
        save_word2vec(path, WordVectors(WORDS[:count], VECTORS.vectors[:count]))
        assert load_source(str(path)).words == WORDS[:count] == load_vectors(path).words


def test_folders_without_words_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"is a folder without a run in it \(preprocessor.json is missing\)"):
        load_source(str(tmp_path))
    (tmp_path / "preprocessor.json").write_text(
        json.dumps({"format": "combiner-ablations text preprocessor 1"})
    )
    with pytest.raises(ValueError, match="holds no finished run"):
        load_source(str(tmp_path))
