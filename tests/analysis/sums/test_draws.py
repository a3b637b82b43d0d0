"""Many draws: a cell is what single draws say, summed up, however the measurement was cut into pieces."""

import ml_collections
import numpy as np
import pytest
from scipy import stats

from analysis.sums import draws
from analysis.sums.greedy import gram_matrix, greedy_counts_reference, miscount


def config_of(num_draws=7, vocabularies=(4, 12), dims=(3, 8, 40), numbers=(2, 6)):
    return ml_collections.ConfigDict(
        {
            "classic": {"vocabularies": vocabularies, "dims": dims, "numbers": numbers},
            "draws": {"num_draws": num_draws, "seed": 3},
        }
    )


def single_miscounts(vocabulary, draw, dims, numbers):
    """The miscounts [dims][numbers] of one draw by the plain procedure in float64."""
    rng = np.random.default_rng([3, vocabulary, draw])
    table = rng.standard_normal((vocabulary, dims[-1]), dtype=np.float32).astype(np.float64)
    true = [np.bincount(rng.integers(vocabulary, size=n), minlength=vocabulary) for n in numbers]
    return [
        [
            miscount(count, greedy_counts_reference(table[:, :dim], count @ table[:, :dim], n))
            for n, count in zip(numbers, true, strict=True)
        ]
        for dim in dims
    ]


def test_a_row_sums_up_what_the_plain_procedure_finds_in_every_draw(tmp_path):
    config = config_of()
    rows = draws.measure_draws(config, tmp_path)["rows"]
    assert [(row["vocabulary"], row["n"], row["dim"]) for row in rows] == [
        (v, n, d) for v in (4, 12) for n in (2, 6) for d in (3, 8, 40)
    ]
    for vocabulary in (4, 12):
        single = np.array([single_miscounts(vocabulary, draw, (3, 8, 40), (2, 6)) for draw in range(7)])
        for row in (row for row in rows if row["vocabulary"] == vocabulary):
            of_cell = single[:, (3, 8, 40).index(row["dim"]), (2, 6).index(row["n"])]
            assert row["miscount"] == pytest.approx(of_cell.mean())
            assert row["exact"] == (of_cell == 0).sum()
            if of_cell.std() > 0:
                expected = stats.t.interval(0.95, 6, of_cell.mean(), stats.sem(of_cell))
                assert row["miscount_ci95"] == pytest.approx(expected)


def test_the_pieces_do_not_show(tmp_path, monkeypatch):
    whole = draws.measure_draws(config_of(), tmp_path)
    (tmp_path / "pieces").mkdir()
    monkeypatch.setattr(draws, "CHUNK", 3)
    monkeypatch.setattr(draws, "_TABLE_BYTES", 4 * 12**2 * 3 * 2)
    assert draws.measure_draws(config_of(), tmp_path / "pieces") == whole


def test_more_dimensions_miscount_less(tmp_path):
    rows = draws.measure_draws(config_of(num_draws=30, dims=(2, 200)), tmp_path)["rows"]
    few, many = (sum(row["miscount"] for row in rows if row["dim"] == dim) for dim in (2, 200))
    assert many < few / 4


def test_products_added_up_over_dimensions_are_the_gram_matrices_of_each():
    tables = np.random.default_rng(0).normal(size=(2, 5, 9))
    grams = list(draws._gram_matrices(tables, (2, 5, 9)))
    for i, dim in enumerate((2, 5, 9)):
        for table, gram in zip(tables, grams[i], strict=True):
            np.testing.assert_allclose(gram, gram_matrix(table[:, :dim]))


@pytest.mark.parametrize(("successes", "num_draws"), [(0, 10), (3, 10), (10, 10), (949, 1000)])
def test_the_interval_of_a_probability_is_wilsons(successes, num_draws):
    expected = stats.binomtest(successes, num_draws).proportion_ci(method="wilson")
    assert draws.wilson_interval(successes / num_draws, num_draws) == pytest.approx(
        tuple(expected), abs=1e-12
    )


def test_a_single_draw_has_no_interval_of_its_mean(tmp_path):
    rows = draws.measure_draws(config_of(num_draws=1), tmp_path)["rows"]
    assert all(row["miscount_ci95"] is None for row in rows)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"num_draws": 0}, "config.draws.num_draws must be at least 1, got 0"),
        ({"dims": (8, 3)}, r"config.classic.dims must ascend from at least 1, got \(8, 3\)"),
        ({"numbers": (6, 2)}, r"config.classic.numbers must ascend from at least 1, got \(6, 2\)"),
    ],
)
def test_what_cannot_be_is_refused_and_leaves_no_trace(tmp_path, fields, message):
    with pytest.raises(ValueError, match=message):
        draws.measure_draws(config_of(**fields), tmp_path)
    assert not list(tmp_path.iterdir())
