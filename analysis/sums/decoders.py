"""Decoders: from a sum of n embeddings of a known table back to how often each of them is in it."""

import warnings
from collections.abc import Callable

import numpy as np
import sklearn.exceptions
from jaxtyping import Float, Int
from scipy.optimize import nnls
from sklearn.linear_model import Lasso, orthogonal_mp

from data.nearest import nearest

from .greedy import greedy_counts_reference
from .probe_training import Training, fit_mlp, fit_ridge, fit_standardiser

Embeddings = Float[np.ndarray, "V d"]
Totals = Float[np.ndarray, "draws d"]
Counts = Int[np.ndarray, "draws V"]

# (embeddings, totals, n) -> counts. All totals are sums of n rows of the one table. Greedy matching takes n steps, so
# its counts add up to n; those of the others are rounded one by one, floored at zero, and need not.
Decoder = Callable[[Embeddings, Totals, int], Counts]

LASSO_PENALTY = 1e-3  # as a part of the smallest penalty at which all coefficients are zero
_LASSO_STEPS = 2000
_LASSO_TOLERANCE = 1e-5
NUM_PROBE_BAGS = 4096
_PROBE_SEED = 20_240_607  # of the bags that probes learn from: no draw that is decoded uses it
_PROBE_PENALTY = 1e-6
_PROBE_MLP = Training(hidden=64, steps=200, batch=256, learning_rate=1e-2)


def decoder(name: str) -> Decoder:
    """Returns a decoder by name; raises ValueError, with the nearest name, where there is none."""
    if name not in DECODERS:
        raise ValueError(
            f"unknown decoder {name!r}{nearest(name, DECODERS)}; known are {', '.join(DECODERS)}"
        )
    return DECODERS[name]


def greedy(embeddings: Embeddings, totals: Totals, n: int) -> Counts:
    """Takes the embedding of the highest cosine with what is left of the sum, subtracts it, n times.

    Where nothing is left before all steps are taken (words of a sparse table may cancel), no cosine is defined and the
    first word is counted.

    Args:
      embeddings: the table.
      totals: sums of n rows each.
      n: number of summands.
    """
    with np.errstate(invalid="ignore"):
        return np.stack([greedy_counts_reference(embeddings, total, n) for total in totals])


def non_negative_least_squares(embeddings: Embeddings, totals: Totals, n: int) -> Counts:
    """Rounds argmin_{c ≥ 0} ‖cE − y‖² (Lawson & Hanson 1974).

    Args:
      embeddings: E.
      totals: y, one per row.
      n: not used: the number of summands need not be known.
    """
    del n
    return np.stack([_rounded(nnls(embeddings.T, total)[0]) for total in totals])


def lasso(embeddings: Embeddings, totals: Totals, n: int) -> Counts:
    """Rounds argmin_{c ≥ 0} ‖cE − y‖² / 2d + α Σ_i c_i, α = `LASSO_PENALTY` · max_i e_i·y / d (Tibshirani 1996).

    At max_i e_i·y / d all coefficients would be zero, so the penalty does not depend on the scale of the table. It is
    small because nothing but the sum itself is in y: it is to choose among the many c that fit where V > d, and hardly
    to shrink. Coordinate descent ends after `_LASSO_STEPS` sweeps, converged or not.

    Args:
      embeddings: E.
      totals: y, one per row.
      n: not used: the number of summands need not be known.
    """
    del n
    counts = []
    for total in totals:
        most = float(np.max(embeddings @ total)) / len(total)
        if most <= 0:  # no embedding points to the side of the sum: the best coefficients are all zero
            counts.append(np.zeros(len(embeddings), int))
            continue
        model = Lasso(
            alpha=LASSO_PENALTY * most,
            positive=True,
            fit_intercept=False,
            max_iter=_LASSO_STEPS,
            tol=_LASSO_TOLERANCE,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", sklearn.exceptions.ConvergenceWarning)
            counts.append(_rounded(model.fit(embeddings.T, total).coef_))
    return np.stack(counts)


def orthogonal_matching_pursuit(embeddings: Embeddings, totals: Totals, n: int) -> Counts:
    """Adds the embedding of the highest |cosine| with the residual and fits all chosen ones anew, at most n times.

    Pati et al. 1993, Orthogonal Matching Pursuit. The coefficients are rounded at the end.

    Args:
      embeddings: the table.
      totals: sums of n rows each.
      n: number of summands, and so the largest number of different ones.
    """
    lengths = np.linalg.norm(embeddings, axis=1)
    with warnings.catch_warnings():
        # It says so where nothing is left before all steps are taken: the sum is then explained.
        warnings.simplefilter("ignore", RuntimeWarning)
        coefficients = orthogonal_mp(
            (embeddings / lengths[:, None]).T,
            totals.T,
            n_nonzero_coefs=min(n, *embeddings.shape),
            precompute=True,
        )
    return _rounded(coefficients.reshape(len(embeddings), len(totals)).T / lengths)


def linear_probe(embeddings: Embeddings, totals: Totals, n: int) -> Counts:
    """Rounds what a ridge predicts that learnt from `NUM_PROBE_BAGS` other bags of n words of the same table.

    Args:
      embeddings: the table.
      totals: sums of n rows each; nothing is learnt from them.
      n: number of summands.
    """
    return _probe_counts(embeddings, totals, n, None)


def mlp_probe(embeddings: Embeddings, totals: Totals, n: int) -> Counts:
    """Rounds what an MLP predicts, trained on the same bags as `linear_probe`, which it starts from.

    Args:
      embeddings: the table.
      totals: sums of n rows each; nothing is learnt from them.
      n: number of summands.
    """
    return _probe_counts(embeddings, totals, n, _PROBE_MLP)


def draw_counts(rng: np.random.Generator, num_draws: int, num_words: int, n: int) -> Counts:
    """Returns how often each of V words is among n drawn with replacement, for every draw."""
    return rng.multinomial(n, np.full(num_words, 1 / num_words), size=num_draws)


def _probe_counts(embeddings: Embeddings, totals: Totals, n: int, training: Training | None) -> Counts:
    counts = draw_counts(np.random.default_rng(_PROBE_SEED), NUM_PROBE_BAGS, len(embeddings), n)
    bags, targets = counts @ embeddings, counts.astype(np.float64)
    standardise = fit_standardiser(bags)
    inputs, asked = standardise(bags)[None], standardise(totals)[None]
    probe = fit_ridge(inputs, targets[None], _PROBE_PENALTY)
    if training is not None:
        probe = fit_mlp(inputs, targets[None], probe, training)
    return _rounded(probe(asked)[0])


def _rounded(coefficients: Float[np.ndarray, "*shape"]) -> Int[np.ndarray, "*shape"]:
    return np.maximum(0, np.rint(coefficients)).astype(int)


DECODERS: dict[str, Decoder] = {
    "greedy": greedy,
    "nnls": non_negative_least_squares,
    "lasso": lasso,
    "omp": orthogonal_matching_pursuit,
    "linear_probe": linear_probe,
    "mlp_probe": mlp_probe,
}
