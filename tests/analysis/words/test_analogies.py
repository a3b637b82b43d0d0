"""Analogies on planted geometry, and against plain loops."""

import numpy as np
import pytest

from analysis.words import analogies as module
from analysis.words.analogies import answer, measure_analogies, question_rows
from analysis.words.combining import COMBINATIONS
from data.analogies import Analogies

CAPITALS = Analogies(
    "made_up",
    (
        ("paris", "france", "rome", "italy"),
        ("paris", "france", "oslo", "norway"),
        ("rome", "italy", "oslo", "atlantis"),
        ("car", "cars", "dog", "dogs"),
    ),
    ("capitals", "capitals", "capitals", "gram8-plural"),
)
WORDS = ("paris", "france", "rome", "italy", "oslo", "norway", "car", "cars", "dog", "dogs", "filler", "more")


def planted(rng, noise=0.01):
    """Word vectors in which a country is its capital plus one direction, and a plural its singular plus another."""
    dim = 40
    base, offsets = rng.standard_normal((6, dim)), rng.standard_normal((2, dim))
    rows = []
    for i in range(5):  # three capitals with countries, two singulars with plurals
        rows += [base[i], base[i] + offsets[0 if i < 3 else 1]]
    rows += [rng.standard_normal(dim), rng.standard_normal(dim)]
    return (np.stack(rows) + noise * rng.standard_normal((len(rows), dim))).astype(np.float32)


def by_loop(vectors, rows, method):
    right = []
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    for a, b, c, d in rows:
        scores = {}
        for x in range(len(vectors)):
            if x in (a, b, c):
                continue
            cos = [float(unit[x] @ unit[y]) for y in (a, b, c)]
            s = [(value + 1) / 2 for value in cos]
            scores[x] = cos[1] - cos[0] + cos[2] if method == "3CosAdd" else s[1] * s[2] / (s[0] + 1e-3)
        right.append(max(scores, key=scores.get) == d)
    return right


def test_planted_analogies_are_answered():
    rng = np.random.default_rng(0)
    centre = np.stack([planted(rng) for _ in range(3)])
    words = {word: row for row, word in enumerate(WORDS)}
    result = measure_analogies(CAPITALS, words, centre, centre, COMBINATIONS["word"], 0)
    assert (result["questions"], result["covered"]) == (4, 3)
    for method in ("3CosAdd", "3CosMul"):
        assert {name: found["mean"] for name, found in result[method].items()} == {
            "capitals": 1.0,
            "gram8-plural": 1.0,
            "semantic": 1.0,
            "syntactic": 1.0,
            "all": 1.0,
        }
        assert result[method]["all"]["per_seed"] == [1.0, 1.0, 1.0]
    assert result["sections"]["capitals"] == {"questions": 3, "covered": 2}
    assert result["sections"]["semantic"] == {"questions": 3, "covered": 2}


@pytest.mark.parametrize("most", [60_000_000, 100])
def test_answers_are_those_of_a_plain_loop_whatever_the_blocks(monkeypatch, most):
    monkeypatch.setattr(module, "_MOST_NUMBERS", most)
    rng = np.random.default_rng(1)
    vectors = rng.standard_normal((12, 4)).astype(np.float32)
    rows = np.stack([rng.permutation(12)[:4] for _ in range(60)])
    found = answer(vectors, rows)
    for method in ("3CosAdd", "3CosMul"):
        expected = by_loop(vectors.astype(float), rows, method)
        assert found[method].tolist() == expected
        assert 0 < sum(expected) < 60


def test_the_question_itself_is_no_answer():
    # Nearest to b − a + c is b itself; d comes after it.
    vectors = np.asarray([[1, 0, 0], [0.9, 1, 0], [1, 0.1, 0], [0.7, 1, 0.2]], np.float32)
    assert answer(vectors, np.asarray([[0, 1, 2, 3]]))["3CosAdd"].tolist() == [True]


def test_the_vocabulary_may_be_restricted_to_frequent_words():
    words = {word: row for row, word in enumerate(WORDS)}
    rows, covered = question_rows(CAPITALS, words, 4)
    assert rows.tolist() == [[0, 1, 2, 3]]
    assert covered.tolist() == [0]
    vectors = planted(np.random.default_rng(2))[None]
    result = measure_analogies(CAPITALS, words, vectors, vectors, COMBINATIONS["sum"], 4)
    assert result["3CosAdd"]["all"]["mean"] == 1.0
    assert "syntactic" not in result["3CosAdd"]


def test_a_vocabulary_of_another_language_answers_nothing():
    words = {"hund": 0, "katze": 1}
    vectors = np.ones((1, 2, 3), np.float32)
    result = measure_analogies(CAPITALS, words, vectors, vectors, COMBINATIONS["word"], 0)
    assert (result["covered"], result["3CosAdd"], result["3CosMul"]) == (0, {}, {})
