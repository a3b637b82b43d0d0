"""Running text becomes numbered words once, in bounded memory, wholly or not at all."""

# ruff: noqa: RUF012 (features are class attributes that nobody changes)

import contextlib
import gzip
import json
import os
import re
import signal
import subprocess
import sys
import time
import tracemalloc
from collections import Counter
from pathlib import Path

import ml_collections
import numpy as np
import pytest
import tensorflow_datasets as tfds
from hypothesis import given
from hypothesis import strategies as st

from data import corpus, corpus_build, corpus_sources
from data.corpus_vocabulary import CorpusVocabulary

TEXT = "The cat sat on the mat.\n\nThe dog SAT, too\nA cat?\n"
# A build that says so and takes its time before and after.
LOAD = """
import sys, time
import ml_collections
from data import corpus
build = corpus.build
def slow(*args, **options):
    with open(sys.argv[3], "a") as log:
        log.write("build\\n")
    build(*args, **options)
    time.sleep(float(sys.argv[4]))
corpus.build = slow
loaded = corpus.load(ml_collections.ConfigDict(
    dict(name="", path=sys.argv[1], dir=sys.argv[2], text_column="text", min_count=1, max_vocab=0)))
assert len(loaded.tokens) == 13
"""


def make_config(path="", folder="", **overrides):
    fields = {"name": "english/full", "text_column": "text", "min_count": 1, "max_vocab": 0}
    return ml_collections.ConfigDict({**fields, "path": str(path), "dir": str(folder), **overrides})


def load(path, folder, **overrides):
    return corpus.load(make_config(path, folder, **overrides))


def write(path, text):
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def caches(folder):
    """Returns what lies beside the locks, finished or not."""
    root = Path(folder, "corpora")
    return sorted(path.name for path in root.iterdir() if path.name != ".locks") if root.exists() else []


def naive(text, min_count, max_vocab, longest):
    """Returns words, counts and sentences, all in memory, line by line."""
    lines = [re.findall(r"\w+(?:'\w+)*", line.lower()) for line in text.split("\n")]
    counts = Counter(word for line in lines for word in line)
    kept = sorted((w for w in counts if counts[w] >= min_count), key=lambda w: (-counts[w], w))
    kept = kept[:max_vocab] if max_vocab else kept
    known = [[word for word in line if word in kept] for line in lines]
    cut = [line[i : i + longest] for line in known for i in range(0, len(line), longest)]
    return tuple(kept), [counts[word] for word in kept], cut


