"""Encodings of measured numbers."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import numeric

EDGES = (-2.0, -0.5, 0.0, 1.5)
# Far enough apart that float32 tells them apart; of few sizes, as each is compiled.
SOME_EDGES = (
    st.sampled_from([2, 3, 6])
    .flatmap(lambda size: st.lists(st.integers(-300, 300), min_size=size, max_size=size, unique=True))
    .map(lambda numbers: tuple(number / 100 for number in sorted(numbers)))
)
SOME_NUMBERS = st.lists(st.integers(-500, 500).map(lambda n: n / 100), min_size=5, max_size=5)


def column(*numbers):
    return jnp.asarray(numbers, jnp.float32)[:, None]


def encode(*numbers, edges=EDGES):
    (encoded,) = numeric.piecewise_linear(column(*numbers), [edges])
    return np.asarray(encoded)


def test_a_number_fills_the_bins_below_it_and_reaches_into_its_own():
    np.testing.assert_allclose(encode(-0.25), [[0, 1, 1, 0.5, 0]])
    np.testing.assert_allclose(encode(0.0), [[0, 1, 1, 1, 0]])
    np.testing.assert_allclose(encode(-1.25), [[0, 1, 0.5, 0, 0]])


def test_the_outermost_bins_go_on_beyond_their_edges():
    np.testing.assert_allclose(encode(-3.5), [[0, 1, -1, 0, 0]])
    np.testing.assert_allclose(encode(3.0), [[0, 1, 1, 1, 2]])


def test_a_missing_number_has_a_flag_and_nothing_else():
    np.testing.assert_array_equal(encode(np.nan), [[1, 0, 0, 0, 0]])


@given(SOME_EDGES, SOME_NUMBERS)
def test_the_number_is_a_linear_function_of_its_encoding(edges, numbers):
    encoded = encode(*numbers, edges=edges)
    assert encoded.shape == (len(numbers), numeric.piecewise_width(edges))
    np.testing.assert_allclose(encoded[:, 2:] @ np.diff(edges) + edges[0], numbers, atol=1e-4)


@given(SOME_EDGES, SOME_NUMBERS)
def test_a_number_is_in_the_bin_between_its_edges(edges, numbers):
    (ids,) = numeric.bin_ids(column(*numbers), [edges])
    assert ids.shape == (len(numbers), 1)
    for number, bin_id in zip(numbers, np.asarray(ids)[:, 0], strict=True):
        assert 1 <= bin_id < numeric.num_bin_rows(edges)
        assert bin_id == 1 or edges[bin_id - 1] <= number
        assert bin_id == len(edges) - 1 or number < edges[bin_id]


def test_a_missing_number_has_a_bin_of_its_own():
    (ids,) = numeric.bin_ids(column(np.nan, -9, 9), [EDGES])
    np.testing.assert_array_equal(ids, [[0], [1], [3]])


@pytest.mark.parametrize("edges", [(0.5,), ()])
def test_a_constant_column_has_one_bin_and_an_encoding_that_tells_whether_it_is_there(edges):
    assert (numeric.piecewise_width(edges), numeric.num_bin_rows(edges)) == (2, 2)
    np.testing.assert_array_equal(encode(0.5, np.nan, edges=edges), [[0, 1], [1, 0]])
    (ids,) = numeric.bin_ids(column(0.5, np.nan, 7), [edges])
    np.testing.assert_array_equal(ids, [[1], [0], [1]])


def test_edges_that_float32_cannot_tell_apart_are_one():
    edges = (0.0, 1.0, 1.0 + 1e-12, 2.0)
    assert (numeric.piecewise_width(edges), numeric.num_bin_rows(edges)) == (4, 3)
    np.testing.assert_allclose(encode(1.5, edges=edges), [[0, 1, 1, 0.5]])


def test_columns_are_encoded_by_their_own_edges():
    numbers = jnp.asarray([[0.0, 0.0]], jnp.float32)
    first, second = numeric.piecewise_linear(numbers, [(0.0, 1.0), (-1.0, 1.0)])
    np.testing.assert_allclose(first, [[0, 1, 0]])
    np.testing.assert_allclose(second, [[0, 1, 0.5]])


def test_measured_vectors_are_groups_of_columns_and_what_is_missing_is_the_mean():
    numbers = jnp.asarray([[1.0, np.nan, 3.0]], jnp.float32)
    first, second = numeric.vectors(numbers, [(2, 0), (1,)])
    np.testing.assert_array_equal(first, [[3, 1]])
    np.testing.assert_array_equal(second, [[0]])
