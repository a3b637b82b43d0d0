"""The k nearest by cosine: those of a float64 product of all with all, whatever the way they are found."""

import itertools
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import analysis.nearest.index
import analysis.nearest.search
from analysis.nearest import Index, make_index, nearest

DTYPES = ("float32", "bfloat16", "float16")


def reference(queries, vectors, k):
    """Sorts all cosines; of equal ones the lower row first."""
    q, v = queries.astype(np.float64), vectors.astype(np.float64)
    lengths = np.outer(np.linalg.norm(q, axis=1), np.linalg.norm(v, axis=1))
    cosines = (q @ v.T / np.where(lengths > 0, lengths, 1)).astype(np.float32)
    rows = np.argsort(-cosines, axis=1, kind="stable")[:, :k]
    missing = ((0, 0), (0, k - rows.shape[1]))
    found = np.take_along_axis(cosines, rows, axis=1)
    return np.pad(rows, missing, constant_values=-1), np.pad(found, missing, constant_values=np.nan)


def assert_same(found, expected):
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_array_equal(found[1], expected[1])


def normal(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape, np.float32)


@pytest.fixture
def accelerated(monkeypatch):
    """Takes the way of an accelerator, on the CPU."""
    for module in (analysis.nearest.index, analysis.nearest.search):
        monkeypatch.setattr(module, "has_accelerator", lambda: True)


@given(
    data=st.data(),
    number=st.integers(1, 60),
    queries=st.integers(0, 5),
    dim=st.integers(1, 9),
    k=st.integers(1, 70),
    block_bytes=st.sampled_from([None, 1, 300, 2000]),
    dtype=st.sampled_from(DTYPES),
    kept=st.booleans(),
)
def test_equal_to_sorting_all_cosines(data, number, queries, dim, k, block_bytes, dtype, kept):
    # Few small whole numbers: many vectors are equal, opposite, of one direction, or zero.
    values = st.integers(0, 2**32 - 1)
    rng = np.random.default_rng(data.draw(values))
    most = data.draw(st.sampled_from([1, 3, 1000]))
    v = rng.integers(-most, most + 1, (number, dim)).astype(np.float32)
    q = rng.integers(-most, most + 1, (queries, dim)).astype(np.float32)
    searched = make_index(v, dtype) if kept else v
    assert_same(nearest(q, searched, k, block_bytes=block_bytes, dtype=dtype), reference(q, v, k))


@pytest.mark.parametrize("dtype", DTYPES)
def test_nothing_depends_on_blocks_precision_or_index(dtype):
    v, q = normal(0, 5000, 30), normal(1, 40, 30)
    v[4000:4020] = 3 * v[:20]  # to rounding, of equal cosines
    q[:20] = v[:20]
    expected = nearest(q, v, 10)
    assert_same(expected, reference(q, v, 10))
    for block_bytes, searched in itertools.product((10**4, 10**5, 10**8), (v, make_index(v, dtype))):
        assert_same(nearest(q, searched, 10, block_bytes=block_bytes, dtype=dtype), expected)


@pytest.mark.parametrize(("dtype", "spread"), [("float32", 1e-3), ("bfloat16", 0.01), ("float16", 0.01)])
def test_neighbours_closer_than_the_precision_can_tell_apart_are_measured_again(dtype, spread):
    v = 1 + np.float32(spread) * normal(0, 3000, 16)
    q = 1 + np.float32(spread) * normal(1, 40, 16)
    unit = v / np.linalg.norm(v, axis=1, keepdims=True)
    rounded = q @ unit.astype(np.float16 if dtype == "float16" else np.float32).astype(np.float32).T
    by_score = np.argsort(-rounded, axis=1, kind="stable")[:, :10]
    expected = reference(q, v, 10)
    assert (by_score != expected[0]).any()  # so scores alone would be wrong
    assert_same(nearest(q, v, 10, dtype=dtype, block_bytes=20_000), expected)


