"""Properties of what a class declares: its facts, its sizes, and what it refuses."""

import itertools
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from .checks_masks import ignores_poison
from .checks_report import BrokenError, SkippedError, require
from .checks_trial import SEED, Trial
from .checks_values import near_reference

_TEXTS = ("name", "formula", "citation")
_TRUTHS = (
    *("permutation_invariant", "variable_length", "accepts_weights"),
    *("accepts_unequal_widths", "weights_are_counts", "needs_rngs"),
)


def its_facts_are_well_formed(trial: Trial) -> None:
    """Texts are not empty, truths are bool, arity is None or 2, and there is a docstring."""
    combiner = trial.combiner
    for fact in _TEXTS:
        text = getattr(combiner, fact, None)
        require(isinstance(text, str) and text.strip(), f"{fact} is {text!r}, not a text")
        require("\n" not in text, f"{fact} has more than one line")
    for fact in ("use_when", "loses"):
        require(isinstance(getattr(combiner, fact), str), f"{fact} is no text")
    for fact in _TRUTHS:
        truth = getattr(combiner, fact, None)
        require(isinstance(truth, bool), f"{fact} is {truth!r}, not True or False")
    require(trial.cls.__doc__ and trial.cls.__doc__.strip(), "the class has no docstring")
    require(combiner.arity in (None, 2), f"arity is {combiner.arity!r}, not None or 2")
    mean = combiner.embedding_mean
    require(
        isinstance(mean, int | float) and math.isfinite(mean), f"embedding_mean is {mean!r}, not a number"
    )
    require(
        combiner.accepts_weights or not combiner.weights_are_counts, "weights that are refused are no counts"
    )


# --- Sizes ---


class _Made(NamedTuple):
    """What a combiner of one size declares, and what it is."""

    size: str
    declared_width: int
    width: int
    shape: tuple[int, ...]
    declared_count: int
    count: int


def its_declared_width_is_real(trial: Trial) -> None:
    """The result is as wide as output_width and out_dim say, for 1, 2 and 7 vectors of width 1 and 5."""
    for made in _made(trial):
        declared = made.declared_width
        require(isinstance(declared, int | np.integer), f"output_width is {declared!r}, not an integer")
        require(made.width == declared, f"{made.size}: output_width {declared}, out_dim {made.width}")
        require(made.shape == (2, declared), f"{made.size}: output_width {declared}, made {made.shape}")


def its_declared_parameter_count_is_real(trial: Trial) -> None:
    """There are as many trainable numbers as parameter_count says, for the same sizes."""
    for made in _made(trial):
        declared = made.declared_count
        require(isinstance(declared, int | np.integer), f"parameter_count is {declared!r}, not an integer")
        require(
            made.count == declared, f"{made.size}: parameter_count {declared}, nnx.Param hold {made.count}"
        )


def _made(trial: Trial) -> list[_Made]:
    return [
        made
        for num_vectors, dim in [(trial.num_vectors, trial.dim), *itertools.product((1, 2, 7), (1, 5))]
        if trial.combiner.arity in (None, num_vectors) and (made := _make(trial, num_vectors, dim))
    ]


def _make(trial: Trial, num_vectors: int, dim: int) -> _Made | None:
    """Returns what is made without computing anything; None for a size that is refused on purpose."""
    cls, options = trial.cls, trial.options
    try:
        width = cls.output_width(num_vectors, dim, **options)
    except ValueError:
        return None
    size = f"{num_vectors} vectors of width {dim}"
    made = []

    def make(x: jax.Array) -> None:
        combiner = cls(num_vectors=num_vectors, dim=dim, rngs=nnx.Rngs(SEED), **options)
        count = sum(leaf.size for leaf in jax.tree.leaves(nnx.state(combiner, nnx.Param)))
        # Not called but combined, since a call refuses a wrong width and would hide the number of parameters.
        y = combiner.combine(x, jnp.ones(x.shape[:-1], bool), None)
        declared = cls.parameter_count(num_vectors, dim, **options)
        made.append(_Made(size, width, combiner.out_dim, y.shape, declared, count))

    try:
        jax.eval_shape(make, jax.ShapeDtypeStruct((2, num_vectors, dim), jnp.float32))
    except ValueError:
        if options and (num_vectors, dim) != (trial.num_vectors, trial.dim):
            return None  # an option that fits the sizes asked for need not fit others
        raise
    return made[0]


# --- Unequal widths ---


def unequal_widths_are_combined(trial: Trial) -> None:
    """Where declared: vectors of widths 3, 1, 2, … meet the reference, and masked ones are ignored."""
    if not trial.combiner.accepts_unequal_widths:
        raise SkippedError("takes equal widths")
    widths = _unequal(trial)
    unequal = Trial(trial.cls, trial.num_vectors, widths, trial.options)
    declared = trial.cls.output_width(trial.num_vectors, widths, **trial.options)
    require(
        unequal.combiner.out_dim == declared, f"output_width {declared}, out_dim {unequal.combiner.out_dim}"
    )
    count = sum(leaf.size for leaf in jax.tree.leaves(unequal.parameters))
    declared = trial.cls.parameter_count(trial.num_vectors, widths, **trial.options)
    require(count == declared, f"parameter_count {declared}, nnx.Param hold {count}")
    for weighted in unequal.weightings:
        ignores_poison(unequal, unequal.bags(weighted))
        near_reference(unequal, unequal.bags(weighted), np.float32)


def unequal_widths_are_refused(trial: Trial) -> None:
    """Where not declared: a ValueError, when it is made and when it is called."""
    if trial.combiner.accepts_unequal_widths:
        raise SkippedError("takes unequal widths")
    if trial.num_vectors > 1:
        try:
            trial.cls(
                num_vectors=trial.num_vectors, dim=_unequal(trial), rngs=nnx.Rngs(SEED), **trial.options
            )
        except ValueError:
            pass
        else:
            raise BrokenError("is made for unequal widths, although it does not declare them")
    _require_refusal(trial, "a sequence of arrays", [np.ones((2, trial.dim), np.float32)] * trial.num_vectors)


def _unequal(trial: Trial) -> tuple[int, ...]:
    return tuple(itertools.islice(itertools.cycle((3, 1, 2)), trial.num_vectors))


# --- Refusals ---


def wrong_input_is_refused(trial: Trial) -> None:
    """Vectors of another width or of integers, and masks that are not bool or of another shape: a ValueError."""
    x = np.ones((2, trial.num_vectors, trial.dim), np.float32)
    mask = np.ones(x.shape[:-1], bool)
    _require_refusal(trial, "vectors of another width", np.ones((*mask.shape, trial.dim + 1), np.float32))
    _require_refusal(trial, "one number a vector", np.ones(trial.dim, np.float32))
    _require_refusal(trial, "vectors of integers", x.astype(np.int32))
    _require_refusal(trial, "a mask of numbers", x, mask.astype(np.float32))
    _require_refusal(trial, "a mask of one bag for two", x, mask[0])


def _require_refusal(trial: Trial, what: str, *arguments: Any) -> None:
    try:
        trial.combiner(*arguments)
    except ValueError:
        return
    raise BrokenError(f"takes {what}")


PROPERTIES = (
    its_facts_are_well_formed,
    its_declared_width_is_real,
    its_declared_parameter_count_is_real,
    unequal_widths_are_combined,
    unequal_widths_are_refused,
    wrong_input_is_refused,
)
