"""Properties of weights: what a weight of 0, 1, 2 and 3 means, and that weights are refused where they mean nothing."""

import numpy as np

from .checks_report import BrokenError, SkippedError, require_near
from .checks_trial import NUM_BAGS, Bags, Trial, cast


def weights_of_one_are_no_weights(trial: Trial) -> None:
    """weights=None is a weight of one for every vector."""
    _require_weights(trial)
    bags = trial.bags()
    ones = bags._replace(weights=np.ones(bags.mask.shape))
    require_near(trial.answer(ones).y, trial.answer(bags).y, 1e-6, "weights of one")


def weights_have_an_effect(trial: Trial) -> None:
    """Some weights give something else than weights of one."""
    _require_weights(trial)
    bags = trial.bags(weighted=True)
    try:
        require_near(trial.answer(bags).y, trial.answer(bags._replace(weights=None)).y, 1e-3, "")
    except BrokenError:
        return
    raise BrokenError("weights change nothing: declare accepts_weights = False")


def a_weight_of_k_is_the_vector_k_times(trial: Trial) -> None:
    """Where weights_are_counts, a vector with weight 0, 2 or 3 counts as none, two or three of it."""
    _require_weights(trial)
    if not trial.combiner.weights_are_counts:
        raise SkippedError("weights are no counts")
    for weighted, repeated in _repetitions(trial):
        counts = f"weights {weighted.weights[0].tolist()}"
        require_near(trial.answer(weighted).y, trial.answer(repeated).y, 1e-5, counts)


def a_weight_of_k_is_not_the_vector_k_times(trial: Trial) -> None:
    """Where weights_are_counts=False is declared, some weight is no number of repetitions."""
    _require_weights(trial)
    if trial.combiner.weights_are_counts:
        raise SkippedError("weights are counts")
    for weighted, repeated in _repetitions(trial):
        try:
            require_near(trial.answer(weighted).y, trial.answer(repeated).y, 1e-5, "")
        except BrokenError:
            return
    raise BrokenError("integer weights are repetitions: declare weights_are_counts = True")


def weights_without_a_meaning_are_refused(trial: Trial) -> None:
    """Where weights are not accepted they are refused with a ValueError."""
    if trial.combiner.accepts_weights:
        raise SkippedError("accepts weights")
    bags = cast(trial.bags(weighted=True), np.float32)
    try:
        trial.combiner(*bags)
    except ValueError:
        return
    raise BrokenError("declares accepts_weights = False and takes weights")


def _require_weights(trial: Trial) -> None:
    if not trial.combiner.accepts_weights:
        raise SkippedError("takes no weights")


def _repetitions(trial: Trial) -> list[tuple[Bags, Bags]]:
    """Returns pairs of bags: distinct vectors with integer weights, and the same repeated, all with weight one."""
    n, vectors = trial.num_vectors, trial.bags().x
    pairs = []
    for counts in ([2], [2, 1, 1], [1, 3], [1, 0, 2], [0, 1]):
        if len(counts) > n or sum(counts) > n:
            continue
        slots = np.arange(n)
        weights = np.ones((NUM_BAGS, n))
        weights[:, : len(counts)] = counts
        distinct = Bags(vectors, np.tile(slots < len(counts), (NUM_BAGS, 1)), weights)
        order = np.resize(np.repeat(np.arange(len(counts)), counts), n)
        present = np.tile(slots < sum(counts), (NUM_BAGS, 1))
        pairs.append((distinct, Bags(vectors[:, order], present, np.ones((NUM_BAGS, n)))))
    if not pairs:
        raise SkippedError("there is no room for a vector twice")
    return pairs


PROPERTIES = (
    weights_of_one_are_no_weights,
    weights_have_an_effect,
    a_weight_of_k_is_the_vector_k_times,
    a_weight_of_k_is_not_the_vector_k_times,
    weights_without_a_meaning_are_refused,
)