def test_more_queries_than_are_multiplied_at_once():
    v, q = normal(0, 300, 4), normal(1, 2500, 4)
    assert_same(nearest(q, v, 3, block_bytes=10**5), reference(q, v, 3))


def test_every_block_better_than_the_last():
    q = normal(0, 3, 20)
    nearness = np.linspace(0, 1, 2000, dtype=np.float32)[:, None]
    v = nearness * q[0] + (1 - nearness) * normal(1, 20)
    assert_same(nearest(q, v, 10, block_bytes=5000), reference(q, v, 10))


@pytest.mark.parametrize("dtype", DTYPES)
def test_lengths_that_float32_cannot_square(dtype):
    v, q = normal(0, 200, 8), normal(1, 40, 8)
    v[:40] *= np.logspace(-30, 30, 40, dtype=np.float32)[:, None]
    q *= np.logspace(30, -30, 40, dtype=np.float32)[:, None]
    expected = reference(q, v, 20)
    assert (expected[0] < 10).any()
    assert (expected[0] == 39).any()  # so the shortest and the longest are among the answers
    assert_same(nearest(q, v, 20, dtype=dtype, block_bytes=3000), expected)
    assert_same(nearest(q, make_index(v, dtype), 20, block_bytes=3000), expected)
    short = normal(2, 200, 8) * np.float32(3e-23)  # squared, they have few digits left
    assert_same(nearest(q, short, 20, dtype=dtype, block_bytes=3000), reference(q, short, 20))
    tiniest = np.full((1, 8), 1e-45, np.float32)  # the least number there is
    assert nearest(tiniest, tiniest, 1)[1].tolist() == [[1.0]]


def test_zeros_have_the_cosine_zero_to_everything():
    v = np.array([[1, 0], [0, 0], [-1, 0], [0, 0], [0, 1]], np.float32)
    rows, cosines = nearest(np.array([[1, 0], [0, 0]], np.float32), v, 5)
    assert rows.tolist() == [[0, 1, 3, 4, 2], [0, 1, 2, 3, 4]]
    assert cosines.tolist() == [[1, 0, 0, 0, -1], [0, 0, 0, 0, 0]]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", DTYPES)
def test_numbers_that_are_not_finite_are_refused_with_their_row(bad, dtype):
    v, q = normal(0, 50, 4), normal(1, 3, 4)
    bad_v, bad_q = v.copy(), q.copy()
    bad_v[33, 2], bad_q[1, 0] = bad, bad
    with pytest.raises(ValueError, match="vectors: expected finite numbers, row 33"):
        nearest(q, bad_v, 2, dtype=dtype, block_bytes=200)
    with pytest.raises(ValueError, match="vectors: expected finite numbers, row 33"):
        make_index(bad_v, dtype)
    with pytest.raises(ValueError, match="queries: expected finite numbers, row 1"):
        nearest(bad_q, v, 2, dtype=dtype)


def test_excluded_rows_are_left_out_and_their_places_filled():
    v, q = normal(0, 30, 5), normal(1, 3, 5)
    order = reference(q, v, 30)[0]
    exclude = [order[0, :4].tolist(), [], [int(order[2, 1])] * 2]
    rows, cosines = nearest(q, v, 3, exclude=exclude)
    assert rows.tolist() == [order[0, 4:7].tolist(), order[1, :3].tolist(), order[2, [0, 2, 3]].tolist()]
    assert (np.diff(cosines) <= 0).all()


def test_where_fewer_are_left_than_asked_for():
    v, q = normal(0, 4, 5), normal(1, 2, 5)
    rows, cosines = nearest(q, v, 6, exclude=[[0, 1, 2, 3], [2]])
    assert rows[0].tolist() == [-1] * 6
    assert sorted(rows[1].tolist()) == [-1, -1, -1, 0, 1, 3]
    np.testing.assert_array_equal(np.isnan(cosines), rows == -1)


