"""A mean over seeds, with Student's interval."""

import numpy as np
import pytest

from training.statistics import over_seeds


def test_the_interval_is_students():
    summary = over_seeds([0.7, 0.8, 0.9])
    assert summary["mean"] == pytest.approx(0.8)
    # t_{0.975, 2} = 4.302653, s = 0.1, √3
    half = 4.302653 * 0.1 / np.sqrt(3)
    assert summary["ci95"] == pytest.approx([0.8 - half, 0.8 + half], abs=1e-6)
    assert summary["per_seed"] == [0.7, 0.8, 0.9]


def test_it_covers_the_truth_nineteen_times_in_twenty():
    rng = np.random.default_rng(0)
    intervals = [over_seeds(rng.normal(3.0, 2.0, 5).tolist())["ci95"] for _ in range(4000)]
    covered = np.mean([low <= 3.0 <= high for low, high in intervals])
    assert abs(covered - 0.95) < 4 * np.sqrt(0.95 * 0.05 / 4000)


def test_one_seed_has_no_interval():
    assert over_seeds([0.7]) == {"per_seed": [0.7], "mean": 0.7, "ci95": None}


def test_a_diverged_seed_leaves_no_mean_that_would_flatter():
    assert over_seeds([0.7, None]) == {"per_seed": [0.7, None], "mean": None, "ci95": None}
