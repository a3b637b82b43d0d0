"""Files of word vectors: what we write gensim reads, what gensim and others write we read, and the rest is refused."""

import gzip
import json
import os
import pathlib
import pickle
import subprocess
import sys

import numpy as np
import pytest
from gensim.models import KeyedVectors, Word2Vec
from gensim.models.keyedvectors import CompatVocab
from hypothesis import given
from hypothesis import strategies as st

from data import word2vec_parsers
from data.vector_files import load_vectors, save_word2vec, vocabulary_words
from data.vocabulary import build_tokenizer
from data.word_vectors import WordVectors

WORDS = ("the", "café", "don't", "'", "10", "猫")
VECTORS = WordVectors(WORDS, np.random.default_rng(0).normal(size=(6, 5)).astype(np.float32))
KEYED = KeyedVectors(5)
KEYED.add_vectors(list(WORDS), VECTORS.vectors)
GLOVE = "the 0.5 -1 2e-1\ncafé 1 2 3\n"


def write(path, content):
    content = content.encode() if isinstance(content, str) else content
    path.write_bytes(content)
    return path


def assert_same(found, expected=VECTORS):
    assert found.words == expected.words
    assert found.vectors.dtype == np.float32
    np.testing.assert_array_equal(found.vectors, expected.vectors)


# --- Round trips ---

ANY_WORD = st.text(st.characters(exclude_characters=" \t\n\r\x0b\x0c", exclude_categories=["Cs"]), min_size=1)


@st.composite
def words_and_numbers(draw):
    words, dim = draw(st.lists(ANY_WORD, min_size=1, max_size=6, unique=True)), draw(st.integers(1, 4))
    numbers = st.floats(width=32, allow_nan=False, allow_infinity=False)
    return words, [draw(st.lists(numbers, min_size=dim, max_size=dim)) for _ in words]


@given(words_and_numbers(), st.booleans(), st.booleans())
def test_what_is_written_comes_back_bit_for_bit_and_gensim_reads_the_same(
    tmp_path_factory, content, binary, gzipped
):
    vectors = WordVectors(tuple(content[0]), np.array(content[1], np.float32))
    path = tmp_path_factory.mktemp("vectors") / ("vectors.gz" if gzipped else "vectors")
    save_word2vec(path, vectors, binary=binary)
    found = load_vectors(path)
    assert found.words == vectors.words
    assert found.vectors.tobytes() == vectors.vectors.tobytes()
    theirs = KeyedVectors.load_word2vec_format(path, binary=binary)
    assert theirs.index_to_key == list(vectors.words)
    np.testing.assert_array_equal(theirs.vectors, vectors.vectors)


@pytest.mark.parametrize("name", ["vectors", "vectors.txt.gz", "vectors.csv"])
@pytest.mark.parametrize("binary", [False, True])
def test_word2vec_files_of_gensim_whatever_their_name(tmp_path, name, binary):
    KEYED.save_word2vec_format(tmp_path / name, binary=binary)
    assert_same(load_vectors(tmp_path / name))


@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_keyed_vectors_of_gensim_in_one_file_and_with_arrays_apart(tmp_path, apart, protocol):
    KEYED.save(str(tmp_path / "vectors"), sep_limit=1 if apart else 10**9, pickle_protocol=protocol)
    assert (tmp_path / "vectors.vectors.npy").exists() == apart
    assert_same(load_vectors(tmp_path / "vectors"))


def test_keyed_vectors_of_a_trained_model_with_counts_and_a_users_attributes(tmp_path):
    model = Word2Vec([["a", "b", "a", "c"]] * 9, vector_size=4, min_count=1, seed=0, workers=1)
    model.wv.set_vecattr("a", "note", "a user's own")
    model.wv.save(str(tmp_path / "vectors.kv"))
    expected = WordVectors(tuple(model.wv.index_to_key), model.wv.vectors)
    assert_same(load_vectors(tmp_path / "vectors.kv"), expected)


def test_keyed_vectors_as_gensim_3_wrote_them(tmp_path):
    old = KeyedVectors.__new__(KeyedVectors)
    old.__dict__ = {
        "vectors": np.asfortranarray(VECTORS.vectors.astype(">f4")),
        "vocab": {word: CompatVocab(index=row, count=np.int64(9)) for row, word in enumerate(WORDS)},
        "index2word": list(WORDS),
        "vector_size": 5,
    }
    assert_same(load_vectors(write(tmp_path / "old", pickle.dumps(old, protocol=2))))


def test_glove_has_no_header_and_words_with_spaces(tmp_path):
    found = load_vectors(write(tmp_path / "glove", GLOVE + "\n. . . 4 5 6\r\n"))
    assert found.words == ("the", "café", ". . .")
    np.testing.assert_array_equal(found.vectors, np.array([[0.5, -1, 0.2], [1, 2, 3], [4, 5, 6]], np.float32))
    assert load_vectors(write(tmp_path / "glove.gz", gzip.compress(GLOVE.encode()))).words == ("the", "café")


