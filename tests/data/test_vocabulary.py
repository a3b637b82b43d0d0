"""Words are found, counted and numbered the same way every time."""

import subprocess
import sys
import unicodedata
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import TfidfTransformer

from data.vocabulary import PAD_ID, UNKNOWN_ID, build_tokenizer, smooth_idf, token_ids

TEXTS = st.lists(st.text(), min_size=1, max_size=8).map(lambda texts: [*texts, "a word"])


def words(text):
    tokenizer = build_tokenizer([text, "x"], 1, 0)
    return [tokenizer.id_to_token(i) for i in token_ids(tokenizer, [text])[0]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A good, GOOD film!", ["a", "good", ",", "good", "film", "!"]),
        ("don't rock'n'roll 'quoted' dogs'", ["don't", "rock'n'roll", "'", "quoted", "'", "dogs", "'"]),
        ("doesn’t", ["doesn't"]),
        ("3.5 stars...", ["3", ".", "5", "stars", ".", ".", "."]),
        ("cafe\u0301 CAFÉ", ["café", "café"]),
        ("well-made \u200b\x00 👍", ["well", "-", "made", "👍"]),
        ("[PAD] [UNK]", ["[", "pad", "]", "[", "unk", "]"]),
        (" \t\n\u00a0", []),
        ("", []),
    ],
)
def test_words_and_single_marks(text, expected):
    assert words(text) == expected


@given(TEXTS)
@settings(max_examples=80, deadline=None)
def test_a_training_text_round_trips_and_never_meets_a_reserved_id(texts):
    tokenizer = build_tokenizer(texts, 1, 0)
    for ids in token_ids(tokenizer, texts):
        assert not {PAD_ID, UNKNOWN_ID} & set(ids)
        joined = " ".join(tokenizer.id_to_token(i) for i in ids)
        assert token_ids(tokenizer, [joined]) == [ids]
        assert unicodedata.normalize("NFC", joined) == joined


@given(TEXTS, st.integers(1, 3), st.sampled_from([0, 3, 5]))
@settings(max_examples=80, deadline=None)
def test_words_are_numbered_by_frequency_then_alphabet(texts, min_count, max_vocab):
    texts = texts + ["a word"] * 2
    everything = build_tokenizer(texts, 1, 0)
    counts = Counter(everything.id_to_token(i) for ids in token_ids(everything, texts) for i in ids)
    expected = sorted((w for w in counts if counts[w] >= min_count), key=lambda w: (-counts[w], w))
    tokenizer = build_tokenizer(texts, min_count, max_vocab)
    found = [tokenizer.id_to_token(i) for i in range(tokenizer.get_vocab_size())]
    assert found == (["[PAD]", "[UNK]", *expected][: max_vocab or None])


def test_reserved_names_in_a_text_are_words_like_others():
    tokenizer = build_tokenizer(["[PAD] and [UNK]"], 1, 0)
    assert len(token_ids(tokenizer, ["[PAD]"])[0]) == 3
    assert PAD_ID not in token_ids(tokenizer, ["[PAD][UNK]"])[0]
    assert token_ids(tokenizer, ["unseen"]) == [[UNKNOWN_ID]]


def test_idf_is_scikit_learns_smooth_idf_and_unknown_words_have_df_0():
    rows = [[2, 3, 3], [2, 1], [2], []]
    counts = np.array([[r.count(i) for i in range(5)] for r in rows])
    expected = TfidfTransformer(smooth_idf=True).fit(counts).idf_
    idf = smooth_idf(rows, 5)
    np.testing.assert_allclose(idf[2:], expected[2:], rtol=1e-12)
    assert idf[PAD_ID] == 0
    assert idf[UNKNOWN_ID] == pytest.approx(np.log(1 + 4) + 1)


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ((0, 0), "data.min_count: expected at least 1, found 0"),
        ((9, 0), "data.min_count: no word occurs 9 times in 1 training texts"),
        ((1, 2), r"data.max_vocab: expected 0 \(no limit\) or at least 3 .*found 2"),
        ((1, -1), "data.max_vocab: expected 0"),
    ],
)
def test_limits_out_of_range_are_named(limits, message):
    with pytest.raises(ValueError, match=message):
        build_tokenizer(["a word"], *limits)


def test_a_fork_after_tokenizing_says_nothing():
    # tokenizers 0.21, the oldest we allow, warns here unless told to keep to one thread.
    code = (
        "import os\n"
        "from data.vocabulary import build_tokenizer, token_ids\n"
        "tokenizer = build_tokenizer(['a b'] * 100, 1, 0)\n"
        "if os.fork() == 0:\n"
        "    token_ids(tokenizer, ['a'] * 100)\n"
        "    os._exit(0)\n"
        "os.wait()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout + done.stderr == ""
