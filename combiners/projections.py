"""Projections: one dense map, after the vectors are laid side by side or before they are averaged."""

import abc
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Bool, Float

from .base import Combiner, Dim, at_least_float32, check_positive, each_vector
from .concatenation import Concat
from .pooling import Mean


class _Projection(Combiner):
    """Holds one dense map with a bias, `dense`, whose width is the option `features`, by default dim."""

    def __init__(
        self, *, num_vectors: int, dim: Dim, rngs: nnx.Rngs | None = None, features: int | None = None
    ):
        check_positive("features", features, optional=True)
        super().__init__(num_vectors=num_vectors, dim=dim, rngs=rngs, features=features)
        self.dense = nnx.Linear(
            self._mapped_width(self.num_vectors, self.dim),
            self.out_dim,
            kernel_init=jax.nn.initializers.variance_scaling(1.0, "fan_in", "normal"),
            # float32, or float64 where JAX is told to use it; Flax's own default would stay float32 there.
            param_dtype=float,
            rngs=rngs,
        )

    @staticmethod
    @abc.abstractmethod
    def _mapped_width(num_vectors: int, dim: int) -> int:
        """Returns how many numbers the dense map takes."""

    @classmethod
    def output_width(cls, num_vectors: int, dim: Dim, **options: Any) -> int:
        """Returns the option `features`, by default dim."""
        return options.get("features") or super().output_width(num_vectors, dim)

    @classmethod
    def parameter_count(cls, num_vectors: int, dim: Dim, **options: Any) -> int:
        """Returns (w + 1) · features, w being the width that is mapped: n·dim, or dim where vectors share the map."""
        mapped = cls._mapped_width(num_vectors, super().output_width(num_vectors, dim))
        return (mapped + 1) * cls.output_width(num_vectors, dim, **options)


class ProjectedConcat(_Projection):
    """Concatenation, then one dense map to `features` numbers: y = [x_1; …; x_n] W + b.

    Since [x_1; …; x_n] W = Σ_i x_i W_i, where W_i are the dim rows of W that slot i meets, it is `position_sum` and a
    bias. Slots that are masked or missing at the end are zeros. W starts with variance 1 / (n·dim), so that a full
    bag of independent vectors gets the variance of one vector, m of n vectors m/n of it.
    """

    name = "projected_concat"
    formula = "y = [x_1; …; x_n] W + b"
    citation = (
        "Bengio et al. 2003, A Neural Probabilistic Language Model (its hidden layer, without the tanh)"
    )
    permutation_invariant = False
    use_when = "slots have a meaning of their own and what follows expects one width for every combiner"
    loses = "what the map folds together: n·dim numbers go into `features`"

    def __init__(
        self, *, num_vectors: int, dim: Dim, rngs: nnx.Rngs | None = None, features: int | None = None
    ):
        super().__init__(num_vectors=num_vectors, dim=dim, rngs=rngs, features=features)
        self.concat = Concat(num_vectors=self.num_vectors, dim=self.dim)

    @staticmethod
    def _mapped_width(num_vectors: int, dim: int) -> int:
        return num_vectors * dim

    def combine(
        self,
        x: Float[Array, "*batch n dim"],
        mask: Bool[Array, "*batch n"],
        weights: Float[Array, "*batch n"] | None,
    ) -> Float[Array, "*batch out"]:
        """Maps the concatenation."""
        x = at_least_float32(x)
        return self.dense(self.concat.combine(x, mask, weights))

    def numpy_reference(
        self, x: Sequence[np.ndarray], mask: np.ndarray, weights: np.ndarray | None
    ) -> np.ndarray:
        """Computes b + Σ_ij x_ij W_(i·dim + j) over the slots present."""
        del weights
        if not mask.any():
            return np.zeros(self.out_dim)
        kernel = np.asarray(self.dense.kernel[...], np.float64)
        y = np.array(self.dense.bias[...], np.float64)
        for i in range(len(x)):
            if mask[i]:
                for j in range(self.dim):
                    y += float(x[i][j]) * kernel[i * self.dim + j]
        return y


class ProjectThenMean(_Projection):
    """Mean of what one shared dense layer makes of each vector: y = Σ_i w_i tanh(x_i W + b) / Σ_i w_i.

    Without tanh the map could as well follow the mean: Σ_i w_i (x_i W + b) / Σ_i w_i = x̄ W + b. With it a unit can
    stand for a feature of single vectors, and its mean tells what share of the vectors have it, which the mean of the
    vectors does not. tanh because it bounds what one vector can add. Weights are those of `mean`: a vector of weight k
    counts k times, and where they cancel exactly (Σ_i w_i = 0) the result is zeros. W starts with variance 1/dim, so
    that small vectors keep their variance until they are averaged, and large ones end at ±1.
    """

    name = "project_then_mean"
    formula = "y = Σ_i w_i tanh(x_i W + b) / Σ_i w_i"
    citation = "after Zaheer et al. 2017, Deep Sets: one dense layer as φ, a mean in place of the sum, no ρ"
    permutation_invariant = True
    accepts_weights = True
    weights_are_counts = True
    use_when = (
        "bags differ in length and it matters which features single vectors have, not only their average"
    )
    loses = "order and number: a bag and the same bag twice look alike"

    def __init__(
        self, *, num_vectors: int, dim: Dim, rngs: nnx.Rngs | None = None, features: int | None = None
    ):
        super().__init__(num_vectors=num_vectors, dim=dim, rngs=rngs, features=features)
        self.mean = Mean(num_vectors=self.num_vectors, dim=self.out_dim)

    @staticmethod
    def _mapped_width(num_vectors: int, dim: int) -> int:
        del num_vectors
        return dim

    def combine(
        self,
        x: Float[Array, "*batch n dim"],
        mask: Bool[Array, "*batch n"],
        weights: Float[Array, "*batch n"] | None,
    ) -> Float[Array, "*batch out"]:
        """Maps every vector, then averages those that are present."""
        projected = jnp.tanh(each_vector(self.dense, at_least_float32(x)))
        return self.mean.combine(jnp.where(mask[..., None], projected, 0), mask, weights)

    def numpy_reference(
        self, x: Sequence[np.ndarray], mask: np.ndarray, weights: np.ndarray | None
    ) -> np.ndarray:
        """Computes Σ_i w_i tanh(x_i W + b) / Σ_i w_i over the slots present, zeros where the weights cancel."""
        kernel, bias = (np.asarray(p[...], np.float64) for p in (self.dense.kernel, self.dense.bias))
        total, divisor = np.zeros(self.out_dim), 0.0
        for i in range(len(x)):
            if mask[i]:
                weight = 1.0 if weights is None else float(weights[i])
                total += weight * np.tanh(x[i].astype(np.float64) @ kernel + bias)
                divisor += weight
        return total / divisor if divisor != 0 else np.zeros(self.out_dim)
