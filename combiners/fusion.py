"""Tensor fusion: all products across vectors that have a constant one appended, in full or with a low-rank map."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Bool, Float

from .base import Combiner, Dim, at_least_float32, check_positive

_MAX_WIDTH = 2**20


def _all_slots(x: Float[Array, "*batch n dim"], num_vectors: int) -> Float[Array, "*batch slots dim"]:
    """Returns x in at least float32, since products follow, with zeros for the slots missing at the end."""
    x = at_least_float32(x)
    return jnp.pad(x, [(0, 0)] * (x.ndim - 2) + [(0, num_vectors - x.shape[-2]), (0, 0)])


def _reference_slots(x: Sequence[np.ndarray], mask: np.ndarray, num_vectors: int) -> list[np.ndarray]:
    """Returns [1; x_i] for every slot in float64, [1; 0; …; 0] where it is masked or missing."""
    slots = [np.eye(1, 1 + len(x[0]))[0] for _ in range(num_vectors)]
    for i in range(len(x)):
        if mask[i]:
            slots[i][1:] = x[i]
    return slots


class TensorFusion(Combiner):
    """Tensor fusion: the outer product y = [1; x_1] ⊗ … ⊗ [1; x_n], flattened to (dim + 1)^n numbers.

    It holds the product of every choice of at most one entry from each vector. Entry j_i of [1; x_i], with j_i = 0
    for the one, goes to place Σ_i j_i (dim + 1)^(n − i): for two vectors y_0 = 1, y_j = v_j, y_{i (dim + 1)} = u_i
    and y_{i (dim + 1) + j} = u_i v_j, counted from one in u and v. Masked and missing slots are [1; 0; …; 0], which
    leaves the products of the others in place. Only an empty bag gives zeros throughout, without the leading one.
    Entries of variance one have products of variance one where the vectors are independent.

    The width grows exponentially with n; more than 2^20 is refused. `low_rank_fusion` maps the same tensor linearly
    without making it.
    """

    name = "tensor_fusion"
    formula = "y = [1; x_1] ⊗ … ⊗ [1; x_n]"
    citation = "Zadeh et al. 2017, Tensor Fusion Network for Multimodal Sentiment Analysis"
    permutation_invariant = False
    use_when = "two or three narrow vectors meet and a linear layer on top must see all their interactions"
    loses = "nothing; it is (dim + 1)^n wide"

    @classmethod
    def output_width(cls, num_vectors: int, dim: Dim, **options: Any) -> int:
        """Returns (dim + 1)^n; raises a ValueError where that is more than 2^20."""
        base = super().output_width(num_vectors, dim, **options) + 1
        width = base**num_vectors
        if width > _MAX_WIDTH:
            raise ValueError(
                f"combiner {cls.name!r} would be {base}^{num_vectors} ≥ 2^{width.bit_length() - 1} wide for "
                f"num_vectors={num_vectors} and dim={base - 1}; expected at most 2^20; low_rank_fusion has no limit"
            )
        return width

    def combine(
        self,
        x: Float[Array, "*batch n dim"],
        mask: Bool[Array, "*batch n"],
        weights: Float[Array, "*batch n"] | None,
    ) -> Float[Array, "*batch out"]:
        """Multiplies out slot by slot; masked vectors are zeros already and leave [1; 0; …; 0]."""
        del mask, weights
        x = _all_slots(x, self.num_vectors)
        x = jnp.pad(x, [(0, 0)] * (x.ndim - 1) + [(1, 0)], constant_values=1)
        y = x[..., 0, :]
        for i in range(1, self.num_vectors):
            y = y[..., :, None] * x[..., i, None, :]
            y = y.reshape(*y.shape[:-2], y.shape[-2] * y.shape[-1])
        return y

    def numpy_reference(
        self, x: Sequence[np.ndarray], mask: np.ndarray, weights: np.ndarray | None
    ) -> np.ndarray:
        """Computes Π_i [1; x_i]_{j_i} for every choice of j_1, …, j_n, the last running fastest."""
        del weights
        y = np.zeros(self.out_dim, np.float64)
        if mask.any():
            slots = _reference_slots(x, mask, self.num_vectors)
            for place, entries in enumerate(np.ndindex(*(len(slot) for slot in slots))):
                y[place] = np.prod([slot[j] for slot, j in zip(slots, entries, strict=True)])
        return y


class LowRankFusion(Combiner):
    """Low-rank fusion: y = Σ_r Π_i (b_ri + x_i W_ri), with W_ri [dim, features] and b_ri [features].

    A linear map of `tensor_fusion`, never made, whose weight is a sum of `rank` products of one factor [b_ri; W_ri]
    per slot. Masked and missing slots are [1; 0; …; 0] as there and leave b_ri as their factor, so it is the same
    linear map whatever is masked.

    b_ri starts as one number b for all i and W_ri with variance b²/(n dim). For independent vectors of variance one a
    factor is b (1 + ε_i) with ε_i of variance 1/n, so the product over all slots neither explodes nor vanishes, however
    many there are and are masked. With bⁿ = 1/√rank, y has a variance of (1 + 1/n)^p − 1 for p vectors present: about
    p/n, and between 1 and 1.72 for a full bag. In the first slot the sign of b alternates with r: the constants
    cancel, and y is around zero for an even rank.
    """

    name = "low_rank_fusion"
    formula = "y = Σ_r Π_i (b_ri + x_i W_ri)"
    citation = "Liu et al. 2018, Efficient Low-rank Multimodal Fusion with Modality-Specific Factors"
    permutation_invariant = False
    use_when = "vectors act alone and together, some may be missing, and `tensor_fusion` would be too wide"
    loses = (
        "interactions beyond `rank` and what the maps fold together; a zero vector looks like a missing one"
    )

    def __init__(
        self,
        *,
        num_vectors: int,
        dim: Dim,
        rngs: nnx.Rngs | None = None,
        rank: int = 4,
        features: int | None = None,
    ):
        check_positive("rank", rank)
        check_positive("features", features, optional=True)
        super().__init__(num_vectors=num_vectors, dim=dim, rngs=rngs, rank=rank, features=features)
        level = rank ** (-0.5 / self.num_vectors)
        init = jax.nn.initializers.variance_scaling(
            level**2 / self.num_vectors, "fan_in", "normal", batch_axis=(0, 1)
        )
        self.kernel = nnx.Param(init(rngs.params(), (self.num_vectors, rank, self.dim, self.out_dim)))
        signs = jnp.where(jnp.arange(rank) % 2 == 0, 1.0, -1.0)[:, None]
        self.bias = nnx.Param(jnp.full((self.num_vectors, rank, self.out_dim), level).at[0].multiply(signs))

    @classmethod
    def output_width(cls, num_vectors: int, dim: Dim, **options: Any) -> int:
        """Returns the option `features`, by default dim."""
        return options.get("features") or super().output_width(num_vectors, dim)

    @classmethod
    def parameter_count(cls, num_vectors: int, dim: Dim, **options: Any) -> int:
        """Returns n · rank · (dim + 1) · features."""
        width = super().output_width(num_vectors, dim)
        features = cls.output_width(num_vectors, dim, **options)
        return num_vectors * options.get("rank", 4) * (width + 1) * features

    def combine(
        self,
        x: Float[Array, "*batch n dim"],
        mask: Bool[Array, "*batch n"],
        weights: Float[Array, "*batch n"] | None,
    ) -> Float[Array, "*batch out"]:
        """Multiplies the factors of all slots and adds over r; masked vectors are zeros and leave their bias."""
        del mask, weights
        x = _all_slots(x, self.num_vectors)
        factors = jnp.einsum("...nd,nrdf->...nrf", x, self.kernel[...]) + self.bias[...]
        return jnp.sum(jnp.prod(factors, axis=-3), axis=-2)

    def numpy_reference(
        self, x: Sequence[np.ndarray], mask: np.ndarray, weights: np.ndarray | None
    ) -> np.ndarray:
        """Computes Σ_r Π_i [1; x_i] [b_ri; W_ri] over all slots."""
        del weights
        kernel, bias = np.asarray(self.kernel[...], np.float64), np.asarray(self.bias[...], np.float64)
        total = np.zeros(self.out_dim, np.float64)
        if mask.any():
            slots = _reference_slots(x, mask, self.num_vectors)
            for r in range(kernel.shape[1]):
                product = np.ones(self.out_dim, np.float64)
                for i in range(self.num_vectors):
                    product *= slots[i] @ np.vstack([bias[i, r], kernel[i, r]])
                total += product
        return total
