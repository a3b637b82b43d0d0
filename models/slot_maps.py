"""What a combiner does to every slot, as a matrix each: combine(x) = Σ_i x_i A_i + c, where that is all it does."""

import dataclasses
from collections.abc import Sequence

import jax
import numpy as np
from jaxtyping import Bool, Float64

from combiners import Combiner

# Of the largest number made. Sums of some hundred products err by 1e-14 in float64, another function by 1e-3 or more.
TOLERANCE = 1e-9
_BAGS = 32  # random ones, to hold the maps against


@dataclasses.dataclass(frozen=True)
class SlotMaps:
    """A combiner as a sum of linear maps.

    Attributes:
      maps: A_i, one [dim_i, out] per slot.
      offset: c, [out]: what is added to every bag that is not empty.
    """

    maps: tuple[Float64[np.ndarray, "_ out"], ...]
    offset: Float64[np.ndarray, "out"]

    @property
    def same_for_all(self) -> bool:
        """Whether every slot has the same map."""
        return all(np.array_equal(self.maps[0], other) for other in self.maps[1:])

    def apply(
        self, parts: Sequence[Float64[np.ndarray, "batch _"]], factors: Float64[np.ndarray, "batch n"]
    ) -> Float64[np.ndarray, "batch out"]:
        """Returns Σ_i f_i x_i A_i + c."""
        terms = (
            factors[:, i, None] * (part @ matrix)
            for i, (part, matrix) in enumerate(zip(parts, self.maps, strict=True))
        )
        return self.offset + sum(terms)


def slot_maps(combiner: Combiner, *, variable_length: bool, weighted: bool = False) -> SlotMaps:
    """Finds the maps of a combiner by what it makes of unit vectors, and holds them against random bags.

    Args:
      combiner: with its trained parameters.
      variable_length: whether bags may have fewer vectors than the combiner takes at most.
      weighted: whether vectors come with weights, which must then do no more than multiply them.

    Returns:
      The maps, in float64.

    Raises:
      ValueError: if the combiner is no such sum, with the reason.
    """
    name, n = combiner.name, combiner.num_vectors
    widths = combiner.dim if isinstance(combiner.dim, tuple) else (combiner.dim,) * n
    rng = np.random.default_rng(0)
    units = np.split(np.eye(sum(widths)), np.cumsum(widths)[:-1], axis=1)
    bags = [rng.standard_normal((_BAGS, width)) for width in widths]
    everything, some = np.ones((_BAGS, n), bool), rng.random((_BAGS, n)) < 0.5
    some[:, 0] = True  # an empty bag is zeros, whatever the offset

    # One call for zeros, unit vectors and random bags: most of its time goes into compiling.
    parts = [np.concatenate([np.zeros((1, u.shape[1])), u, bag]) for u, bag in zip(units, bags, strict=True)]
    made = _combine(combiner, parts, np.ones((len(parts[0]), n), bool))
    offset, of_units, of_bags = made[0], made[1:-_BAGS] - made[0], made[-_BAGS:]
    found = SlotMaps(tuple(np.split(of_units, np.cumsum(widths)[:-1])), offset)
    if (error := _error(of_bags, found.apply(bags, everything.astype(float)))) > TOLERANCE:
        raise ValueError(
            f"combiner {name!r} is not a sum of linear maps of its vectors: of random bags it makes other vectors "
            f"than such a sum, by {error:.2g} of their size"
        )
    if variable_length:
        error = _error(_combine(combiner, bags, some), found.apply(bags, some.astype(float)))
        if error > TOLERANCE:
            raise ValueError(
                f"combiner {name!r} is a sum of linear maps only where every slot is filled, and these bags differ in "
                f"length: of partly empty ones it makes other vectors, by {error:.2g} of their size"
            )
    if weighted:
        weights = rng.uniform(0.5, 2.0, (_BAGS, n))
        error = _error(_combine(combiner, bags, everything, weights), found.apply(bags, weights))
        if error > TOLERANCE:
            raise ValueError(
                f"combiner {name!r} does more with weights than to multiply its vectors by them: with random ones it "
                f"makes other vectors, by {error:.2g} of their size"
            )
    return found


def _combine(
    combiner: Combiner,
    parts: Sequence[Float64[np.ndarray, "batch _"]],
    mask: Bool[np.ndarray, "batch n"],
    weights: Float64[np.ndarray, "batch n"] | None = None,
) -> Float64[np.ndarray, "batch out"]:
    x = tuple(parts) if isinstance(combiner.dim, tuple) else np.stack(parts, axis=1)
    with jax.enable_x64(True):
        return np.asarray(combiner(x, mask, weights))


def _error(made: Float64[np.ndarray, "batch out"], expected: Float64[np.ndarray, "batch out"]) -> float:
    return float(np.abs(made - expected).max() / np.abs(made).max())
