"""Queries in words: every operator against vectors worked out by hand, every error, and the tables of answers."""

import types

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import training
from analysis.queries import answer_queries, evaluate
from combiners import make_combiner
from configs import nearest as nearest_config
from data.word_vectors import WordVectors

WORDS = WordVectors(
    ("king", "queen", "man", "don't", "mother-in-law", "1984", "nil"),
    np.array([[3, 4], [1, -2], [5, 12], [8, 6], [-1, 0], [0, 7], [0, 0]], np.float32),
)
KING, QUEEN, MAN = (np.array(v, float) for v in ([3, 4], [1, -2], [5, 12]))


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("king", [3, 4]),
        ("  king  ", [3, 4]),
        ("king + queen", [4, 2]),
        ("king - queen", [2, 6]),
        ("king - queen - man", [-3, -6]),
        ("king - (queen - man)", [7, 18]),
        ("king * queen", [3, -8]),
        ("king & queen", [(3 + 3 + 1) / 2, (-8 + 4 - 2) / 2]),
        ("king + queen * man", [8, -20]),  # products first
        ("(king + queen) * man", [20, 24]),
        ("king * queen & man", 0.5 * (KING * QUEEN * MAN + KING * QUEEN + MAN)),  # from the left
        ("king * (queen & man)", 0.5 * KING * (QUEEN * MAN + QUEEN + MAN)),
        ("-king", [-3, -4]),
        ("- - king", [3, 4]),
        ("king + -queen", [2, 6]),
        ("king -queen", [2, 6]),
        ("king *queen", [3, -8]),
        ("0.5 king", [1.5, 2]),
        (".5 king", [1.5, 2]),
        ("2 king * queen", [6, -16]),
        ("-2 (king + queen)", [-8, -4]),
        ("2(king)", [6, 8]),
        ("don't", [8, 6]),
        ("mother-in-law - king", [-4, -4]),
        ("1984", [0, 7]),  # a number where no other word follows is a word
        ("king - 1984", [3, -3]),
        ("1984 + king", [3, 11]),
        ("2 1984", [0, 14]),
        ("nil + king", [3, 4]),
    ],
)
def test_each_operator_as_worked_out_by_hand(query, expected):
    np.testing.assert_allclose(evaluate(query, WORDS, normalise=False).vector, expected, rtol=1e-6)


def test_words_are_brought_to_one_length_first():
    w = WORDS.vectors.astype(np.float64)
    king, queen = (np.sqrt(2) * v / np.linalg.norm(v) for v in w[:2])
    np.testing.assert_allclose(
        evaluate("king & queen", WORDS).vector, 0.5 * (king * queen + king + queen), rtol=1e-6
    )
    np.testing.assert_allclose(evaluate("2 king", WORDS).vector, 2 * king, rtol=1e-6)


def test_the_hybrid_is_that_of_the_combiners():
    pair = WORDS.vectors[:2]
    combined = make_combiner("hybrid", num_vectors=2, dim=2)(pair)
    np.testing.assert_allclose(evaluate("king & queen", WORDS, normalise=False).vector, combined, rtol=1e-6)


def test_a_query_knows_its_words():
    assert evaluate("queen + (king - queen)", WORDS).rows == (1, 0)


# An expression is its text and its value.
words = st.sampled_from([(word, WORDS.vectors[row].astype(float)) for row, word in enumerate(WORDS.words)])


def joined(parts):
    (a, u), operator, (b, v) = parts
    value = {"+": u + v, "-": u - v, "*": u * v, "&": 0.5 * (u * v + u + v)}[operator]
    return f"({a} {operator} {b})", value


expressions = st.recursive(
    words,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from("+-*&"), inner).map(joined),
        inner.map(lambda part: (f"-{part[0]}", -part[1])),
        inner.map(lambda part: (f"0.25 ({part[0]})", 0.25 * part[1])),
    ),
    max_leaves=8,
)


