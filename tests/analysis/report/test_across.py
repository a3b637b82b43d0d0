"""Across experiments arms are ranked, scored between the worst and the best, and tested as published."""

import numpy as np
import pytest
from scipy import stats

from analysis.report.across import across

LABELS = ("sum", "mean", "max", "product")


def experiments(make_experiment, means, **options):
    """Makes one experiment per row of means, three seeds around each."""
    return [
        make_experiment(
            {label: np.array([-0.001, 0.0, 0.001]) + mean for label, mean in zip(LABELS, row, strict=True)},
            name=f"task{i}",
            **options,
        )
        for i, row in enumerate(means)
    ]


def test_the_same_order_everywhere_gives_whole_ranks(make_experiment):
    compared = across(experiments(make_experiment, [[0.6, 0.7, 0.8, 0.9]] * 6))
    assert compared.labels == LABELS
    assert compared.mean_ranks.tolist() == [4, 3, 2, 1]
    np.testing.assert_allclose(compared.scores, np.repeat([[0], [1 / 3], [2 / 3], [1]], 6, axis=1), atol=1e-9)
    np.testing.assert_allclose(compared.interquartile_means, [0, 1 / 3, 2 / 3, 1], atol=1e-9)
    assert compared.friedman_p < 0.01
    assert compared.nemenyi.loc["sum", "product"] < 0.05 < compared.nemenyi.loc["max", "product"]


def test_the_test_is_friedmans(make_experiment):
    means = np.random.default_rng(0).random((5, 4))
    compared = across(experiments(make_experiment, means))
    assert compared.friedman_p == pytest.approx(stats.friedmanchisquare(*means.T).pvalue)
    np.testing.assert_allclose(compared.mean_ranks, stats.rankdata(-means, axis=1).mean(axis=0))


def test_fewer_errors_are_better(make_experiment):
    compared = across(experiments(make_experiment, [[0.6, 0.7, 0.8, 0.9]] * 2, metric="rmse"))
    assert compared.mean_ranks.tolist() == [1, 2, 3, 4]
    assert compared.scores[0].tolist() == [1, 1]


def test_noise_within_the_margin_is_not_blown_up(make_experiment):
    compared = across(experiments(make_experiment, [[0.7500, 0.7501, 0.7502, 0.7505]] * 2))
    np.testing.assert_allclose(compared.scores[:, 0], [0.9, 0.92, 0.94, 1.0], atol=1e-6)


def test_arms_alike_everywhere_are_not_told_apart(make_experiment):
    compared = across(experiments(make_experiment, [[0.5] * 4] * 3, margin=0.0))
    assert (compared.friedman_p, compared.nemenyi) == (1.0, None)
    assert (compared.scores == 1).all()
    assert compared.mean_ranks.tolist() == [2.5] * 4


def test_a_diverged_arm_ranks_last_and_has_no_score(make_experiment):
    compared = across(experiments(make_experiment, [[0.6, 0.7, np.nan, 0.9], [0.6, 0.7, 0.8, 0.9]]))
    assert compared.mean_ranks.tolist() == [3.5, 2.5, 3.0, 1.0]
    assert np.isnan(compared.scores[2, 0])
    assert np.isnan(compared.interquartile_means[2])


def test_only_arms_of_every_experiment_are_compared(make_experiment):
    first, second = experiments(make_experiment, [[0.6, 0.7, 0.8, 0.9]] * 2)
    fewer = make_experiment({label: second.per_seed()[label] for label in ("product", "mean", "sum")})
    assert across([first, fewer]).labels == ("sum", "mean", "product")


def test_one_experiment_or_two_arms_are_too_few(make_experiment):
    (first,) = experiments(make_experiment, [[0.6, 0.7, 0.8, 0.9]])
    assert across([first]) is None
    assert across([first, make_experiment({"sum": [0.1], "mean": [0.2]})]) is None
