"""The bootstrap over pairs against SciPy in a slow loop, and how often the paired test errs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from analysis.words import resampling
from analysis.words.agreement import difference_of, rank_arms
from analysis.words.resampling import normal_p_values, rank_correlations, resampled_correlations


@given(st.integers(0, 2**32 - 1), st.integers(2, 60), st.integers(2, 8), st.integers(1, 4))
def test_correlations_are_scipys_whatever_the_ties(seed, num_pairs, num_values, num_rows):
    rng = np.random.default_rng(seed)
    human = rng.integers(0, num_values, num_pairs).astype(float)
    scores = rng.integers(0, num_values, (num_rows, num_pairs)).astype(float)
    for row, rho in zip(scores, rank_correlations(human, scores), strict=True):
        if np.ptp(human) == 0 or np.ptp(row) == 0:
            assert rho == 0
        else:
            assert rho == pytest.approx(stats.spearmanr(human, row).statistic, abs=1e-12)


@pytest.mark.parametrize("ties", [False, True])
def test_every_resample_is_ranked_anew_as_a_loop_over_scipy_does(monkeypatch, ties):
    monkeypatch.setattr(resampling, "_CHUNK", 400)  # several chunks
    rng = np.random.default_rng(0)
    human = rng.integers(0, 6, 30).astype(float)
    scores = rng.integers(0, 9, (3, 30)).astype(float) if ties else rng.standard_normal((3, 30))
    found = resampled_correlations(human, scores, 40)
    drawn = np.concatenate([counts.T for counts in resampling._counts(30, 40)]).astype(int)
    assert (drawn.sum(axis=1) == 30).all()
    for counts, rhos in zip(drawn, found, strict=True):
        chosen = np.repeat(np.arange(30), counts)
        for row, rho in zip(scores, rhos, strict=True):
            assert rho == pytest.approx(stats.spearmanr(human[chosen], row[chosen]).statistic, abs=2e-6)


def test_resamples_are_the_same_in_every_run_and_shared_by_all_rows():
    rng = np.random.default_rng(1)
    human, scores = rng.standard_normal(50), rng.standard_normal((2, 50))
    together = resampled_correlations(human, scores, 100)
    np.testing.assert_array_equal(together, resampled_correlations(human, scores, 100))
    np.testing.assert_array_equal(together[:, 1:], resampled_correlations(human, scores[1:], 100))


def test_the_interval_covers_the_true_correlation_about_as_often_as_it_says():
    rng = np.random.default_rng(2)
    true = 6 / np.pi * np.arcsin(0.6 / 2)  # Spearman's ρ of a normal distribution with correlation 0.6
    covered = 0
    for _ in range(200):
        human = rng.standard_normal(120)
        score = 0.6 * human + 0.8 * rng.standard_normal(120)
        low, high = np.quantile(resampled_correlations(human, score[None], 200), [0.025, 0.975])
        covered += low <= true <= high
    assert 0.88 <= covered / 200 <= 0.99


def made_up_arms(rng, num_pairs, gain=0.0):
    """People's scores, and two arms that agree with them equally well but for a gain of the second."""
    human = rng.standard_normal(num_pairs)
    shared = rng.standard_normal(num_pairs)
    arms = [human + shared + rng.standard_normal(num_pairs) for _ in range(2)]
    arms[1] = arms[1] + gain * human
    return human, np.stack(arms)


@pytest.mark.parametrize(("gain", "low", "high"), [(0.0, 0.01, 0.10), (1.0, 0.95, 1.0)])
def test_the_paired_test_errs_in_one_of_twenty_equal_arms_and_sees_unequal_ones(gain, low, high):
    rng = np.random.default_rng(3)
    found = 0
    for _ in range(300):
        human, arms = made_up_arms(rng, 150, gain)
        rhos, resampled = rank_correlations(human, arms), resampled_correlations(human, arms, 200)
        (p,) = normal_p_values(rhos[1:] - rhos[:1], resampled[:, 1:] - resampled[:, :1])
        found += p < 0.05
    assert low <= found / 300 <= high


def test_arms_that_agree_on_every_resample_have_p_one_and_constant_differences_p_zero():
    resampled = np.zeros((50, 3))
    resampled[:, 1] = 0.2
    resampled[:, 2] = np.random.default_rng(0).normal(0.2, 0.1, 50)
    p_values = normal_p_values(np.asarray([0.0, 0.2, 0.2]), resampled)
    assert p_values[:2].tolist() == [1.0, 0.0]
    assert p_values[2] == pytest.approx(2 * stats.norm.sf(0.2 / resampled[:, 2].std(ddof=1)))


def values_of(human, scores):
    """What `agreement` holds of every arm, with one seed."""
    rhos, resampled = rank_correlations(human, scores), resampled_correlations(human, scores, 500)
    return {f"arm {i}": (rhos[i : i + 1], resampled[:, i]) for i in range(len(scores))}


def test_a_difference_carries_its_seeds_and_its_interval_over_pairs():
    rng = np.random.default_rng(4)
    human, arms = made_up_arms(rng, 200, gain=1.0)
    values = values_of(human, arms)
    difference = difference_of(values["arm 1"], values["arm 0"])
    low, high = difference["ci95"]
    assert 0 < low < difference["mean"] < high
    assert difference["per_seed"] == [difference["mean"]]
    assert difference["seeds_ci95"] is None
    assert difference["p_value"] < 0.001


def test_an_arm_is_best_only_where_no_other_could_be():
    rng = np.random.default_rng(5)
    human = rng.standard_normal(400)
    good = human + 0.1 * rng.standard_normal(400)
    poor = [human + 3 * rng.standard_normal(400) for _ in range(3)]
    values = values_of(human, np.stack([good, *poor]))
    assert rank_arms(values) == {"arm 0": "best", "arm 1": "below", "arm 2": "below", "arm 3": "below"}
    assert set(rank_arms({name: values[name] for name in ("arm 1", "arm 2", "arm 3")}).values()) == {"tied"}


def test_arms_that_rank_all_pairs_alike_share_their_standing():
    rng = np.random.default_rng(6)
    human = rng.standard_normal(400)
    good, poor = human + 0.1 * rng.standard_normal(400), rng.standard_normal(400)
    values = values_of(human, np.stack([good, 2 * good, poor]))
    assert rank_arms(values) == {"arm 0": "best", "arm 1": "best", "arm 2": "below"}