def test_vectors_in_a_file(tmp_path):
    v, q = normal(0, 1000, 12), normal(1, 6, 12)
    mapped = np.memmap(tmp_path / "vectors", np.float32, "w+", shape=v.shape)
    mapped[:] = v
    for searched in (mapped, make_index(mapped), make_index(mapped, "bfloat16")):
        assert_same(nearest(q, searched, 5, block_bytes=4000), reference(q, v, 5))


def peak_bytes(work):
    tracemalloc.start()
    work()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def test_memory_is_that_of_blocks_and_answers_however_many_vectors_there_are():
    q, few, many = normal(0, 200, 8), normal(1, 20_000, 8), normal(2, 100_000, 8)
    nearest(q, few[:100], 5)  # what is allocated only once
    for vectors in (few, many):
        assert (
            peak_bytes(lambda v=vectors: nearest(q, v, 5, block_bytes=2**18)) < 3e6
        )  # scores would be 16e6 and 80e6


def test_memory_is_bounded_where_all_vectors_are_equally_near():
    q, v = normal(0, 20, 8), np.tile(normal(1, 8), (30_000, 1))
    rows = []
    peak = peak_bytes(lambda: rows.append(nearest(q, v, 5, block_bytes=2**15)[0]))
    assert rows[0].tolist() == [[0, 1, 2, 3, 4]] * 20
    assert peak < 2.3e6  # the scores alone would be 2.4e6, all candidates 12e6


@pytest.mark.usefixtures("accelerated")
@pytest.mark.parametrize("dtype", DTYPES)
def test_an_accelerator_finds_the_same(dtype):
    v, q = normal(0, 3000, 16), normal(1, 9, 16)
    v[7], v[9], v[2000:2200] = 0, 1e-30, v[5]  # more equal ones than it keeps: the host searches
    q[0], q[1] = v[5], 0
    expected = reference(q, v, 10)
    for searched in (v, make_index(v, dtype)):
        assert_same(nearest(q, searched, 10, dtype=dtype, block_bytes=40_000), expected)
    assert_same(nearest(q, v[:5], 10, dtype=dtype), reference(q, v[:5], 10))


@pytest.mark.usefixtures("accelerated")
@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_an_accelerator_leaves_to_the_host_what_its_precision_cannot_decide(dtype):
    v, q = 1 + 0.01 * normal(0, 2000, 16), 1 + 0.01 * normal(1, 10, 16)
    assert_same(nearest(q, v, 10, dtype=dtype), reference(q, v, 10))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"k": 0}, "k: expected at least 1, found 0"),
        ({"queries": normal(0, 2, 3)}, "queries: expected 4 numbers each, as the vectors have, found 3"),
        ({"dtype": "int8"}, "dtype: expected one of float32, bfloat16, float16, found 'int8'"),
        ({"vectors": normal(0, 0, 4)}, r"vectors: expected at least one, .* found \(0, 4\)"),
        ({"exclude": [[1]]}, "exclude: expected rows for each of 2 queries, found 1"),
        ({"exclude": [[], [1, 6]]}, "exclude: expected rows from 0 to 5, found 6 for query 1"),
        ({"exclude": [[-1], []]}, "exclude: expected rows from 0 to 5, found -1 for query 0"),
    ],
)
def test_what_cannot_be_is_refused(arguments, message):
    given_arguments = {"queries": normal(0, 2, 4), "vectors": normal(1, 6, 4), "k": 2, **arguments}
    with pytest.raises(ValueError, match=message):
        nearest(**given_arguments)


def test_an_index_keeps_what_its_dtype_needs():
    v = normal(0, 10, 4)
    assert make_index(v).unit is None
    assert make_index(v).inverse.nbytes == 40
    assert make_index(v, "bfloat16").unit.nbytes == v.nbytes // 2
    assert isinstance(make_index(v), Index)
