"""A mean over seeds with its uncertainty."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import special


def over_seeds(per_seed: Sequence[float | None]) -> dict[str, Any]:
    """Summarises one metric over seeds.

    Args:
      per_seed: one value per seed; None for a seed that diverged.

    Returns:
      {"per_seed", "mean", "ci95"}: ci95 is mean ± t_{0.975, n−1} · s / √n, Student's interval for the mean of n seeds;
      null for a single seed. Mean and interval are null if any seed diverged: the rest would flatter the arm.
    """
    values = list(per_seed)
    if any(value is None for value in values):
        return {"per_seed": values, "mean": None, "ci95": None}
    mean = float(np.mean(values))
    if len(values) == 1:
        return {"per_seed": values, "mean": mean, "ci95": None}
    half = float(special.stdtrit(len(values) - 1, 0.975) * np.std(values, ddof=1) / np.sqrt(len(values)))
    return {"per_seed": values, "mean": mean, "ci95": [mean - half, mean + half]}
