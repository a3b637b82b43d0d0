"""Makes one vector of the two that a skip-gram model learns for every word, in every way under test."""

import dataclasses

import numpy as np
from jaxtyping import Float32

from combiners import combiner_class, make_combiner
from data.nearest import nearest


@dataclasses.dataclass(frozen=True)
class Combination:
    """One way to make a vector of a word vector w and a context vector c.

    Attributes:
      name: in tables and results.
      combiner: a name in COMBINERS; `first` is w alone and `last` is c alone.
      unit: whether w and c are scaled to length one beforehand.
      alpha: the weight of w, that of c being 1 − alpha; None for no weights.
    """

    name: str
    combiner: str
    unit: bool = False
    alpha: float | None = None

    @property
    def formula(self) -> str:
        """What is computed, ŵ and ĉ being w and c of length one."""
        w, c = ("ŵ", "ĉ") if self.unit else ("w", "c")
        if self.alpha is not None:
            return f"{self.alpha:g}{w} + {1 - self.alpha:g}{c}"
        return {
            "first": w,
            "last": c,
            "sum": f"{w} + {c}",
            "mean": f"½({w} + {c})",
            "concat": f"[{w}; {c}]",
            "product": f"{w}∘{c}",
            "hybrid": f"½({w}∘{c} + {w} + {c})",
        }.get(self.combiner, combiner_class(self.combiner).formula)


_ROWS = 4096  # tables are padded to a multiple of it: JAX compiles each operation anew for every size
_MIXED = ("sum", "mean", "concat", "product", "hybrid")
# The cosines of w alone do not change when w is scaled, so neither part alone has a variant of unit length.
COMBINATIONS: dict[str, Combination] = {
    combination.name: combination
    for combination in (
        Combination("word", "first"),
        Combination("context", "last"),
        *(Combination(name, name) for name in _MIXED),
        *(Combination(f"unit {name}", name, unit=True) for name in _MIXED),
    )
}


def named_combination(name: str) -> Combination:
    """Returns a combination of `COMBINATIONS`; raises ValueError with the nearest name where there is none."""
    if name not in COMBINATIONS:
        raise ValueError(
            f"unknown combination {name!r}{nearest(name, COMBINATIONS)}; known are {', '.join(COMBINATIONS)}"
        )
    return COMBINATIONS[name]


def interpolation(alpha: float, unit: bool) -> Combination:
    """Returns αw + (1 − α)c.

    Raises:
      ValueError: for an alpha outside 0 to 1.
    """
    if not 0 <= alpha <= 1:
        raise ValueError(f"alphas: expected numbers from 0 to 1, found {alpha:g}")
    return Combination(f"{'unit ' if unit else ''}α = {alpha:g}", "sum", unit, float(alpha))


def combine(
    combination: Combination, centre: Float32[np.ndarray, "n dim"], context: Float32[np.ndarray, "n dim"]
) -> Float32[np.ndarray, "n out"]:
    """Combines the two vectors of each of n words with one of the project's combiners.

    Args:
      combination: which way.
      centre: word vectors w.
      context: context vectors c, in the same order.
    """
    if combination.unit:
        centre, context = scaled_to_unit(centre), scaled_to_unit(context)
    combiner = make_combiner(combination.combiner, num_vectors=2, dim=centre.shape[1])
    num_words = len(centre)
    parts = np.zeros((num_words + -num_words % _ROWS, 2, centre.shape[1]), np.float32)
    parts[:num_words, 0], parts[:num_words, 1] = centre, context
    weights = None
    if combination.alpha is not None:
        weights = np.empty(parts.shape[:2], np.float32)
        weights[:] = combination.alpha, 1 - combination.alpha
    return np.asarray(combiner(parts, weights=weights))[:num_words]


def scaled_to_unit(vectors: Float32[np.ndarray, "n dim"]) -> Float32[np.ndarray, "n dim"]:
    """Returns vectors of length one; a vector of zeros stays as it is."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.where(lengths > 0, lengths, np.float32(1))).astype(np.float32)
