"""The choice of test examples as a source of error: a bootstrap over examples, never over seeds."""

from collections.abc import Callable, Iterator

import numpy as np
import threadpoolctl
from jaxtyping import Float

from .evidence import Experiment

RESAMPLES = 2000
_SEED = 20_240_229  # fixed, so that the same results give the same report
_CHUNK = 250_000  # weights made at a time: what fits into a cache is several times faster

# What makes the metric of the mean over test examples.
METRIC_OF_MEAN: dict[str, Callable[[np.ndarray], np.ndarray]] = {"accuracy": np.asarray, "rmse": np.sqrt}


def bootstrap_items(
    items: Float[np.ndarray, "seeds examples"], to_metric: Callable[[np.ndarray], np.ndarray]
) -> tuple[float, float]:
    """Returns the 95% interval of the seed-mean metric, were other test examples drawn like these.

    The percentile bootstrap over examples (Efron and Tibshirani 1993, An Introduction to the Bootstrap, chapter 13):
    2,000 times the N examples are drawn with replacement, the same for every seed, the metric of each seed is
    computed on them and averaged over seeds; the interval is that of the middle 95%. The trained models, seeds that
    is, are held fixed: a bootstrap of five seeds would be far too narrow.

    Args:
      items: what each example adds to the mean, e.g. 1 and 0 for right and wrong, or squared errors.
      to_metric: makes the metric of those means, elementwise, e.g. np.sqrt for the root of a mean squared error.
    """
    return percentile_interval(resampled_metrics(items, to_metric).mean(axis=1))


def percentile_interval(resampled: Float[np.ndarray, " resamples"]) -> tuple[float, float]:
    """Returns the range of the middle 95%."""
    low, high = np.quantile(resampled, [0.025, 0.975])
    return float(low), float(high)


def resampled_metrics(
    items: Float[np.ndarray, "rows examples"], to_metric: Callable[[np.ndarray], np.ndarray]
) -> Float[np.ndarray, "resamples rows"]:
    """Returns the metric of every row on each of 2,000 resamples of the examples, which all rows share."""
    n = items.shape[1]
    columns = items.astype(np.float64).T
    # The products are small: on a busy machine the threads of BLAS wait for each other far longer than they work.
    with threadpoolctl.threadpool_limits(1, user_api="blas"):
        means = [weights @ columns / n for weights in _bootstrap_weights(n)]
    return to_metric(np.concatenate(means))


def _bootstrap_weights(n: int) -> Iterator[Float[np.ndarray, "chunk examples"]]:
    """Yields how often each of n examples is drawn, some resamples at a time; always the same for the same n."""
    rng = np.random.default_rng(_SEED)
    size = max(1, min(RESAMPLES, _CHUNK // n))
    for start in range(0, RESAMPLES, size):
        rows = min(size, RESAMPLES - start)
        drawn = rng.integers(0, n, (rows, n)) + n * np.arange(rows)[:, None]
        yield np.bincount(drawn.ravel(), minlength=rows * n).reshape(rows, n).astype(np.float64)


def resampled_arms(experiment: Experiment) -> dict[str, Float[np.ndarray, " resamples"]]:
    """Returns {label: the arm's seed-mean metric on each resample of the test examples}.

    Arms tested on equally many examples share the resamples, so that the difference of two of them is paired by
    example. Arms without items are left out; all are where the metric is no function of the items' mean.
    """
    if experiment.metric not in METRIC_OF_MEAN:
        return {}
    groups: dict[int, list[tuple[str, np.ndarray]]] = {}
    for arm in experiment.arms:
        if arm.items is not None and arm.items.size:
            groups.setdefault(arm.items.shape[1], []).append((arm.label, arm.items))
    resampled = {}
    for group in groups.values():
        metrics = resampled_metrics(
            np.concatenate([items for _, items in group]), METRIC_OF_MEAN[experiment.metric]
        )
        ends = np.cumsum([len(items) for _, items in group])[:-1]
        for (label, _), rows in zip(group, np.split(metrics, ends, axis=1), strict=True):
            resampled[label] = rows.mean(axis=1)
    return resampled