@pytest.mark.parametrize(
    "lines",
    [
        "the 1 2 \ncat 3 4 \n",
        "the\t1\t2\ncat\t3\t4",
        "the  1  2\r\ncat  3  4\r\n",
        "the +1 2.\ncat 3e0 .4e1\n",
    ],
)
@pytest.mark.parametrize("header", ["", "2 2\n"])
def test_spaces_tabs_and_ends_of_lines_may_differ(tmp_path, header, lines):
    found = load_vectors(write(tmp_path / "vectors", header + lines))
    assert_same(found, WordVectors(("the", "cat"), np.array([[1, 2], [3, 4]], np.float32)))


def test_word2vec_itself_ends_binary_vectors_with_a_newline(tmp_path):
    rows = b"".join(
        w.encode() + b" " + v.tobytes() + b"\n" for w, v in zip(WORDS, VECTORS.vectors, strict=True)
    )
    assert_same(load_vectors(write(tmp_path / "vectors", b"6 5\n" + rows)))


@pytest.mark.parametrize("binary", [False, True])
def test_files_larger_than_a_block(tmp_path, monkeypatch, binary):
    rng = np.random.default_rng(1)
    vectors = WordVectors(tuple(f"w{i}" for i in range(300)), rng.normal(size=(300, 7)).astype(np.float32))
    save_word2vec(tmp_path / "vectors", vectors, binary=binary)
    for block in (1, 50, 997):
        monkeypatch.setattr(word2vec_parsers, "BLOCK", block)
        assert_same(load_vectors(tmp_path / "vectors"), vectors)


@pytest.mark.parametrize("binary", [False, True])
def test_of_a_word_that_comes_twice_the_first_counts_as_in_gensim(tmp_path, binary):
    twice = WordVectors(("a", "b", "a", "c"), np.arange(8, dtype=np.float32).reshape(4, 2))
    save_word2vec(tmp_path / "vectors", twice, binary=binary)
    found = load_vectors(tmp_path / "vectors")
    assert_same(found, WordVectors(("a", "b", "c"), twice.vectors[[0, 1, 3]]))
    theirs = KeyedVectors.load_word2vec_format(tmp_path / "vectors", binary=binary)
    np.testing.assert_array_equal(found.vectors, theirs[list(found.words)])


# --- What is refused ---

BINARY = b"2 1\nthe \x00\x00\x80\x3fcat \x00\x00\x00\x40"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", ": the file is empty, expected word vectors"),
        (" \n\n", ": the file is empty, expected word vectors"),
        ("hello world\n", ", line 1: unknown format: expected word2vec's header .* found b'hello world'"),
        ("words 3\nthe 1 2 3\n", ", line 2: expected a word and 1 numbers, found 3"),
        ("0 3\n", ", line 1: a header of 0 words of 3 numbers; expected at least one"),
        ("3 2\nthe 1 2\ncat 1 2\n", ": the header says 3 words, but 2 lines follow it"),
        ("1 2\nthe 1 2\ncat 1 2\n", ": the header says 1 words, but 2 lines follow it"),
        (GLOVE + "dog 1 2\n", ", line 3: expected a word and 3 numbers, found 2"),
        (GLOVE + "dog 1 2 3 4\n", ", line 3: expected a word and 3 numbers, found 4"),
        (GLOVE + "\ndog 1 2 x3\n", ", line 4: 'x3' is not a number"),
        ("2 3\n" + GLOVE.replace("2e-1", "nan"), ", line 2: expected finite numbers, found 'nan'"),
        (GLOVE + "dog 1 -1e39 inf\n", ", line 3: expected finite numbers, found '-1e39'"),
        (GLOVE.encode("latin-1"), r", line 2: the word 'caf\\\\xe9' is not UTF-8 \(byte 0xe9\)"),
        (BINARY[:-1], ", byte 12: word 2 of 2 is not a word, a space and 1 float32"),
        (BINARY[:13], ", byte 12: word 2 of 2 is not a word, a space and 1 float32"),
        (BINARY + b"\nmore", ", byte 20: more follows the 2 words of the header"),
        (BINARY.replace(b"the", b"th\xe9"), r", byte 4: the word 'th\\\\xe9' is not UTF-8"),
        (BINARY.replace(b"the ", b" "), ", byte 4: expected a word, found a space"),
        (BINARY[:-2] + b"\xc0\x7f", ": the vector of word 2, 'cat', is not finite"),
        (BINARY[:12] + bytes(10**5), ", byte 12: word 2 of 2 is not a word"),
        (gzip.compress(GLOVE.encode(), mtime=0)[:-9], ": not a whole gzip file"),
        (gzip.compress(b"", mtime=0), ": the file is empty, expected word vectors"),
        (pickle.dumps({"the": [1.0]}), ": a pickle, but not of gensim's KeyedVectors"),
        (pickle.dumps(KEYED)[:-20], ": a pickle that does not hold gensim's KeyedVectors"),
        (pickle.dumps(KeyedVectors(3)), ": expected KeyedVectors of one word at least, whose keys are words"),
    ],
)
def test_a_malformed_file_is_refused_with_its_line_or_byte(tmp_path, content, message):
    path = write(tmp_path / "vectors", content)
    with pytest.raises(ValueError, match=f"^{path}{message}") as refused:
        load_vectors(path)
    assert "\n" not in str(refused.value)


