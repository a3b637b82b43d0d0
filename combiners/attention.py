"""Attention pooling: a weighted mean whose weights are computed from the vectors themselves."""

import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Bool, Float

from .base import Combiner, Dim


class Attention(Combiner):
    """Scaled dot-product attention with one learned query: y = Σ_i a_i x_i, a = softmax_i(q·x_i / √dim).

    The vectors are keys and values at once. A linear key map K would add nothing, since q·(K x) = (Kᵀq)·x, and a key
    bias shifts every score alike and would never get a gradient. (Yang et al. score tanh(K x + b), which can do more.)
    q starts at zero, where attention is the mean.
    """

    name = "attention"
    formula = "y = Σ_i a_i x_i, a = softmax_i(q·x_i / √dim)"
    citation = (
        "after Yang et al. 2016, Hierarchical Attention Networks, without its tanh layer; scaled as in "
        "Vaswani et al. 2017, Attention Is All You Need"
    )
    permutation_invariant = True
    use_when = "a few vectors of the bag matter and the vectors themselves say which"
    loses = "order and number, and whatever gets little attention"

    def __init__(self, *, num_vectors: int, dim: Dim, rngs: nnx.Rngs | None = None):
        super().__init__(num_vectors=num_vectors, dim=dim, rngs=rngs)
        self.query = nnx.Param(jnp.zeros((self.dim,)))

    @classmethod
    def parameter_count(cls, num_vectors: int, dim: Dim, **options: Any) -> int:
        """Returns dim, the length of the query."""
        return cls.output_width(num_vectors, dim, **options)

    def combine(
        self,
        x: Float[Array, "*batch n dim"],
        mask: Bool[Array, "*batch n"],
        weights: Float[Array, "*batch n"] | None,
    ) -> Float[Array, "*batch out"]:
        """Scores the vectors against the query and takes their softmax-weighted mean."""
        del weights
        precision = jnp.promote_types(x.dtype, jnp.float32)
        scores = jnp.einsum("...nd,d->...n", x, self.query[...], preferred_element_type=precision)
        # The least finite number, not -inf: its share is an exact zero, but a bag that is all masked has finite shares
        # and gradients, which the base class then selects away.
        scores = jnp.where(mask, scores / math.sqrt(x.shape[-1]), jnp.finfo(scores.dtype).min)
        shares = jax.nn.softmax(scores, axis=-1)
        return jnp.einsum("...n,...nd->...d", shares, x, preferred_element_type=precision)

    def numpy_reference(
        self, x: Sequence[np.ndarray], mask: np.ndarray, weights: np.ndarray | None
    ) -> np.ndarray:
        """Computes Σ_i exp(s_i) x_i / Σ_i exp(s_i) with s_i = q·x_i / √dim over the slots present."""
        del weights
        query = np.asarray(self.query[...], np.float64)
        present = [x[i].astype(np.float64) for i in range(len(x)) if mask[i]]
        if not present:
            return np.zeros(self.out_dim)
        scores = [float(query @ vector) / math.sqrt(len(query)) for vector in present]
        shares = [math.exp(score - max(scores)) for score in scores]
        total = np.zeros(self.out_dim, np.float64)
        for share, vector in zip(shares, present, strict=True):
            total += share / sum(shares) * vector
        return total
