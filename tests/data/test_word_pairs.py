"""People's judgements of word pairs: what the wheels hold, users' files, Spearman's correlation with vectors."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from data.word_pairs import (
    PAIR_SOURCES,
    VALIDATION_PAIRS,
    WordPairs,
    load_word_pairs,
    pair_rows,
    read_word_pairs,
    spearman,
)
from data.word_vectors import WordVectors


def make_pairs(rows):
    first, second, scores = zip(*rows, strict=True)
    return WordPairs("made_up", first, second, np.asarray(scores, float))


def test_the_wheels_hold_every_set_whole():
    sets = {pairs.name: pairs for pairs in load_word_pairs()}
    assert {name: len(pairs) for name, pairs in sets.items()} == {
        "wordsim353": 353,
        "wordsim353_similarity": 202,
        "wordsim353_relatedness": 250,
        "men": 3000,
        "simlex999": 999,
        "rare_words": 2032,
        "mturk": 285,
    }
    assert VALIDATION_PAIRS in PAIR_SOURCES
    whole = sets["wordsim353"]
    assert list(zip(whole.first, whole.second, whole.scores, strict=True))[:2] == [
        ("love", "sex", 6.77),
        ("tiger", "cat", 7.35),
    ]
    for name in ("wordsim353_similarity", "wordsim353_relatedness"):
        part = sets[name]
        assert set(zip(part.first, part.second, part.scores, strict=True)) < set(
            zip(whole.first, whole.second, whole.scores, strict=True)
        )


def test_words_are_in_lower_case_as_a_corpus_has_them():
    for pairs in load_word_pairs():
        assert all(word == word.lower().strip() and word for word in (*pairs.first, *pairs.second))


def test_only_the_sets_asked_for_are_loaded_in_that_order(tmp_path):
    own = tmp_path / "mine.csv"
    own.write_text("car,automobile,9\n")
    assert [pairs.name for pairs in load_word_pairs(("simlex999", str(own)))] == ["simlex999", "mine"]


@pytest.mark.parametrize("name", ["pairs.tsv", "pairs.csv"])
def test_a_users_file_may_have_a_header_comments_and_empty_lines(tmp_path, name):
    separator = "\t" if name.endswith("tsv") else ","
    rows = ["# mine", "word1 word2 score", "Car Automobile 9.5", "", "dog Café 1e-1"]
    text = "\n".join(separator.join(row.split()) if row[:1] != "#" else row for row in rows)
    path = tmp_path / name
    path.write_text("\ufeff" + text, "utf-8")
    pairs = read_word_pairs(path)
    assert (pairs.name, pairs.first, pairs.second) == ("pairs", ("car", "dog"), ("automobile", "café"))
    assert pairs.scores.tolist() == [9.5, 0.1]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a,b,1\nc,d\n", r"mine.csv, line 2: expected 3 columns \(word, word, score\), found 2"),
        (
            "# note\na,b,1\n\nc,d,many\n",
            "mine.csv, line 4: expected a finite number as the score, found 'many'",
        ),
        ("a,b,1\nc,d,nan\n", "line 2: expected a finite number as the score, found 'nan'"),
        ("a,b,1\n ,d,3\n", "line 2: expected a word in both of the first two columns, found an empty one"),
        ("word,word,score\n", "expected rows of word, word, score, found none"),
        ("", "expected rows of word, word, score, found none"),
        (b"a,b,1\n\xff,d,3\n", "mine.csv, line 2: byte 0xff is not UTF-8"),
        ('a,"b,1\n', "mine.csv, line 1: .*quot"),
    ],
)
def test_a_malformed_file_is_refused_with_the_line(tmp_path, content, message):
    path = tmp_path / "mine.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ValueError, match=message) as caught:
        load_word_pairs((str(path),))
    assert "\n" not in str(caught.value)


def test_what_is_neither_set_nor_file_is_refused_with_the_nearest_name(tmp_path):
    with pytest.raises(ValueError, match=r"unknown word pairs 'simlex' \(did you mean 'simlex999'\?\)"):
        load_word_pairs(("simlex",))
    (tmp_path / "mine.csv").write_text("a,b,1\n")
    with pytest.raises(FileNotFoundError, match=r"mime.csv: no such file \(did you mean 'mine.csv'\?\)"):
        load_word_pairs((str(tmp_path / "mime.csv"),))
    with pytest.raises(ValueError, match=r"pairs.xlsx: unknown extension '.xlsx'; expected .tsv or .csv"):
        read_word_pairs("pairs.xlsx")
    with pytest.raises(ValueError, match="two sets of word pairs are called 'men'"):
        load_word_pairs(("men", "men"))


def test_only_pairs_with_both_words_are_covered():
    pairs = make_pairs([("a", "b", 1), ("a", "x", 2), ("y", "b", 3), ("c", "a", 4)])
    rows, covered = pair_rows(pairs, {"a": 0, "b": 1, "c": 2})
    assert rows.tolist() == [[0, 1], [2, 0]]
    assert covered.tolist() == [0, 3]


@given(st.integers(0, 2**32 - 1), st.integers(3, 40), st.integers(2, 6))
def test_spearman_is_scipys_on_the_covered_pairs_ties_included(seed, num_pairs, num_scores):
    rng = np.random.default_rng(seed)
    words = tuple(f"w{i}" for i in range(12))
    vectors = WordVectors(words, rng.standard_normal((12, 5)).astype(np.float32))
    rows = [
        (words[a], words[b] if known else "unheard", float(rng.integers(num_scores)))
        for a, b, known in zip(
            rng.integers(0, 12, num_pairs),
            rng.integers(0, 12, num_pairs),
            rng.random(num_pairs) < 0.8,
            strict=True,
        )
    ]
    rho, covered = spearman(make_pairs(rows), vectors)
    human, cosines = [], []
    for first, second, score in rows:
        if second != "unheard":
            a, b = (vectors.vectors[vectors.rows[word]].astype(float) for word in (first, second))
            human.append(score)
            cosines.append(a @ b / np.sqrt((a @ a) * (b @ b)))
    assert covered == len(human)
    if len(human) < 2 or len(set(human)) == 1 or np.ptp(np.round(cosines, 12)) == 0:
        assert rho is None
    else:
        assert rho == pytest.approx(stats.spearmanr(human, np.round(cosines, 12)).statistic, abs=1e-9)


@pytest.mark.parametrize("words", [("hund", "katze"), ("a", "b")], ids=["another language", "one pair alone"])
def test_where_nothing_can_be_said_nothing_is(words):
    pairs = make_pairs([("a", "b", 1), ("c", "d", 2)])
    rho, covered = spearman(pairs, WordVectors(words, np.ones((2, 3), np.float32)))
    assert rho is None
    assert covered == (1 if words == ("a", "b") else 0)


def test_a_vector_of_zeros_has_no_similarity_with_anything():
    vectors = WordVectors(("a", "b", "c"), np.asarray([[0, 0], [1, 0], [1, 1]], np.float32))
    rho, covered = spearman(make_pairs([("a", "b", 1), ("b", "c", 2), ("b", "b", 3)]), vectors)
    assert (rho, covered) == (pytest.approx(1.0), 3)
