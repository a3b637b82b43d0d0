"""Concatenation and its relatives: every slot keeps a place of its own, so the order of the vectors is seen."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Bool, Float

from .base import Combiner, Dim, Parts, at_least_float32, check_positive, total_width


def _reference_concatenation(x: Sequence[np.ndarray], mask: np.ndarray, width: int) -> np.ndarray:
    y = np.zeros(width, np.float64)
    start = 0
    for i in range(len(x)):
        stop = start + x[i].shape[0]
        if mask[i]:
            y[start:stop] = x[i]
        start = stop
    return y


class Concat(Combiner):
    """Concatenation: y = [x_1; …; x_n]. Slots that are masked or missing at the end are zeros."""

    name = "concat"
    formula = "y = [x_1; …; x_n]"
    citation = "Bengio et al. 2003, A Neural Probabilistic Language Model"
    permutation_invariant = False
    accepts_unequal_widths = True
    use_when = "slots have a meaning of their own, or the inputs are measured and not learned"
    loses = "nothing; it is n times as wide, and what follows must learn every slot anew"

    @classmethod
    def output_width(cls, num_vectors: int, dim: Dim, **options: Any) -> int:
        """Returns Σ_i dim_i."""
        del options
        return total_width(num_vectors, dim)

    def combine(
        self, x: Parts, mask: Bool[Array, "*batch n"], weights: Float[Array, "*batch n"] | None
    ) -> Float[Array, "*batch out"]:
        """Lays the vectors side by side."""
        del mask, weights
        if isinstance(x, tuple):
            y = jnp.concatenate(x, axis=-1)
        else:
            y = x.reshape(*x.shape[:-2], x.shape[-2] * x.shape[-1])
        missing = self.out_dim - y.shape[-1]
        return jnp.pad(y, [(0, 0)] * (y.ndim - 1) + [(0, missing)])

    def numpy_reference(
        self, x: Sequence[np.ndarray], mask: np.ndarray, weights: np.ndarray | None
    ) -> np.ndarray:
        """Computes [x_1; …; x_n] with zeros for the slots that are not present."""
        del weights
        return _reference_concatenation(x, mask, self.out_dim)


class PaddedSum(Combiner):
    """Concatenation written as a sum: y = Σ_i P_i x_i, where P_i pads x_i with zeros into its own subspace."""

    name = "padded_sum"
    formula = "y = Σ_i [0; …; x_i; …; 0]"
    citation = "the identity [u; v] = [u; 0] + [0; v]"
    permutation_invariant = False
    accepts_unequal_widths = True
    use_when = "you want concatenation as a sum, to prove them equal or to add the padded parts one by one"
    loses = "nothing; it is n times as wide"

    @classmethod
    def output_width(cls, num_vectors: int, dim: Dim, **options: Any) -> int:
        """Returns Σ_i dim_i."""
        del options
        return total_width(num_vectors, dim)

    def combine(
        self, x: Parts, mask: Bool[Array, "*batch n"], weights: Float[Array, "*batch n"] | None
    ) -> Float[Array, "*batch out"]:
        """Pads each vector into its own range of dimensions, then adds."""
        del mask, weights
        parts = x if isinstance(x, tuple) else tuple(x[..., i, :] for i in range(x.shape[-2]))
        start = 0
        padded = []
        for part in parts:
            stop = start + part.shape[-1]
            padded.append(jnp.pad(part, [(0, 0)] * (part.ndim - 1) + [(start, self.out_dim - stop)]))
            start = stop
        return sum(padded[1:], start=padded[0])

    def numpy_reference(
        self, x: Sequence[np.ndarray], mask: np.ndarray, weights: np.ndarray | None
    ) -> np.ndarray:
        """Computes Σ_i P_i x_i over the slots present."""
        del weights
        total = np.zeros(self.out_dim, np.float64)
        for i in range(len(x)):
            alone = np.arange(len(x)) == i
            total += _reference_concatenation(x, mask & alone, self.out_dim)
        return total


class PositionSum(Combiner):
    """Sum after a learned linear map per slot: y = Σ_i x_i W_i, W_i of shape [dim, features].

    Equals a concatenation followed by one dense layer without bias. Adding a position vector to each x_i instead
    would be blind to order and is not this. W_i starts with variance 1/dim, so that a mapped vector has the variance
    of the vector itself.
    """

    name = "position_sum"
    formula = "y = Σ_i x_i W_i"
    citation = "the identity W[u; v] = W_u u + W_v v"
    permutation_invariant = False
    use_when = "order matters and the combined width must not grow with the number of slots"
    loses = "what the maps fold onto each other: n·dim numbers go into `features`"

    def __init__(
        self, *, num_vectors: int, dim: Dim, rngs: nnx.Rngs | None = None, features: int | None = None
    ):
        check_positive("features", features, optional=True)
        super().__init__(num_vectors=num_vectors, dim=dim, rngs=rngs, features=features)
        init = jax.nn.initializers.variance_scaling(1.0, "fan_in", "normal", batch_axis=0)
        self.kernel = nnx.Param(init(rngs.params(), (self.num_vectors, self.dim, self.out_dim)))

    @classmethod
    def output_width(cls, num_vectors: int, dim: Dim, **options: Any) -> int:
        """Returns the option `features`, by default dim."""
        return options.get("features") or super().output_width(num_vectors, dim)

    @classmethod
    def parameter_count(cls, num_vectors: int, dim: Dim, **options: Any) -> int:
        """Returns n · dim · features."""
        return total_width(num_vectors, dim) * cls.output_width(num_vectors, dim, **options)

    def combine(
        self,
        x: Float[Array, "*batch n dim"],
        mask: Bool[Array, "*batch n"],
        weights: Float[Array, "*batch n"] | None,
    ) -> Float[Array, "*batch out"]:
        """Maps each vector by the matrix of its slot and adds."""
        del mask, weights
        return jnp.einsum("...nd,ndo->...o", at_least_float32(x), self.kernel[: x.shape[-2]])

    def numpy_reference(
        self, x: Sequence[np.ndarray], mask: np.ndarray, weights: np.ndarray | None
    ) -> np.ndarray:
        """Computes Σ_i x_i W_i over the slots present."""
        del weights
        kernel = np.asarray(self.kernel[...], np.float64)
        total = np.zeros(self.out_dim, np.float64)
        for i in range(len(x)):
            if mask[i]:
                total += x[i].astype(np.float64) @ kernel[i]
        return total
