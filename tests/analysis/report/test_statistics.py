"""Intervals hold the truth as often as they say, p values are adjusted as published, ranks follow from both."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests

from analysis.report.intervals import paired_differences, seeds_needed, unpaired_difference
from analysis.report.resampling import resampled_arms
from analysis.report.statistics import (
    bootstrap_items,
    holm,
    interquartile_mean,
    paired_difference,
    probability_of_improvement,
    student_interval,
    summarise,
)

SIMULATIONS = 2000
TOLERANCE = 4 * (0.95 * 0.05 / SIMULATIONS) ** 0.5  # four standard errors of a simulated coverage


def coverage(intervals, truth):
    return np.mean([low <= truth <= high for low, high in intervals])


@pytest.mark.parametrize("num_seeds", [3, 5, 10])
def test_student_intervals_hold_the_mean_as_often_as_they_say(num_seeds):
    seeds = np.random.default_rng(num_seeds).normal(0.75, 0.01, (SIMULATIONS, num_seeds))
    assert coverage(map(student_interval, seeds), 0.75) == pytest.approx(0.95, abs=TOLERANCE)


@pytest.mark.parametrize("num_seeds", [3, 5, 10])
def test_paired_intervals_hold_the_difference_as_often_as_they_say(num_seeds):
    rng = np.random.default_rng(num_seeds)
    order_of_examples = rng.normal(
        0, 0.05, (SIMULATIONS, num_seeds)
    )  # common to both arms: pairing takes it out
    a, b = (mean + order_of_examples + rng.normal(0, 0.01, (SIMULATIONS, num_seeds)) for mean in (0.76, 0.75))
    differences = paired_differences(a, b)
    assert coverage((d.ci95 for d in differences), 0.01) == pytest.approx(0.95, abs=TOLERANCE)
    assert np.median([np.ptp(d.ci95) for d in differences]) < 0.5 * np.median(
        [np.ptp(unpaired_difference(a[i], b[i]).ci95) for i in range(50)]
    )


def test_unpaired_intervals_hold_the_difference_as_often_as_they_say():
    rng = np.random.default_rng(0)
    a, b = rng.normal(0.76, 0.02, (500, 5)), rng.normal(0.75, 0.01, (500, 8))
    intervals = [unpaired_difference(a[i], b[i]).ci95 for i in range(500)]
    assert coverage(intervals, 0.01) == pytest.approx(0.95, abs=2 * TOLERANCE)


@pytest.mark.parametrize(
    ("draw", "to_metric", "truth"),
    [
        (lambda rng: rng.random((3, 400)) < 0.75, np.asarray, 0.75),
        (lambda rng: rng.normal(0, 0.9, (3, 400)) ** 2, np.sqrt, 0.9),
    ],
    ids=["accuracy", "rmse"],
)
def test_the_bootstrap_over_examples_holds_the_metric_as_often_as_it_says(draw, to_metric, truth):
    rng = np.random.default_rng(0)
    # One model's answers three times over: three seeds that agree have no more information than one.
    intervals = [
        bootstrap_items(np.repeat(draw(rng)[:1], 3, 0).astype(np.float32), to_metric) for _ in range(100)
    ]
    assert coverage(intervals, truth) == pytest.approx(0.95, abs=0.06)


def test_the_bootstrap_over_examples_resamples_no_seeds():
    items = np.repeat([[1.0], [0.0]], 100, axis=1).astype(
        np.float32
    )  # the seeds differ; the examples are alike
    assert bootstrap_items(items, np.asarray) == (0.5, 0.5)


def test_arms_share_the_resampled_examples(make_arm, make_experiment):
    items = np.random.default_rng(0).random((3, 200)) < 0.8
    arms = [make_arm(label, items.mean(1), items=items) for label in ("concat", "padded_sum")]
    resampled = resampled_arms(make_experiment(arms))
    assert np.ptp(resampled["concat"]) > 0
    np.testing.assert_allclose(resampled["concat"], resampled["padded_sum"], atol=1e-12)


def test_identical_arms_have_no_difference():
    values = np.array([0.7, 0.72, 0.71])
    same = paired_difference(values, values.copy())
    assert (same.mean, same.ci95, same.p_value, same.effect_size) == (0.0, (0.0, 0.0), 1.0, 0.0)


def test_a_difference_without_spread_is_certain():
    certain = paired_difference(np.full(3, 0.5), np.full(3, 1.0))
    assert (certain.mean, certain.ci95, certain.p_value) == (-0.5, (-0.5, -0.5), 0.0)
    assert certain.effect_size == -np.inf


def test_a_single_seed_has_a_difference_but_no_interval():
    single = paired_difference(np.array([0.7]), np.array([0.6]))
    assert single.mean == pytest.approx(0.1)
    assert single.ci95 is single.p_value is single.effect_size is None
    assert student_interval(np.array([0.7])) is None


def test_a_paired_difference_is_that_of_scipy():
    a, b = np.random.default_rng(3).normal(size=(2, 6))
    difference, test = paired_difference(a, b), stats.ttest_rel(a, b)
    assert difference.p_value == pytest.approx(test.pvalue)
    assert difference.ci95 == pytest.approx(tuple(test.confidence_interval()))
    assert difference.effect_size == pytest.approx(test.statistic / np.sqrt(6))
    assert dataclasses.astuple(-difference)[0] == pytest.approx(paired_difference(b, a).mean)
    assert (-difference).ci95 == pytest.approx(paired_difference(b, a).ci95)


@pytest.mark.parametrize("b", [np.array([0.1]), np.array([0.1, np.nan])], ids=["length", "nan"])
def test_unpaired_or_diverged_seeds_are_refused(b):
    with pytest.raises(ValueError, match="pairs need"):
        paired_difference(np.array([0.1, 0.2]), b)


@given(st.lists(st.floats(0, 1), max_size=30))
def test_holm_never_lowers_a_p_nor_turns_their_order(p_values):
    adjusted = holm(p_values)
    assert all(after >= before for after, before in zip(adjusted, p_values, strict=True))
    assert [adjusted[i] for i in np.argsort(p_values)] == sorted(adjusted)


def test_holm_is_that_of_statsmodels():
    p_values = [*np.random.default_rng(0).beta(0.3, 3, 45), 0.0, 1.0, 0.01, 0.01]
    np.testing.assert_allclose(holm(p_values), multipletests(p_values, method="holm")[1])


def test_the_interquartile_mean_leaves_out_a_quarter_at_either_end():
    assert interquartile_mean(np.array([100.0, 1, 2, 3, 4, 5, 6, -100])) == pytest.approx(3.5)
    assert np.isnan(interquartile_mean(np.array([1.0, np.nan])))


@pytest.mark.parametrize("num_seeds", [3, 5, 10])
@pytest.mark.parametrize("shift", [0.0, 1.0, 3.0])
def test_the_probability_of_improvement_lies_in_its_interval(num_seeds, shift):
    rng = np.random.default_rng(0)
    truth = stats.norm.cdf(shift / np.sqrt(2))
    intervals = [
        probability_of_improvement(rng.normal(shift, 1, num_seeds), rng.normal(0, 1, num_seeds), True)[1]
        for _ in range(300)
    ]
    assert coverage(intervals, truth) >= 0.90
    assert all(0 <= low < high <= 1 for low, high in intervals)


def test_the_probability_of_improvement_counts_ties_half_and_follows_the_direction():
    a, b = np.array([1.0, 2.0]), np.array([1.0, 0.0])
    assert probability_of_improvement(a, b, True)[0] == 3.5 / 4
    assert probability_of_improvement(a, b, False)[0] == 0.5 / 4
    assert probability_of_improvement(a, a, True)[0] == 0.5
    low, high = probability_of_improvement(a + 9, b, True)[1]
    assert 0 < low < 1
    assert high == 1


@given(
    mean=st.floats(-0.03, 0.03),
    spread=st.floats(0.001, 0.03),
    num_seeds=st.integers(3, 10),
    num_comparisons=st.sampled_from([1, 45]),
)
def test_so_many_seeds_settle_it_and_one_fewer_does_not(mean, spread, num_seeds, num_comparisons):
    margin = 0.005
    # Differences between arms with exactly that mean and spread, for any number of them.
    draws = np.random.default_rng(0).normal(size=1001)

    def compared(n):
        d = stats.zscore(draws[:n], ddof=1) * spread + mean
        return paired_difference(d, np.zeros(n))

    def settled(n):
        difference = compared(n)
        low, high = difference.ci95
        return (-margin <= low and high <= margin) or difference.p_value * num_comparisons < 0.05

    needed = seeds_needed(compared(num_seeds), num_seeds, margin, num_comparisons)
    if needed is None:
        assert not settled(1000)
    else:
        assert settled(needed)
        assert needed == num_seeds + 1 or not settled(needed - 1)


def test_no_number_of_seeds_settles_a_difference_as_large_as_the_margin_of_nothing():
    assert seeds_needed(paired_difference(np.array([-1.0, 1.0]), np.zeros(2)), 2, margin=0.0) is None


def test_every_arm_is_held_against_the_reference(make_experiment):
    rng = np.random.default_rng(0)
    values = {
        label: rng.normal(mean, 0.004, 5) for label, mean in (("sum", 0.75), ("max", 0.75), ("gru", 0.80))
    }
    by_sum, by_max, by_gru = summarise(make_experiment(values))
    assert (by_sum.versus_reference, by_sum.p_adjusted, by_sum.probability_of_improvement) == (None,) * 3
    assert by_gru.versus_reference.mean == pytest.approx(values["gru"].mean() - values["sum"].mean())
    raw = [row.versus_reference.p_value for row in (by_max, by_gru)]
    assert (by_max.p_adjusted, by_gru.p_adjusted) == pytest.approx(holm(raw))
    assert by_gru.probability_of_improvement == 1
    assert by_gru.rank == 1
    assert by_gru.rank_ci95 == (1, 1)
    assert by_sum.rank_ci95 == by_max.rank_ci95 == (2, 3)


def test_seeds_are_paired_by_number_not_by_position(make_arm, make_experiment):
    values = np.array([0.70, 0.75, 0.80])
    arms = [make_arm("sum", values), make_arm("max", values[::-1] + 0.01, seeds=[2, 1, 0])]
    difference = summarise(make_experiment(arms))[1].versus_reference
    assert difference.mean == pytest.approx(0.01)
    assert difference.standard_error == pytest.approx(0, abs=1e-12)


def test_arms_of_different_seeds_are_compared_unpaired(make_arm, make_experiment):
    rng = np.random.default_rng(0)
    a, b = rng.normal(0.7, 0.01, 5), rng.normal(0.7, 0.01, 4)
    arms = [make_arm("sum", a), make_arm("max", b, seeds=[5, 6, 7, 8])]
    difference = summarise(make_experiment(arms))[1].versus_reference
    assert difference.p_value == pytest.approx(stats.ttest_ind(b, a, equal_var=False).pvalue)


def test_a_diverged_seed_takes_mean_and_rank_from_an_arm(make_experiment):
    rows = summarise(make_experiment({"sum": [0.7, 0.71, 0.72], "product": [0.9, np.nan, 0.9]}))
    assert (rows[1].mean, rows[1].ci95, rows[1].rank, rows[1].versus_reference) == (None,) * 4
    assert (rows[0].rank, rows[0].rank_ci95) == (1, (1, 1))


def test_a_reference_that_diverged_leaves_nothing_to_compare_with(make_experiment):
    rows = summarise(make_experiment({"sum": [0.7, np.nan], "max": [0.7, 0.8]}))
    assert rows[1].versus_reference is None
    assert rows[1].mean == pytest.approx(0.75)


def test_fewer_errors_rank_first(make_experiment):
    rows = summarise(make_experiment({"sum": [0.90, 0.91], "product": [0.80, 0.81]}, metric="rmse"))
    assert [row.rank for row in rows] == [2, 1]


def test_the_family_of_comparisons_with_the_reference_keeps_its_error_rate(make_experiment):
    rng = np.random.default_rng(0)
    false = [
        any((row.p_adjusted or 1) < 0.05 for row in summarise(make_experiment(arms_alike(rng, 6, 5))))
        for _ in range(100)
    ]
    assert np.mean(false) <= 0.05 + 3 * (0.05 * 0.95 / 100) ** 0.5


def arms_alike(rng, num_arms, num_seeds):
    return {f"arm{i}": rng.normal(0.75, 0.01, num_seeds) for i in range(num_arms)}


def test_true_ranks_lie_in_their_intervals(make_experiment):
    rng = np.random.default_rng(0)
    means = 0.75 - 0.02 * np.arange(4)
    held = []
    for _ in range(60):
        rows = summarise(
            make_experiment({f"arm{i}": rng.normal(mean, 0.01, 5) for i, mean in enumerate(means)})
        )
        held.append(all(row.rank_ci95[0] <= i + 1 <= row.rank_ci95[1] for i, row in enumerate(rows)))
    assert np.mean(held) >= 0.90
