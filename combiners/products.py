"""Products: every dimension multiplied across the vectors, alone or together with their sum."""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from .base import Combiner, at_least_float32


def _fold_in_pairs(
    operation: Callable[[jax.Array, jax.Array], jax.Array], x: Float[Array, "*batch n dim"], identity: float
) -> Float[Array, "*batch dim"]:
    """Folds an associative operation over the slots, neighbours first: O(n) work forwards and backwards.

    The gradient never divides by a factor, so it is exact at zeros.
    """
    while x.shape[-2] > 1:
        if x.shape[-2] % 2:
            padding = [(0, 0)] * (x.ndim - 2) + [(0, 1), (0, 0)]
            x = jnp.pad(x, padding, constant_values=identity)
        x = operation(x[..., 0::2, :], x[..., 1::2, :])
    return x[..., 0, :]


class Product(Combiner):
    """Elementwise product: y = Π_i x_i over the vectors present.

    A long bag of embeddings around zero would vanish, so embeddings start around one.
    """

    name = "product"
    formula = "y_j = Π_i x_ij"
    citation = "Mitchell & Lapata 2010, Composition in Distributional Models of Semantics"
    permutation_invariant = True
    embedding_mean = 1.0
    use_when = "the effect of one vector depends on the others: a linear layer on top must see interactions"
    loses = "order; everything in a dimension where one factor is zero"

    def combine(
        self,
        x: Float[Array, "*batch n dim"],
        mask: Bool[Array, "*batch n"],
        weights: Float[Array, "*batch n"] | None,
    ) -> Float[Array, "*batch out"]:
        """Multiplies the vectors; masked slots count as ones."""
        del weights
        factors = jnp.where(mask[..., None], at_least_float32(x), 1)
        return _fold_in_pairs(jnp.multiply, factors, identity=1.0)

    def numpy_reference(
        self, x: Sequence[np.ndarray], mask: np.ndarray, weights: np.ndarray | None
    ) -> np.ndarray:
        """Computes Π_i x_i over the slots present."""
        del weights
        if not mask.any():
            return np.zeros(x[0].shape)
        product = np.ones(x[0].shape, np.float64)
        for i in range(len(x)):
            if mask[i]:
                product *= x[i].astype(np.float64)
        return product


class Hybrid(Combiner):
    """Sum and product together: ½(u∘v + u + v), and for n vectors y = ½(Π_i (1 + x_i) − 1).

    For two vectors (1 + u)(1 + v) − 1 = u∘v + u + v. Multiplied out, the general form is half the sum of the products
    over all non-empty subsets of the vectors, so it holds every order of interaction beside the plain sum. It is
    invariant under permutation, a zero vector changes nothing, and near zero it is half a sum: unlike the bare
    product it needs no special start. It is folded as u + v + u∘v, pair by pair, which keeps every digit near zero
    (though not where a factor 1 + x_i nearly vanishes).
    """

    name = "hybrid"
    formula = "y = ½(Π_i (1 + x_i) − 1); for two vectors ½(u∘v + u + v)"
    citation = "for two vectors Mitchell & Lapata 2010 (combined model); n vectors: this project"
    permutation_invariant = True
    use_when = "interactions may matter beside additive effects and you do not want to choose"
    loses = "order; which part came from the sum and which from the products"

    def combine(
        self,
        x: Float[Array, "*batch n dim"],
        mask: Bool[Array, "*batch n"],
        weights: Float[Array, "*batch n"] | None,
    ) -> Float[Array, "*batch out"]:
        """Folds u + v + u∘v over the vectors; masked ones are zeros, its neutral element."""
        del mask, weights
        return 0.5 * _fold_in_pairs(lambda u, v: u + v + u * v, at_least_float32(x), identity=0.0)

    def numpy_reference(
        self, x: Sequence[np.ndarray], mask: np.ndarray, weights: np.ndarray | None
    ) -> np.ndarray:
        """Computes ½(Π_i (1 + x_i) − 1) over the slots present."""
        del weights
        product = np.ones(x[0].shape, np.float64)
        for i in range(len(x)):
            if mask[i]:
                product *= 1.0 + x[i].astype(np.float64)
        return 0.5 * (product - 1.0)
