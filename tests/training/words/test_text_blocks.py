"""A round's blocks hold the words that subsampling leaves, each once, in runs of the text."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from data import Corpus
from data.corpus_frequencies import keep_probability
from training.words.text_blocks import draw_blocks


def make_corpus(tokens, ends):
    tokens = np.asarray(tokens, np.int32)
    counts = np.bincount(tokens).astype(np.int64)
    words = tuple(f"w{row}" for row in range(len(counts)))
    return Corpus("made_up", words, counts, tokens, np.asarray(ends, np.int64), len(tokens))


def draw(corpus, start, stop, keep, key=(0, 0), group=4, block=5):
    steps = -(-(stop - start) // (group * block)) + 1
    return draw_blocks(corpus, start, stop, keep, key, steps=steps, group=group, block=block)


@given(seed=st.integers(0, 2**31), length=st.integers(2, 120), data=st.data())
def test_every_word_is_in_one_block_beside_its_neighbours(seed, length, data):
    rng = np.random.default_rng(seed)
    ends = np.unique(np.append(rng.integers(1, length + 1, 8), length))
    corpus = make_corpus(np.arange(length), ends)  # every word occurs once, at the place that is its number
    start = data.draw(st.integers(0, length - 1))
    stop = data.draw(st.integers(start + 1, length))
    blocks, used = draw(corpus, start, stop, np.ones(length, np.float32), (seed, 1))
    present = blocks.sentence >= 0
    assert sorted(blocks.words[present]) == list(range(start, stop))
    assert not present[used:].any()
    assert present[:used].any(axis=(1, 2)).all()
    sentence_of = np.searchsorted(ends, np.arange(length), side="right")
    for words, sentences in zip(blocks.words.reshape(-1, 5), blocks.sentence.reshape(-1, 5), strict=True):
        inside = words[sentences >= 0]
        np.testing.assert_array_equal(np.diff(inside), 1)
        ours = sentences[sentences >= 0]
        np.testing.assert_array_equal(np.diff(ours), np.diff(sentence_of[inside]))


def test_words_are_kept_as_often_as_the_formula_says():
    rng = np.random.default_rng(0)
    probability = 1 / np.arange(1, 41)
    tokens = rng.choice(40, 200_000, p=probability / probability.sum())
    corpus = make_corpus(tokens, [len(tokens)])
    keep = keep_probability(corpus.counts, 1e-2)
    blocks, _ = draw(corpus, 0, len(tokens), keep.astype(np.float32))
    kept = np.bincount(blocks.words[blocks.sentence >= 0], minlength=40)
    assert (keep < 0.9).any()
    for occurrences, count, p in zip(corpus.counts, kept, keep, strict=True):
        low, high = stats.binom.ppf([1e-6, 1 - 1e-6], occurrences, p)
        assert low <= count <= high


def test_what_is_drawn_depends_on_the_key_alone():
    corpus = make_corpus(np.arange(500) % 7, [500])
    keep = np.full(7, 0.5, np.float32)
    first, again, other = (draw(corpus, 0, 500, keep, key)[0] for key in ((3, 4), (3, 4), (3, 5)))
    np.testing.assert_array_equal(first.words, again.words)
    assert (first.words != other.words).any()


def test_a_pair_of_neighbours_shares_a_block_as_often_wherever_it_is():
    corpus = make_corpus(np.arange(60), [60])
    together = np.zeros(59)
    for number in range(2000):
        blocks, _ = draw(corpus, 0, 60, np.ones(60, np.float32), (number,))
        flat = blocks.words.reshape(-1, 5)
        inside = (blocks.sentence.reshape(-1, 5) >= 0).all(axis=1)
        together[flat[inside][:, :-1].ravel()] += 1
    middle = together[5:54] / 2000
    assert np.abs(middle - 4 / 5).max() < 5 * np.sqrt(0.8 * 0.2 / 2000)
