"""Pooling: one number per dimension, whatever the order of the vectors (sum, mean, sqrtn, max)."""

import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from .base import Combiner


def _weighted_sum(
    x: Float[Array, "*batch n dim"], weights: Float[Array, "*batch n"] | None
) -> Float[Array, "*batch dim"]:
    return jnp.sum(x if weights is None else weights[..., None] * x, axis=-2)


def _total(
    numbers: Bool[Array, "*batch n"] | Float[Array, "*batch n"], x: Float[Array, "*batch n dim"]
) -> Float[Array, "*batch"]:
    """Returns the sum of one number per slot, in the precision of x but at least float32: bfloat16 stops at 256."""
    return jnp.sum(numbers, axis=-1, dtype=jnp.promote_types(x.dtype, jnp.float32))


def _divide(total: Float[Array, "*batch dim"], divisor: Float[Array, "*batch"]) -> Float[Array, "*batch dim"]:
    """Returns total / divisor, and zeros with a zero gradient where the divisor is 0."""
    is_zero = (divisor == 0)[..., None]
    return jnp.where(is_zero, 0, total / jnp.where(is_zero, 1, divisor[..., None]))


def _reference_weights(mask: np.ndarray, weights: np.ndarray | None) -> list[float]:
    """Returns one weight per slot in float64: 0 where masked, 1 where no weights are given."""
    return [(1.0 if weights is None else float(weights[i])) if mask[i] else 0.0 for i in range(len(mask))]


def _reference_sum(x: Sequence[np.ndarray], w: Sequence[float]) -> np.ndarray:
    total = np.zeros(x[0].shape, np.float64)
    for i, weight in enumerate(w):
        if weight != 0:
            total += weight * x[i].astype(np.float64)
    return total


class Sum(Combiner):
    """Sum: y = Σ_i w_i x_i, with w_i = 1 where no weights are given.

    With free embeddings followed by a linear map it can express all that a concatenation can:
    W[u; v] = W_u u + W_v v. Its length grows with the number of vectors.
    """

    name = "sum"
    formula = "y = Σ_i w_i x_i"
    citation = "Mitchell & Lapata 2010, Composition in Distributional Models of Semantics"
    permutation_invariant = True
    accepts_weights = True
    weights_are_counts = True
    use_when = "how often things occur matters, and what follows is linear or can learn to undo it"
    loses = "order; its length grows with the number of vectors"

    def combine(
        self,
        x: Float[Array, "*batch n dim"],
        mask: Bool[Array, "*batch n"],
        weights: Float[Array, "*batch n"] | None,
    ) -> Float[Array, "*batch out"]:
        """Adds the vectors; masked ones are zeros already."""
        del mask
        return _weighted_sum(x, weights)

    def numpy_reference(
        self, x: Sequence[np.ndarray], mask: np.ndarray, weights: np.ndarray | None
    ) -> np.ndarray:
        """Computes Σ_i w_i x_i."""
        return _reference_sum(x, _reference_weights(mask, weights))


class Mean(Combiner):
    """Mean: y = Σ_i w_i x_i / Σ_i w_i.

    Zeros where the weights cancel exactly (Σ_i w_i = 0); where they nearly do, the mean is as large as their sum is
    small.
    """

    name = "mean"
    formula = "y = Σ_i w_i x_i / Σ_i w_i"
    citation = (
        "Iyyer et al. 2015, Deep Unordered Composition Rivals Syntactic Methods for Text Classification"
    )
    permutation_invariant = True
    accepts_weights = True
    weights_are_counts = True
    use_when = "bags differ in length and only their average content matters"
    loses = "order and number: a bag and the same bag twice look alike"

    def combine(
        self,
        x: Float[Array, "*batch n dim"],
        mask: Bool[Array, "*batch n"],
        weights: Float[Array, "*batch n"] | None,
    ) -> Float[Array, "*batch out"]:
        """Divides the sum by the number of vectors that are present, or by their weights."""
        divisor = mask if weights is None else weights
        return _divide(_weighted_sum(x, weights), _total(divisor, x))

    def numpy_reference(
        self, x: Sequence[np.ndarray], mask: np.ndarray, weights: np.ndarray | None
    ) -> np.ndarray:
        """Computes Σ_i w_i x_i / Σ_i w_i."""
        w = _reference_weights(mask, weights)
        return _reference_sum(x, w) / sum(w) if sum(w) != 0 else np.zeros(x[0].shape)


