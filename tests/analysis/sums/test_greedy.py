"""Greedy matching: the Gram matrix's way comes to the counts of the plain procedure, and both to the true ones."""

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.sums.greedy import (
    first_scores,
    gram_matrix,
    greedy_counts,
    greedy_counts_reference,
    match,
    miscount,
)


def sums_of(seed, vocabulary, dim, numbers, num_sums):
    """Embeddings, and for each n sums of n of them with their true counts."""
    rng = np.random.default_rng(seed)
    embeddings = rng.normal(size=(vocabulary, dim)) * rng.uniform(0.5, 2.0, size=(vocabulary, 1))
    counts = np.stack(
        [rng.multinomial(n, np.full(vocabulary, 1 / vocabulary), size=num_sums) for n in numbers]
    )
    return embeddings, counts, counts @ embeddings


@given(
    seed=st.integers(0, 2**32 - 1),
    vocabulary=st.sampled_from([2, 7, 40]),
    dim=st.sampled_from([2, 3, 16]),  # in one dimension all cosines are 1 or -1
)
def test_updated_scores_find_the_counts_that_the_residual_finds(seed, vocabulary, dim):
    numbers = (4, 1, 9)
    embeddings, _, totals = sums_of(seed, vocabulary, dim, numbers, 3)
    found = greedy_counts(embeddings, totals, numbers)
    for n, of_n, found_of_n in zip(numbers, totals, found, strict=True):
        expected = [greedy_counts_reference(embeddings, total, n) for total in of_n]
        np.testing.assert_array_equal(found_of_n, expected)


@pytest.mark.parametrize("dim", [8, 200])
def test_sums_of_orthogonal_embeddings_are_read_back_whatever_their_lengths(dim):
    rng = np.random.default_rng(0)
    embeddings = np.linalg.qr(rng.normal(size=(dim, 8)))[0].T
    counts = rng.multinomial(20, np.full(8, 1 / 8), size=5)
    np.testing.assert_array_equal(greedy_counts(embeddings, (counts @ embeddings)[None], (20,))[0], counts)


def test_wide_random_embeddings_are_read_back():
    embeddings, counts, totals = sums_of(0, 50, 2000, (3, 10), 4)
    np.testing.assert_array_equal(greedy_counts(embeddings, totals, (3, 10)), counts)


def test_the_scores_are_cosines_times_the_length_of_the_residual():
    embeddings, _, totals = sums_of(1, 6, 4, (5,), 1)
    total = totals[0, 0]
    cosines = first_scores(embeddings, total) / np.linalg.norm(total)
    lengths = np.linalg.norm(embeddings, axis=1)
    np.testing.assert_allclose(cosines, embeddings @ total / (lengths * np.linalg.norm(total)))
    np.testing.assert_allclose(
        first_scores(embeddings, total - embeddings[2]),
        first_scores(embeddings, total) - gram_matrix(embeddings)[2],
    )


def test_matching_is_in_the_precision_of_its_table():
    embeddings, counts, totals = sums_of(2, 16, 500, (4,), 2)
    gram, scores = (np.float32(x) for x in (gram_matrix(embeddings), first_scores(embeddings, totals)))
    np.testing.assert_array_equal(match(gram[None], scores[:, None], (4,))[:, 0], counts)
    assert not jax.config.jax_enable_x64


@pytest.mark.parametrize(
    ("true", "estimated", "expected"),
    [([2, 0, 1], [2, 0, 1], 0), ([2, 0, 1], [0, 2, 1], 4), ([3, 0], [0, 3], 6)],
)
def test_a_miscount_counts_what_is_missing_and_what_is_too_many(true, estimated, expected):
    assert miscount(np.array(true), np.array(estimated)) == expected


def test_every_group_of_sums_needs_its_number():
    embeddings, _, totals = sums_of(0, 4, 4, (2, 4), 1)
    with pytest.raises(
        ValueError, match=r"each of 2 groups of sums needs its number of summands, got \(2,\)"
    ):
        greedy_counts(embeddings, totals, (2,))
