"""Properties of masks: what is masked, missing or in another bag changes nothing, and empty bags give zeros."""

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .checks_report import BrokenError, SkippedError, require, require_finite, require_near, require_same
from .checks_trial import Bags, Trial, cast, poisoned, taken

POISONS = (np.nan, -np.inf, 3e38)


def ignores_poison(trial: Trial, bags: Bags) -> None:
    """Raises BrokenError if what masked slots hold shows in the result, or gets or changes a gradient."""
    clean = trial.answer(bags)
    for poison in POISONS:
        answer = trial.answer(poisoned(bags, poison))
        require_same(answer.y, clean.y, f"{poison:g} in masked slots changes the result")
        parts = answer.x if isinstance(answer.x, tuple) else np.moveaxis(np.asarray(answer.x), -2, 0)
        for i, part in enumerate(parts):
            masked = np.asarray(part)[~bags.mask[..., i]]
            require((masked == 0).all(), f"masked slots with {poison:g} get a gradient")
        if bags.weights is not None:
            masked = np.asarray(answer.weights)[~bags.mask]
            require((masked == 0).all(), f"weights of masked slots with {poison:g} get a gradient")
        require_same(answer, clean, f"{poison:g} in masked slots changes a gradient")


def masked_slots_change_nothing_whatever_they_hold(trial: Trial) -> None:
    """NaN, −inf and 3e38 in masked slots change no bit of the result or of a gradient, and get none."""
    for weighted in trial.weightings:
        ignores_poison(trial, trial.bags(weighted))
        ignores_poison(trial, trial.drawn_bags(weighted, seed=2))


def no_mask_means_all_present(trial: Trial) -> None:
    """mask=None is a mask of True."""
    for weighted in trial.weightings:
        x, mask, weights = cast(trial.bags(weighted), np.float32)
        y = trial.combiner(x, np.ones_like(mask), weights)
        require_near(trial.combiner(x, None, weights), y, 1e-5, "without a mask")


def bags_of_one_batch_do_not_touch_each_other(trial: Trial) -> None:
    """A bag of NaN changes no bit of another bag's result or gradient."""
    for weighted in trial.weightings:
        bags = trial.bags(weighted)
        clean = trial.answer(bags)
        x = np.array(bags.x)
        x[0] = np.nan
        answer = trial.answer(bags._replace(x=x))
        for what in ("y", "x", *(("weights",) if weighted else ())):
            others = np.asarray(getattr(answer, what))[1:]
            name = "result" if what == "y" else f"gradient by {what}"
            require_same(
                others, np.asarray(getattr(clean, what))[1:], f"a NaN in another bag changes the {name}"
            )


# --- The number of vectors ---


def more_masked_slots_change_nothing(trial: Trial) -> None:
    """Masked slots behind the vectors, holding NaN, change nothing."""
    for what, short, padded in _padded_at(trial, "end"):
        require_near(padded, short, 1e-5, what)


def masked_slots_change_nothing_wherever_they_lie(trial: Trial) -> None:
    """Where the order has no effect, masked slots in front and between change nothing either."""
    if not trial.combiner.permutation_invariant:
        raise SkippedError("declared to depend on the order")
    for place in ("front", "middle"):
        for what, short, padded in _padded_at(trial, place):
            require_near(padded, short, 1e-5, what)


def _padded_at(trial: Trial, place: str) -> Iterator[tuple[str, Any, Any]]:
    """Yields what was tried, and the results of fewer vectors alone and with masked slots put in at a place."""
    n = trial.num_vectors
    if not trial.combiner.variable_length:
        raise SkippedError("takes a fixed number of vectors")
    if n == 1:
        raise SkippedError("there is no room for a masked slot")
    for weighted in trial.weightings:
        bags = trial.bags(weighted)
        for fewer in sorted({1, n - 1}):
            at = {"end": fewer, "front": 0, "middle": (fewer + 1) // 2}[place]
            present = np.r_[:at, at + n - fewer : n]  # the slots that stay
            mask = np.zeros_like(bags.mask)
            mask[:, present] = bags.mask[:, present]
            padded = poisoned(bags._replace(mask=mask), np.nan)
            what = f"{n - fewer} masked slots at the {place}{', weighted' if weighted else ''}"
            yield what, trial.result(taken(bags, present)), trial.answer(padded).y


def a_wrong_number_of_vectors_is_refused(trial: Trial) -> None:
    """More than num_vectors always, and fewer where variable_length=False: a ValueError."""
    n, bags = trial.num_vectors, cast(trial.bags(), np.float32)
    wrong = [n + 1] if trial.combiner.variable_length else [n + 1, *range(n)]
    for number in wrong:
        x = np.resize(bags.x, (2, number, trial.dim))
        try:
            trial.combiner(x)
        except ValueError:
            continue
        raise BrokenError(f"made for {n} vectors, takes {number}")


# --- Empty bags ---


def empty_bags_give_zeros_without_a_gradient(trial: Trial) -> None:
    """All masked, all weights zero, or no slots: zeros, no gradient, and all other gradients finite."""
    for dtype, what, bags in _empty_bags(trial):
        answer = trial.answer(bags, dtype)
        _check_empty(answer, f"{jnp.dtype(dtype)}, {what}", dtype)
    if trial.combiner.variable_length:
        x = np.zeros((2, 0, trial.dim), np.float32)
        y = trial.combiner(x)
        require(y.shape == (2, trial.combiner.out_dim), f"no slots: shape {y.shape}")
        require((np.asarray(y) == 0).all(), "no slots: not zeros")


def no_nan_arises_on_the_way(trial: Trial) -> None:
    """Under jax.debug_nans nothing that is computed on the way is NaN, even if it is hidden later."""
    for dtype, what, bags in _empty_bags(trial):
        try:
            with jax.debug_nans(True):
                trial.eager_answer(bags, dtype)
        except FloatingPointError as error:
            raise BrokenError(f"{jnp.dtype(dtype)}, {what}: {str(error).splitlines()[0]}") from None


def _empty_bags(trial: Trial) -> Iterator[tuple[Any, str, Bags]]:
    """Yields bags of which the first is empty and the others are not."""
    for dtype in (np.float32, jnp.bfloat16):
        for weighted in trial.weightings:
            bags = trial.bags(weighted)
            mask, x = bags.mask.copy(), bags.x.copy()
            mask[0], x[0] = False, np.inf
            yield dtype, "all masked", Bags(x, mask, bags.weights)
            if weighted:
                weights = bags.weights.copy()
                weights[0] = 0
                yield dtype, "all weights zero", Bags(bags.x, bags.mask, weights)


def _check_empty(answer: Any, what: str, dtype: Any) -> None:
    require(answer.y.dtype == dtype, f"{what}: {answer.y.dtype}")
    require((np.asarray(answer.y, np.float64)[0] == 0).all(), f"{what}: not zeros")
    require((np.asarray(answer.x, np.float64)[0] == 0).all(), f"{what}: its vectors get a gradient")
    require_finite(answer._asdict(), what)


PROPERTIES = (
    masked_slots_change_nothing_whatever_they_hold,
    no_mask_means_all_present,
    bags_of_one_batch_do_not_touch_each_other,
    more_masked_slots_change_nothing,
    masked_slots_change_nothing_wherever_they_lie,
    a_wrong_number_of_vectors_is_refused,
    empty_bags_give_zeros_without_a_gradient,
    no_nan_arises_on_the_way,
)