@given(expressions)
def test_whatever_is_composed(expression):
    text, value = expression
    if value.astype(np.float32).any():
        np.testing.assert_allclose(evaluate(text, WORDS, normalise=False).vector, value, rtol=1e-6)
    else:
        with pytest.raises(ValueError, match="zeros"):
            evaluate(text, WORDS, normalise=False)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("", "empty query: expected words such as 'food - american + eat'"),
        ("   ", "empty query: expected words such as 'food - american + eat'"),
        ("king + quen", "query 'king + quen', position 8: unknown word 'quen' (did you mean 'queen'?)"),
        ("zzz", "query 'zzz', position 1: unknown word 'zzz'"),
        (
            "king-man",
            "query 'king-man', position 1: unknown word 'king-man' (did you mean 'king'?); "
            "spaces stand around an operator: king - man",
        ),
        (
            "0.5 * king",
            "query '0.5 * king', position 1: unknown word '0.5'; "
            "a weight stands directly before what it weighs: 0.5 king",
        ),
        ("king queen", "query 'king queen', position 6: expected an operator (+, -, * or &), found 'queen'"),
        ("king -", "query 'king -', position 7: expected a word or '(', found the end"),
        ("* king", "query '* king', position 1: expected a word or '(', found '*'"),
        ("king + * man", "query 'king + * man', position 8: expected a word or '(', found '*'"),
        ("()", "query '()', position 2: expected a word or '(', found ')'"),
        (
            "2 (king + man",
            "query '2 (king + man', position 14: expected an operator, or ')' for the '(' at position 3, found the end",
        ),
        ("king) + man", "query 'king) + man', position 5: expected a '(' before this, found ')'"),
        (
            "king - king",
            "query 'king - king': comes to a vector of zeros, to which everything is equally near",
        ),
        ("nil", "query 'nil': comes to a vector of zeros, to which everything is equally near"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(query, message):
    with pytest.raises(ValueError) as refusal:  # noqa: PT011 - the whole message is compared
        evaluate(query, WORDS)
    assert str(refusal.value) == message


def config_of(**fields):
    config = nearest_config.get_config()
    config.update(fields)
    return config


@pytest.fixture
def vector_file(tmp_path):
    """Words around a circle: a is at 0°, b at 10°, c at 50°, d at 90°, e at 180°."""
    angles = {"a": 0, "b": 10, "c": 50, "d": 90, "e": 180}
    lines = [f"{w} {np.cos(np.radians(x)):.9f} {np.sin(np.radians(x)):.9f}" for w, x in angles.items()]
    path = tmp_path / "circle.txt"
    path.write_text("\n".join([f"{len(lines)} 2", *lines]) + "\n")
    return str(path)


def test_a_table_of_the_nearest_words_without_those_asked_for(vector_file):
    config = config_of(vectors=vector_file, queries="a; a + d ;", k=2)
    assert answer_queries(config).splitlines() == [
        "a           a + d",
        "b   0.985   c   0.996",
        "c   0.643   b   0.819",
    ]


def test_columns_end_where_no_words_are_left(vector_file):
    lines = answer_queries(config_of(vectors=vector_file, queries="a; a + b + c", k=4)).splitlines()
    assert [line.split() for line in lines[1:]] == [
        ["b", "0.985", "d", "0.337"],
        ["c", "0.643", "e", "-0.942"],
        ["d", "0.000"],
        ["e", "-1.000"],
    ]


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_lower_precision_answers_the_same(vector_file, dtype):
    config = config_of(vectors=vector_file, queries="a; a & d", k=3)
    expected = answer_queries(config)
    config.dtype = dtype
    assert answer_queries(config) == expected


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"queries": " ; "}, "queries: none; for example"),
        ({"queries": "a; x + b"}, r"query 'x \+ b', position 1: unknown word 'x'"),
        ({"which": "sum"}, "which='sum' needs a run's folder"),
        ({"k": 0}, "k: expected at least 1, found 0"),
        ({"dtype": "int8"}, "dtype: expected one of float32, bfloat16, float16, found 'int8'"),
    ],
)
def test_a_config_that_cannot_be_is_refused(vector_file, fields, message):
    with pytest.raises(ValueError, match=message):
        answer_queries(config_of(**{"vectors": vector_file, "queries": "a", **fields}))


@pytest.fixture
def run(monkeypatch, tmp_path):
    """A finished run of two seeds, whose second one has other vectors."""
    centre = np.array([[[1, 0], [0, 1], [1, 1]], [[1, 0], [1, 0.1], [-1, 0]]], np.float32)
    context = np.array([[[0, 1], [0, 1], [1, 0]], [[1, 0], [1, 0], [1, 0]]], np.float32)
    trained = types.SimpleNamespace(words=("x", "y", "z"), seeds=(3, 7), centre=centre, context=context)
    monkeypatch.setattr(training, "load_words", lambda workdir: trained)
    return trained, {"vectors": str(tmp_path), "seed": 3, "queries": "x", "k": 1}


@pytest.mark.parametrize(
    ("which", "seed", "answer"),
    [
        ("word", 3, "z   0.707"),
        ("word", 7, "y   0.995"),
        ("context", 3, "y   1.000"),  # both [0, 1]
        ("sum", 3, "z   0.949"),  # [1, 1], [0, 2], [2, 1]
        ("concat", 3, "y   0.500"),
    ],
)
def test_the_vectors_of_a_run_and_what_is_made_of_them(run, which, seed, answer):
    _, fields = run
    assert answer_queries(config_of(**{**fields, "which": which, "seed": seed})).splitlines() == ["x", answer]


def test_what_a_run_does_not_have_is_refused(run):
    trained, fields = run
    with pytest.raises(ValueError, match=r"seed: the run in .* has 3, 7, found 0"):
        answer_queries(config_of(**{**fields, "seed": 0}))
    with pytest.raises(ValueError, match=r"unknown combination 'sun' \(did you mean 'sum'\?\)"):
        answer_queries(config_of(**{**fields, "which": "sun"}))
    trained.context = np.ones((2, 3, 5), np.float32)
    with pytest.raises(
        ValueError, match=r"needs word and context vectors of one size, .* have 2 and 5 numbers"
    ):
        answer_queries(config_of(**{**fields, "which": "sum"}))
    assert answer_queries(config_of(**{**fields, "which": "context"})).splitlines()[1] == "y   1.000"
