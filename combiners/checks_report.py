"""What the conformance suite reports: a result for each property, and distances that say what is off in one line."""

import dataclasses
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np


@dataclasses.dataclass(frozen=True)
class Result:
    """Whether one combiner has one property.

    Attributes:
      name: the property, a readable sentence.
      status: 'skip' where the property does not apply.
      reason: one line; empty where it passed.
    """

    name: str
    status: Literal["pass", "fail", "skip"]
    reason: str = ""


class BrokenError(Exception):
    """A property does not hold; the message says in one line what was seen."""


class SkippedError(Exception):
    """A property does not apply; the message says why."""


def require(holds: Any, reason: str) -> None:
    """Raises BrokenError with the reason unless it holds."""
    if not holds:
        raise BrokenError(reason)


def require_near(got: Any, wanted: Any, tolerance: float, what: str) -> None:
    """Raises BrokenError unless |got − wanted| ≤ tolerance · (1 + the largest number of the wanted row) everywhere.

    Both have rows along their last axis. A rounding error is as large as the largest numbers that were added, so a
    number near zero is not asked for more digits than its neighbours have.
    """
    got, wanted = np.asarray(got, np.float64), np.asarray(wanted, np.float64)
    require(got.shape == wanted.shape, f"{what}: shape {got.shape}, expected {wanted.shape}")
    if got.size == 0:
        return
    got, wanted = np.atleast_1d(got), np.atleast_1d(wanted)
    largest = np.max(np.abs(wanted), axis=-1, keepdims=True)
    with np.errstate(invalid="ignore"):  # inf − inf: NaN is as far away as can be
        distances = np.nan_to_num(np.abs(got - wanted) / (1 + largest), nan=np.inf).max(axis=-1)
    if distances.max() > tolerance:
        row = np.unravel_index(np.argmax(distances), distances.shape)
        raise BrokenError(f"{what}: {_numbers(got[row])}, expected {_numbers(wanted[row])}")


def require_same(got: Any, wanted: Any, what: str) -> None:
    """Raises BrokenError unless two trees of arrays are equal to the last bit."""
    leaves, others = map(jax.tree.leaves, (got, wanted))
    require(len(leaves) == len(others), f"{what}: {len(leaves)} arrays, not {len(others)}")
    for leaf, other in zip(map(_values, leaves), map(_values, others), strict=True):
        require(leaf.shape == other.shape, f"{what}: shape {leaf.shape}, not {other.shape}")
        differs = np.argwhere(leaf != other)
        if len(differs):
            at = tuple(differs[0])
            raise BrokenError(f"{what}: {leaf[at]:.6g}, not {other[at]:.6g}")


def require_finite(tree: Any, what: str) -> None:
    """Raises BrokenError if a number of a tree of arrays is NaN or infinite."""
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        values = np.asarray(leaf, np.float64)
        if not np.isfinite(values).all():
            worst = values[~np.isfinite(values)][0]
            raise BrokenError(f"{what}: {worst} in {jax.tree_util.keystr(path) or 'the result'}")


def _values(leaf: Any) -> np.ndarray:
    """Returns an array of numbers, or of random keys, as float64."""
    if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        leaf = jax.random.key_data(leaf)
    return np.asarray(leaf, np.float64)


def _numbers(row: np.ndarray) -> str:
    """Writes the first numbers of a row."""
    row = np.ravel(row)
    rest = ", …" if len(row) > 4 else ""
    return "[" + ", ".join(f"{number:.6g}" for number in row[:4]) + rest + "]"