class SqrtN(Combiner):
    """Square-root-n: y = Σ_i w_i x_i / √(Σ_i w_i²), so that n independent vectors keep the variance of one.

    Without weights this is the variance-preserving aggregation of graph networks, Σ_i x_i / √n.
    """

    name = "sqrtn"
    formula = "y = Σ_i w_i x_i / √(Σ_i w_i²)"
    citation = (
        "TensorFlow, embedding_lookup_sparse (combiner='sqrtn'); Cer et al. 2018, Universal Sentence Encoder; "
        "Schneckenreiter et al. 2024, GNN-VPA (variance-preserving aggregation)"
    )
    permutation_invariant = True
    accepts_weights = True
    use_when = "bags differ much in length and what follows expects one scale of variance"
    loses = "order; number and length are mixed"

    def combine(
        self,
        x: Float[Array, "*batch n dim"],
        mask: Bool[Array, "*batch n"],
        weights: Float[Array, "*batch n"] | None,
    ) -> Float[Array, "*batch out"]:
        """Divides the sum by the root of the number of vectors, or of the squared weights."""
        if weights is not None:
            # The result does not depend on the scale of the weights; at scale one their squares cannot overflow.
            largest = jax.lax.stop_gradient(jnp.max(jnp.abs(weights), axis=-1, keepdims=True))
            weights = weights / jnp.where(largest == 0, 1, largest)
        squares = _total(mask if weights is None else weights**2, x)
        # The root of an empty bag's 0 has an infinite slope, which no later select can undo.
        divisor = jnp.sqrt(jnp.where(squares == 0, 1, squares))
        return _weighted_sum(x, weights) / divisor[..., None]

    def numpy_reference(
        self, x: Sequence[np.ndarray], mask: np.ndarray, weights: np.ndarray | None
    ) -> np.ndarray:
        """Computes Σ_i w_i x_i / √(Σ_i w_i²)."""
        w = _reference_weights(mask, weights)
        length = math.sqrt(sum(weight * weight for weight in w))
        return _reference_sum(x, w) / length if length > 0 else np.zeros(x[0].shape)


class Max(Combiner):
    """Maximum in each dimension: y_j = max_i x_ij over the vectors present. Ties share the gradient equally."""

    name = "max"
    formula = "y_j = max_i x_ij"
    citation = "Collobert et al. 2011, Natural Language Processing (Almost) from Scratch"
    permutation_invariant = True
    use_when = "one strong sign anywhere in the bag decides"
    loses = "order, counts, and all but the largest value of each dimension"

    def combine(
        self,
        x: Float[Array, "*batch n dim"],
        mask: Bool[Array, "*batch n"],
        weights: Float[Array, "*batch n"] | None,
    ) -> Float[Array, "*batch out"]:
        """Takes the maximum with masked slots at -inf, where they can never win."""
        del weights
        return jnp.max(jnp.where(mask[..., None], x, -jnp.inf), axis=-2)

    def numpy_reference(
        self, x: Sequence[np.ndarray], mask: np.ndarray, weights: np.ndarray | None
    ) -> np.ndarray:
        """Computes max_i x_i over the slots present."""
        del weights
        present = [x[i].astype(np.float64) for i in range(len(x)) if mask[i]]
        return np.max(present, axis=0) if present else np.zeros(x[0].shape)