@contextlib.contextmanager
def in_small_pieces():
    """Reads texts in pieces of a line or so, and cuts sentences after seven words."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(corpus_sources, "_BYTES", 40)
        patch.setattr(corpus_build, "MAX_SENTENCE", 7)
        yield


def test_words_sentences_and_counts(tmp_path):
    loaded = load(write(tmp_path / "pets.txt", TEXT), tmp_path)
    assert loaded.name == "pets.txt"
    assert loaded.words == ("the", "cat", "sat", "a", "dog", "mat", "on", "too")
    assert loaded.counts.tolist() == [3, 2, 2, 1, 1, 1, 1, 1]
    assert list(loaded.sentences()) == [
        ["the", "cat", "sat", "on", "the", "mat"],
        ["the", "dog", "sat", "too"],
        ["a", "cat"],
    ]
    assert loaded.tokens.dtype == np.int32
    assert loaded.ends.tolist() == [6, 10, 12]
    assert loaded.num_raw_words == 12


def test_rare_words_vanish_before_windows_are_formed(tmp_path):
    loaded = load(write(tmp_path / "pets.txt", TEXT), tmp_path, min_count=2)
    assert list(loaded.sentences()) == [["the", "cat", "sat", "the"], ["the", "sat"], ["cat"]]
    assert loaded.num_raw_words == 12
    loaded = load(tmp_path / "pets.txt", tmp_path, max_vocab=2)
    assert loaded.words == ("the", "cat")
    assert list(loaded.sentences()) == [["the", "cat", "the"], ["the"], ["cat"]]


WORDS = st.sampled_from(["a", "b", "B", "see", "don't", "eff", "g", "long_word"])
LINES = st.lists(st.lists(WORDS, max_size=25).map(" ".join), min_size=1, max_size=12)


@given(LINES, st.integers(1, 3), st.sampled_from([0, 2, 4]))
def test_streaming_equals_reading_it_all(tmp_path_factory, lines, min_count, max_vocab):
    text = "\n".join(["a b a b a b", *lines])
    folder = tmp_path_factory.mktemp("streamed")
    with in_small_pieces():
        loaded = load(write(folder / "text.txt", text), folder, min_count=min_count, max_vocab=max_vocab)
    words, counts, sentences = naive(text, min_count, max_vocab, longest=7)
    assert loaded.words == words
    assert loaded.counts.tolist() == counts == np.bincount(loaded.tokens).tolist()
    assert list(loaded.sentences()) == sentences


def test_a_long_line_is_cut_after_ten_thousand_words(tmp_path):
    loaded = load(write(tmp_path / "line.txt", "a b " * 12_500 + "\nb a"), tmp_path)
    assert np.diff(loaded.ends, prepend=0).tolist() == [10_000, 10_000, 5_000, 2]


def test_memory_does_not_grow_with_the_text(tmp_path, monkeypatch):
    monkeypatch.setattr(corpus_sources, "_BYTES", 2**15)
    words = np.array([f"word{i}" for i in range(500)])
    rng = np.random.default_rng(0)

    def peak(num_words):
        text = "\n".join(" ".join(line) for line in rng.choice(words, (num_words // 50, 50)))
        path = write(tmp_path / f"{num_words}.txt", text)
        del text
        tracemalloc.start()
        assert len(load(path, tmp_path).tokens) == num_words
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    load(write(tmp_path / "first.txt", TEXT), tmp_path)  # imports
    small, large = peak(20_000), peak(200_000)
    assert large < 1.1 * small


def test_too_many_words_to_count_lose_the_rarest_as_in_word2vec(tmp_path, monkeypatch):
    monkeypatch.setattr(corpus_build, "MAX_TYPES", 20)
    # "late" is forgotten once and counted anew: the first count finds it 3 times, fewer than "seldom".
    lines = ["late late", *(f"only{i} often" for i in range(60)), *["late often"] * 3, *["seldom often"] * 4]
    write(tmp_path / "text.txt", "\n".join(lines))
    with in_small_pieces():
        loaded = load(tmp_path / "text.txt", tmp_path, min_count=3)
    assert loaded.words == ("often", "late", "seldom")
    assert loaded.counts.tolist() == [67, 5, 4]  # those that were forgotten are in the text all the same
    assert np.bincount(loaded.tokens).tolist() == [67, 5, 4]
    assert loaded.num_raw_words == 136
    assert list(loaded.sentences())[::63] == [["late", "late"], ["late", "often"]]


def test_tokenised_once_and_again_only_when_the_text_or_a_limit_changes(tmp_path, monkeypatch):
    path = write(tmp_path / "text.txt", TEXT)
    first = load(path, tmp_path)
    reads = []
    read = corpus_sources.TextFiles.read
    monkeypatch.setattr(corpus_sources.TextFiles, "read", lambda self: reads.append(1) or read(self))
    again = load(path, tmp_path)
    assert not reads
    assert again.words == first.words
    assert list(again.sentences()) == list(first.sentences())
    assert again.fingerprint() == first.fingerprint() != ""

    write(path, TEXT.replace("dog", "pig"))
    changed = load(path, tmp_path)
    assert "pig" in changed.words
    assert changed.fingerprint() != first.fingerprint()
    assert len(caches(tmp_path)) == 1  # the outdated one is gone
    assert load(path, tmp_path, min_count=2).words == ("the", "cat", "sat")
    assert len(caches(tmp_path)) == 2


def test_the_fingerprint_is_the_contents_and_not_the_files(tmp_path):
    first = load(write(tmp_path / "first.txt", TEXT), tmp_path)
    assert load(write(tmp_path / "second.txt", TEXT), tmp_path).fingerprint() == first.fingerprint()
    joined = write(tmp_path / "joined.txt", TEXT.replace("too\n", "too "))
    assert load(joined, tmp_path).fingerprint() != first.fingerprint()


@pytest.mark.parametrize(
    "damage", ["cut the tokens", "spoil the words", "drop the ends", "spoil the figures"]
)
def test_a_damaged_cache_is_built_again(tmp_path, damage):
    path = write(tmp_path / "text.txt", TEXT)
    expected = list(load(path, tmp_path).sentences())
    (folder,) = (tmp_path / "corpora").glob("text*")
    if damage == "cut the tokens":
        os.truncate(folder / "tokens.int32", 8)
    elif damage == "spoil the words":
        write(folder / "words.json", '{"words": ["the"')
    elif damage == "drop the ends":
        (folder / "ends.int64").unlink()
    else:
        write(folder / "meta.json", "{}")
    assert list(load(path, tmp_path).sentences()) == expected
    assert len(caches(tmp_path)) == 1


def test_gzipped_text_is_the_same_text(tmp_path):
    plain = load(write(tmp_path / "text.txt", TEXT), tmp_path)
    packed = load(write(tmp_path / "text.txt.gz", gzip.compress(TEXT.encode())), tmp_path)
    assert packed.fingerprint() == plain.fingerprint()


def test_several_files_are_one_text_and_each_ends_its_last_line(tmp_path):
    write(tmp_path / "b.txt", "one two")
    write(tmp_path / "a.txt.gz", gzip.compress(b"three four"))
    listed = load(f"{tmp_path}/b.txt, {tmp_path}/a.txt.gz", tmp_path)
    assert list(listed.sentences()) == [["one", "two"], ["three", "four"]]
    assert listed.name == "b.txt and 1 more"
    matched = load(tmp_path / "*.txt*", tmp_path)
    assert list(matched.sentences()) == [["three", "four"], ["one", "two"]]
    assert list(load(write(tmp_path / "c,d[1].txt", "five six"), tmp_path).sentences()) == [["five", "six"]]


def start(tmp_path, seconds):
    env = {**os.environ, "PYTHONPATH": os.getcwd()}
    arguments = [str(tmp_path / "text.txt"), str(tmp_path), str(tmp_path / "log"), str(seconds)]
    command = [sys.executable, "-c", LOAD, *arguments]
    return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def test_two_processes_at_once_build_once(tmp_path):
    write(tmp_path / "text.txt", TEXT + "again")
    processes = [start(tmp_path, 0.5) for _ in range(2)]
    assert [process.communicate()[0] for process in processes] == ["", ""]
    assert [process.returncode for process in processes] == [0, 0]
    assert (tmp_path / "log").read_text() == "build\n"
    assert len(caches(tmp_path)) == 1


def test_a_killed_build_leaves_nothing_in_place_and_the_next_run_works(tmp_path):
    write(tmp_path / "text.txt", TEXT + "again")
    process = start(tmp_path, 60)
    deadline = time.monotonic() + 20
    while not list(tmp_path.glob("corpora/.*/built/meta.json")):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not list(tmp_path.glob("corpora/text*"))
    assert len(caches(tmp_path)) == 1  # what the killed run left
    assert len(load(tmp_path / "text.txt", tmp_path).tokens) == 13
    assert len(list(tmp_path.glob("corpora/text*"))) == len(caches(tmp_path)) == 1


def test_a_text_that_changes_while_it_is_read_is_refused(tmp_path, monkeypatch):
    path = write(tmp_path / "text.txt", TEXT)
    encode = corpus_build._encode
    monkeypatch.setattr(
        corpus_build, "_encode", lambda *args: write(path, TEXT.replace("cat", "dog")) and encode(*args)
    )
    with pytest.raises(ValueError, match=r"text\.txt: changed while it was read; run again"):
        load(path, tmp_path)
    assert caches(tmp_path) == []


@pytest.mark.parametrize(
    ("text", "limits", "message"),
    [
        ("", {}, r"text\.txt: no word in it; expected text, one sentence a line"),
        ("... !\n\n?", {}, r"text\.txt: no word in it"),
        ("word word\nword", {}, r"text\.txt: one distinct word, 'word', so there is nothing to learn"),
        (TEXT, {"min_count": 9}, r"data\.min_count: no word of text\.txt occurs 9 times; .* 'the', 3 times"),
        (TEXT, {"min_count": 3}, r"data\.min_count: of the words of text\.txt 'the' alone occurs 3 times"),
        ("one\ntwo\nthree", {}, r"text\.txt: no line holds two words of the vocabulary"),
        (b"fine\nfine too\nna\xefve film\n", {}, r"text\.txt, line 3: byte 0xef is not UTF-8"),
        ("café " * 20 + "\nfine\n", {"cut": -3}, r"text\.txt, line 3: byte 0xc3 is not UTF-8"),
        (TEXT, {"min_count": 0}, r"data\.min_count: expected at least 1, found 0"),
        (TEXT, {"max_vocab": 1}, r"data\.max_vocab: expected 0 \(no limit\) or at least 2, found 1"),
    ],
)
def test_nothing_to_learn_from_is_one_line(tmp_path, text, limits, message):
    if limits.pop("cut", None):
        text = text.encode() + "é".encode()[:1]  # a letter cut short by the end of the file
    with in_small_pieces(), pytest.raises(ValueError, match=message) as error:
        load(write(tmp_path / "text.txt", text), tmp_path, **limits)
    assert "\n" not in str(error.value)
    assert caches(tmp_path) == []


def test_a_missing_file_and_a_folder_are_one_line(tmp_path):
    write(tmp_path / "corpus.txt", TEXT)
    with pytest.raises(
        FileNotFoundError, match=r"corpsu\.txt: no such file \(did you mean 'corpus\.txt'\?\)"
    ):
        load(tmp_path / "corpsu.txt", tmp_path)
    with pytest.raises(FileNotFoundError, match=r"\*\.text: no such file"):
        load(tmp_path / "*.text", tmp_path)
    with pytest.raises(ValueError, match=r"is a folder, expected files, as .*/\*\.txt"):
        load(tmp_path, tmp_path)


@pytest.mark.parametrize(
    "content", [gzip.compress(TEXT.encode(), mtime=0)[:-9], b"plain text", gzip.compress(b"a b", mtime=0)[:5]]
)
def test_a_broken_gzip_file_is_one_line(tmp_path, content):
    with pytest.raises(ValueError, match=r"text\.txt\.gz: not a whole gzip file \(") as error:
        load(write(tmp_path / "text.txt.gz", content), tmp_path)
    assert "\n" not in str(error.value)
    assert caches(tmp_path) == []


class TinyStories(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """Stands for other people's: not registered, read from disk alone."""

    VERSION = tfds.core.Version("1.0.0")
    FEATURES = {"story": tfds.features.Text(), "length": np.int64}

    def _info(self):
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(self.FEATURES))

    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples()}

    def _generate_examples(self):
        for i in range(300):
            yield i, {"story": f"Once upon\na time, {i}.", "length": 5}


