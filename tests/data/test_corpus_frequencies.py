"""Words are thinned out and drawn as word2vec has it."""

import numpy as np
import pytest

from data.corpus_frequencies import keep_probability, noise_probability

COUNTS = np.array([800, 150, 40, 10])


def test_frequent_words_are_kept_by_the_formula_worked_by_hand():
    # f = .8, .15, .04, .01 and t = .01: t/f = 1/80, 1/15, 1/4, 1.
    expected = [0.1118034 + 0.0125, 0.2581989 + 0.0666667, 0.5 + 0.25, 1.0]
    np.testing.assert_allclose(keep_probability(COUNTS, 0.01), expected, rtol=1e-6)


def test_a_threshold_of_zero_keeps_every_word():
    assert keep_probability(COUNTS, 0.0).tolist() == [1.0, 1.0, 1.0, 1.0]


@pytest.mark.parametrize("threshold", [-0.1, 1.0, float("nan")])
def test_a_threshold_is_a_share(threshold):
    with pytest.raises(ValueError, match=f"expected at least 0 and below 1, found {threshold}"):
        keep_probability(COUNTS, threshold)


def test_noise_is_drawn_by_the_three_quarters_power_worked_by_hand():
    # 16^.75 = 8, 81^.75 = 27, 1 = 1.
    np.testing.assert_allclose(
        noise_probability(np.array([81, 16, 1])), [27 / 36, 8 / 36, 1 / 36], rtol=1e-12
    )
    np.testing.assert_allclose(noise_probability(COUNTS, 1.0), [0.8, 0.15, 0.04, 0.01], rtol=1e-12)
    np.testing.assert_allclose(noise_probability(COUNTS, 0.0), [0.25] * 4, rtol=1e-12)


def test_both_are_gensims():
    word2vec = pytest.importorskip("gensim.models.word2vec")
    counts = np.array([5_000_000, 70_000, 3_000, 41, 5])
    model = word2vec.Word2Vec(vector_size=2, min_count=1, sample=1e-3, negative=5)
    model.build_vocab_from_freq({f"w{i}": int(count) for i, count in enumerate(counts)})
    kept = [model.wv.get_vecattr(f"w{i}", "sample_int") / (2**32 - 1) for i in range(len(counts))]
    np.testing.assert_allclose(keep_probability(counts, 1e-3), kept, atol=1e-9)
    drawn = np.diff(model.cum_table.astype(np.int64), prepend=0) / (2**31 - 1)
    np.testing.assert_allclose(noise_probability(counts), drawn, atol=1e-9)
