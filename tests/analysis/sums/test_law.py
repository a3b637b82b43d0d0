"""The least dimension and its law: known curves and known laws come back."""

import math

import numpy as np
import pytest
from scipy import stats

from analysis.sums.law import fit_law, least_dim, measure_law, predict

DIMS = np.array([10, 20, 50, 100, 200, 300, 400], float)


def test_a_curve_that_is_straight_in_probits_crosses_where_it_must():
    shares = stats.norm.cdf(3 * np.log(DIMS / 150))
    found = least_dim(DIMS, shares, 10**6)
    assert found["dim"] == pytest.approx(150 * math.exp(stats.norm.ppf(0.95) / 3))
    low, high = found["dim_ci95"]
    assert low < found["dim"] < high
    assert high - low < 2
    assert found["censored"] == ""
    assert found["rise"] == pytest.approx(math.exp(2 * stats.norm.ppf(0.95) / 3))


def test_fewer_draws_make_a_wider_interval_around_the_same_dimension():
    shares = np.array([0, 0, 0.1, 0.5, 0.9, 0.98, 1])
    many, few = least_dim(DIMS, shares, 10_000), least_dim(DIMS, shares, 100)
    assert few["dim"] == many["dim"]
    assert np.diff(few["dim_ci95"]) > 3 * np.diff(many["dim_ci95"])


@pytest.mark.parametrize(
    ("shares", "censored", "interval"),
    [
        ([1.0] * 7, "below", [None, None]),
        ([0.0] * 6 + [0.9], "above", [None, None]),
        ([0.0] * 6 + [0.94], "above", ["some", None]),
    ],
)
def test_a_dimension_outside_the_grid_is_said_to_be_there(shares, censored, interval):
    found = least_dim(DIMS, np.array(shares), 1000)
    assert found["dim"] is None
    assert found["censored"] == censored
    assert [end and "some" for end in found["dim_ci95"]] == interval


def test_a_dip_by_chance_does_not_move_the_crossing_below_what_all_shares_say():
    straight = least_dim(DIMS, np.array([0, 0, 0.5, 0.955, 0.955, 1, 1]), 1000)
    dipped = least_dim(DIMS, np.array([0, 0, 0.5, 0.96, 0.95, 1, 1]), 1000)
    assert dipped["dim"] == pytest.approx(straight["dim"])


def points_of(law, sizes=((8, 10), (8, 50), (32, 10), (32, 50), (128, 10), (128, 50))):
    return [{"vocabulary": v, "n": n, "distinct": n / 2, "dim": law(v, n)} for v, n in sizes]


def test_a_law_without_noise_is_found_exactly():
    fit = fit_law(points_of(lambda v, n: 1.5 * n**0.8 * math.log(v) ** 1.2))
    found = fit["parameters"]
    assert found["a"] == pytest.approx(1.5)
    assert found["count_exponent"] == pytest.approx(0.8)
    assert found["vocabulary_exponent_ci95"] == pytest.approx([1.2, 1.2])
    assert found["r2"] == pytest.approx(1.0)
    assert found["largest_error"] == pytest.approx(0.0, abs=1e-9)
    point = {"vocabulary": 1024, "n": 20}
    assert predict(fit, point) == pytest.approx(1.5 * 20**0.8 * math.log(1024) ** 1.2)


def test_the_count_may_be_another_than_n():
    fit = fit_law(points_of(lambda v, n: 3.0 * n * math.log(v)), "distinct")
    assert fit["parameters"]["a"] == pytest.approx(6.0)
    assert predict(fit, {"vocabulary": 8, "distinct": 5.0}) == pytest.approx(30 * math.log(8))


def test_points_of_many_repeats_can_be_left_out():
    points = points_of(lambda v, n: min(n, v) * math.log(v), ((8, 4), (8, 8), (8, 80), (32, 4), (32, 8)))
    assert fit_law(points)["parameters"]["largest_error"] > 0.1
    fit = fit_law(points, "n", 1.0)
    assert fit["parameters"]["largest_error"] < 1e-9
    assert (fit["num_points"], fit["repeats"]) == (4, False)


def test_a_point_off_the_law_widens_the_intervals_and_is_the_largest_error():
    points = points_of(lambda v, n: float(n * v))
    points[0]["dim"] *= 2
    fit = fit_law(points)
    low, high = fit["parameters"]["count_exponent_ci95"]
    assert low < 1 < high
    assert fit["parameters"]["r2"] < 1
    errors = [abs(predict(fit, point) / point["dim"] - 1) for point in points]
    assert fit["parameters"]["largest_error"] == pytest.approx(max(errors))


@pytest.mark.parametrize("sizes", [(), [(8, 10), (8, 20), (32, 10)], [(8, 10), (8, 20), (8, 40), (8, 80)]])
def test_points_that_do_not_settle_three_parameters_are_not_fitted(sizes):
    assert fit_law(points_of(lambda v, n: 50.0, sizes))["parameters"] is None


def test_every_line_of_the_grid_has_a_point_beside_the_prediction():
    rows = [
        {"vocabulary": v, "n": n, "dim": int(d), "recovery": float(stats.norm.cdf((d - 9 * n) / 20))}
        for v in (8, 32)
        for n in (10, 20, 1000)
        for d in DIMS
    ]
    law = measure_law({"num_draws": 1000, "rows": rows})
    assert [(p["vocabulary"], p["n"], p["censored"]) for p in law["points"]] == [
        (v, n, "above" if n == 1000 else "") for v in (8, 32) for n in (10, 20, 1000)
    ]
    assert law["points"][0]["theory"] == pytest.approx(2 * 10 * math.log(8))
    assert law["points"][0]["distinct"] == pytest.approx(8 * (1 - 0.875**10))
    assert [fit["num_points"] for fit in law["fits"]] == [4, 4, 2]