class TinySizes(TinyStories, skip_registration=True):
    FEATURES = {"length": np.int64}

    def _generate_examples(self):
        yield 0, {"length": 5}


@pytest.fixture(scope="module")
def tfds_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cache")
    tfds.disable_progress_bar()
    for builder in (TinyStories, TinySizes):
        builder(data_dir=folder / "tfds").download_and_prepare(file_format="array_record")
    return folder


def test_texts_of_a_tfds_data_set_are_documents_of_lines(tfds_folder):
    loaded = load("", tfds_folder, name="tfds:tiny_stories")  # the only text stands in for the default name
    assert loaded.name == "tfds:tiny_stories"
    assert loaded.words[:4] == ("a", "once", "time", "upon")
    sentences = list(loaded.sentences())
    assert len(sentences) == 600
    assert sentences[::2] == [["once", "upon"]] * 300
    assert sorted(int(sentence[2]) for sentence in sentences[1::2]) == list(range(300))
    assert load("", tfds_folder, name="tfds:tiny_stories", text_column="story").words == loaded.words
    assert "tensorflow" not in sys.modules


def test_a_wrong_name_or_feature_is_one_line_with_the_nearest(tfds_folder):
    with pytest.raises(ValueError, match=r"no corpus 'english/smal' \(did you mean 'english/small'\?\)"):
        load("", tfds_folder, name="english/smal")
    with pytest.raises(ValueError, match=r"tiny_stories: no text feature 'stroy' \(did you mean 'story'\?\)"):
        load("", tfds_folder, name="tfds:tiny_stories", text_column="stroy")
    with pytest.raises(
        ValueError, match=r"tfds:tiny_sizes: no text feature 'text' .*; it has no text, but length"
    ):
        load("", tfds_folder, name="tfds:tiny_sizes")


def test_the_vocabulary_is_saved_and_restored(tmp_path):
    saved = load(write(tmp_path / "pets.txt", TEXT), tmp_path).vocabulary
    saved.save(tmp_path / "preprocessor.json")
    content = json.loads((tmp_path / "preprocessor.json").read_text())
    assert content["format"] == CorpusVocabulary.FORMAT == "combiner-ablations corpus vocabulary 1"
    restored = CorpusVocabulary.from_dict(content)
    assert restored.words == saved.words
    assert restored.counts.tolist() == saved.counts.tolist()
    assert restored.rows["cat"] == 1
