"""Combined vectors and scores of pairs against the same written out by hand in float64."""

import numpy as np
import pytest

from analysis.words.combining import COMBINATIONS, combine, interpolation, named_combination
from analysis.words.scoring import SCORES, formula_of, score_pairs

RNG = np.random.default_rng(0)
W = RNG.standard_normal((7, 5)).astype(np.float32)
C = RNG.standard_normal((7, 5)).astype(np.float32) - 0.5
PAIRS = np.asarray([[0, 1], [2, 2], [3, 6], [6, 0]])


def unit(x):
    return x / np.sqrt((x * x).sum())


def cos(a, b):
    return float(unit(a) @ unit(b))


def by_hand(name, w, c):
    """One word's vector in float64."""
    w, c = w.astype(float), c.astype(float)
    if name.startswith("unit "):
        w, c = unit(w), unit(c)
    return {
        "word": w,
        "context": c,
        "sum": w + c,
        "mean": (w + c) / 2,
        "concat": np.concatenate([w, c]),
        "product": w * c,
        "hybrid": (w * c + w + c) / 2,
    }[name.removeprefix("unit ")]


@pytest.mark.parametrize("name", COMBINATIONS)
def test_every_combination_is_what_its_name_says(name):
    expected = np.stack([by_hand(name, w, c) for w, c in zip(W, C, strict=True)])
    np.testing.assert_allclose(combine(COMBINATIONS[name], W, C), expected, atol=1e-6)


@pytest.mark.parametrize("name", COMBINATIONS)
def test_cosines_of_combinations_are_those_computed_by_hand(name):
    scores = score_pairs(W, C, PAIRS)
    expected = [cos(by_hand(name, W[a], C[a]), by_hand(name, W[b], C[b])) for a, b in PAIRS]
    np.testing.assert_allclose(scores[name], expected, atol=1e-6)


def test_all_other_scores_are_those_computed_by_hand():
    scores = score_pairs(W, C, PAIRS)
    w, c = W.astype(float), C.astype(float)
    expected = {
        "word→context": lambda a, b: cos(w[a], c[b]),
        "context→word": lambda a, b: cos(c[a], w[b]),
        "word–context": lambda a, b: (cos(w[a], c[b]) + cos(c[a], w[b])) / 2,
        "word + word–context": lambda a, b: cos(w[a], w[b]) / 2 + (cos(w[a], c[b]) + cos(c[a], w[b])) / 4,
        "dot word": lambda a, b: w[a] @ w[b],
        "dot context": lambda a, b: c[a] @ c[b],
        "dot sum": lambda a, b: (w[a] + c[a]) @ (w[b] + c[b]),
        "dot concat": lambda a, b: w[a] @ w[b] + c[a] @ c[b],
        "dot word–context": lambda a, b: (w[a] @ c[b] + c[a] @ w[b]) / 2,
        "centred word": lambda a, b: cos(w[a] - w.mean(0), w[b] - w.mean(0)),
        "centred context": lambda a, b: cos(c[a] - c.mean(0), c[b] - c.mean(0)),
        "centred sum": lambda a, b: cos(
            w[a] - w.mean(0) + c[a] - c.mean(0), w[b] - w.mean(0) + c[b] - c.mean(0)
        ),
        "centred concat": lambda a, b: cos(
            np.concatenate([w[a] - w.mean(0), c[a] - c.mean(0)]),
            np.concatenate([w[b] - w.mean(0), c[b] - c.mean(0)]),
        ),
    }
    assert set(scores) == set(COMBINATIONS) | set(expected)
    for name, score in expected.items():
        np.testing.assert_allclose(scores[name], [score(a, b) for a, b in PAIRS], atol=1e-6, err_msg=name)


@pytest.mark.parametrize("is_unit", [False, True])
@pytest.mark.parametrize("alpha", [0.0, 0.3, 0.5, 1.0])
def test_an_interpolation_weights_the_word_vector_with_alpha(alpha, is_unit):
    vectors = combine(interpolation(alpha, is_unit), W, C)
    w, c = (np.stack([unit(x.astype(float)) if is_unit else x.astype(float) for x in t]) for t in (W, C))
    np.testing.assert_allclose(vectors, alpha * w + (1 - alpha) * c, atol=1e-6)


def test_every_arm_tells_what_it_computes():
    assert formula_of("unit sum") == "cos of ŵ + ĉ"
    assert formula_of("centred concat") == "cos of [w; c], each table less its mean"
    assert interpolation(0.3, unit=True).formula == "0.3ŵ + 0.7ĉ"
    assert all(formula_of(name) for name in (*COMBINATIONS, *(score.name for score in SCORES)))


def test_a_vector_of_zeros_scores_zero_and_stays_zero_at_unit_length():
    zeros = np.zeros((2, 4), np.float32)
    ones = np.ones((2, 4), np.float32)
    assert not combine(COMBINATIONS["unit sum"], zeros, zeros).any()
    scores = score_pairs(zeros, ones, np.asarray([[0, 1]]))
    assert scores["word"] == scores["word–context"] == scores["product"] == 0
    assert scores["sum"] == pytest.approx(1)


def test_what_is_unknown_is_refused_with_the_nearest_name():
    with pytest.raises(ValueError, match=r"unknown combination 'concatt' \(did you mean 'concat'\?\)"):
        named_combination("concatt")
    with pytest.raises(ValueError, match=r"alphas: expected numbers from 0 to 1, found 1\.1"):
        interpolation(1.1, unit=False)