def test_a_missing_file_names_the_nearest(tmp_path):
    write(tmp_path / "glove.txt", GLOVE)
    with pytest.raises(FileNotFoundError, match=r"no such file \(did you mean 'glove.txt'\?\)"):
        load_vectors(tmp_path / "glov.txt")


class Malicious:
    """Its pickle makes a file where it is loaded."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return pathlib.Path.touch, (self.path,)


def test_a_pickle_that_names_anything_else_is_refused_before_that_is_called(tmp_path):
    here = tmp_path / "called"
    pickle.loads(pickle.dumps(Malicious(here)))
    assert here.exists()  # the attack works on those who load pickles
    here.unlink()
    path = write(tmp_path / "vectors.kv", pickle.dumps(Malicious(here)))
    with pytest.raises(ValueError, match=r"it names pathlib\S*, which is not called here"):
        load_vectors(path)
    assert not here.exists()


@pytest.mark.parametrize("function", [os.system, eval, getattr, np.load, subprocess.Popen, sys.exit])
def test_no_function_is_called_for_a_pickle(tmp_path, function):
    class Attack:
        def __reduce__(self):
            return function, ("echo",)

    path = write(tmp_path / "vectors.kv", pickle.dumps([KEYED, Attack()]))
    with pytest.raises(ValueError, match=f"it names .*{function.__name__}, which is not called here"):
        load_vectors(path)


def test_of_a_whole_gensim_model_it_is_said_what_to_save(tmp_path):
    Word2Vec([["a", "b"]] * 9, vector_size=4, min_count=1, workers=1).save(str(tmp_path / "model"))
    with pytest.raises(ValueError, match=r"names gensim.models.word2vec.Word2Vec.* save model.wv"):
        load_vectors(tmp_path / "model")


def test_an_array_that_lay_apart_must_be_there_whole(tmp_path):
    KEYED.save(str(tmp_path / "vectors.kv"), sep_limit=1)
    apart = tmp_path / "vectors.kv.vectors.npy"
    content = apart.read_bytes()
    apart.write_bytes(content[:-7])
    with pytest.raises(ValueError, match=r"vectors.kv.vectors.npy: not a whole .npy file"):
        load_vectors(tmp_path / "vectors.kv")
    np.save(apart, np.array([None]), allow_pickle=True)
    with pytest.raises(ValueError, match=r"vectors.kv.vectors.npy: not a whole .npy file of numbers"):
        load_vectors(tmp_path / "vectors.kv")
    apart.unlink()
    with pytest.raises(
        ValueError, match=r"its vectors lie in vectors.kv.vectors.npy, which is not beside it"
    ):
        load_vectors(tmp_path / "vectors.kv")


@pytest.mark.parametrize(
    ("words", "numbers", "message"),
    [
        ((), np.zeros((0, 3)), "no vectors to write"),
        (("a b",), np.zeros((1, 3)), "no room for the word 'a b'"),
        (("a", ""), np.zeros((2, 3)), "no room for the word ''"),
        (("a", "b"), [[0, 0], [0, np.nan]], "the vector of 'b' is not finite"),
    ],
)
def test_what_the_format_cannot_hold_is_not_written(tmp_path, words, numbers, message):
    with pytest.raises(ValueError, match=message):
        save_word2vec(tmp_path / "vectors", WordVectors(words, np.asarray(numbers, np.float32)))
    assert not list(tmp_path.iterdir())


def test_a_file_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = write(tmp_path / "vectors", "what was there before")
    monkeypatch.setattr("data.vector_files._write_text_rows", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        save_word2vec(path, VECTORS)
    assert path.read_text() == "what was there before"
    assert list(tmp_path.iterdir()) == [path]


# --- Words alone ---


def test_the_words_of_a_file_and_of_runs(tmp_path):
    save_word2vec(tmp_path / "vectors", VECTORS)
    assert vocabulary_words(tmp_path / "vectors") == WORDS
    content = {"format": "combiner-ablations corpus vocabulary 1", "words": ["b", "a"], "counts": [2, 1]}
    write(tmp_path / "preprocessor.json", json.dumps(content))
    assert vocabulary_words(tmp_path) == ("b", "a")
    tokenizer = build_tokenizer(["a b b"], 1, 0)
    write(tmp_path / "preprocessor.json", json.dumps({"tokenizer": json.loads(tokenizer.to_str())}))
    assert vocabulary_words(tmp_path) == ("b", "a")


def test_a_folder_without_words_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"is a folder without a run in it \(preprocessor.json is missing\)"):
        vocabulary_words(tmp_path)
    write(tmp_path / "preprocessor.json", json.dumps({"format": "images 1"}))
    with pytest.raises(ValueError, match=r"holds a run whose inputs are no words \('images 1'\)"):
        vocabulary_words(tmp_path)
    with pytest.raises(FileNotFoundError, match="no such file"):
        vocabulary_words(tmp_path / "absent")
