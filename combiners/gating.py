"""Gating: learned gates between 0 and 1 say how much of each vector, or of each dimension, goes into the sum."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Bool, Float

from . import reference
from .base import Combiner, Dim, check_positive


def _hidden_width(width: int, reduction: int) -> int:
    return max(1, width // reduction)


class _Excitation(nnx.Module):
    """The excitation σ(silu(s W₁) W₂) of squeeze-and-excitation networks: one gate for each number of s, no biases.

    The papers have relu between the two layers. With the one or few hidden units of a short vector it can be dead on
    all data and then never learns, so it is silu here. W₁ starts with variance 1/width. W₂ starts at zero: every gate
    is half open, where its slope is steepest, and nothing is preferred before the data says so.
    """

    def __init__(self, width: int, hidden: int, rngs: nnx.Rngs):
        dtype = jnp.result_type(float)
        zeros = nnx.initializers.zeros_init()
        self.inner = nnx.Linear(width, hidden, use_bias=False, param_dtype=dtype, rngs=rngs)
        self.outer = nnx.Linear(
            hidden, width, use_bias=False, kernel_init=zeros, param_dtype=dtype, rngs=rngs
        )

    def __call__(self, squeezed: Float[Array, "*batch width"]) -> Float[Array, "*batch width"]:
        return jax.nn.sigmoid(self.outer(jax.nn.silu(self.inner(squeezed))))

    def numpy_reference(self, squeezed: np.ndarray) -> np.ndarray:
        """Computes σ(a σ(a) W₂) with a = s W₁."""
        inner = squeezed @ np.asarray(self.inner.kernel[...], np.float64)
        outer = (inner * reference.sigmoid(inner)) @ np.asarray(self.outer.kernel[...], np.float64)
        return reference.sigmoid(outer)


class GatedSum(Combiner):
    """Sum with one gate per vector: y = Σ_i σ(w·x_i + b) x_i, the same w and b for all slots.

    Each gate sees its own vector alone. Unlike the shares of attention the gates do not compete: all vectors may come
    through, or none, so the number of vectors is not averaged away. w and b start at zero, where every gate is half
    open and y is half the sum.
    """

    name = "gated_sum"
    formula = "y = Σ_i σ(w·x_i + b) x_i"
    citation = (
        "after Li et al. 2016, Gated Graph Sequence Neural Networks (its graph-level output gates each dimension; "
        "one gate per vector here)"
    )
    permutation_invariant = True
    use_when = "some vectors of the bag are noise, they show it themselves, and how many remain matters"
    loses = "order, and whatever its own gate shuts out"

    def __init__(self, *, num_vectors: int, dim: Dim, rngs: nnx.Rngs | None = None):
        super().__init__(num_vectors=num_vectors, dim=dim, rngs=rngs)
        self.kernel = nnx.Param(jnp.zeros((self.dim,)))
        self.bias = nnx.Param(jnp.zeros(()))

    @classmethod
    def parameter_count(cls, num_vectors: int, dim: Dim, **options: Any) -> int:
        """Returns dim + 1."""
        return cls.output_width(num_vectors, dim, **options) + 1

    def combine(
        self,
        x: Float[Array, "*batch n dim"],
        mask: Bool[Array, "*batch n"],
        weights: Float[Array, "*batch n"] | None,
    ) -> Float[Array, "*batch out"]:
        """Multiplies each vector by its gate and adds; masked ones are zeros whatever their gate."""
        del mask, weights
        precision = jnp.promote_types(x.dtype, jnp.float32)
        scores = jnp.einsum("...nd,d->...n", x, self.kernel[...], preferred_element_type=precision)
        gates = jax.nn.sigmoid(scores + self.bias[...])
        return jnp.einsum("...n,...nd->...d", gates, x, preferred_element_type=precision)

    def numpy_reference(
        self, x: Sequence[np.ndarray], mask: np.ndarray, weights: np.ndarray | None
    ) -> np.ndarray:
        """Computes Σ_i σ(w·x_i + b) x_i over the slots present."""
        del weights
        kernel, bias = np.asarray(self.kernel[...], np.float64), np.asarray(self.bias[...], np.float64)
        total = np.zeros(self.out_dim, np.float64)
        for i in range(len(x)):
            if mask[i]:
                vector = x[i].astype(np.float64)
                total += reference.sigmoid(kernel @ vector + bias) * vector
        return total


class GatedMultimodalUnit(Combiner):
    """Gated multimodal unit: y = Σ_i z_i ∘ tanh(x_i W_i), z_i = σ(Σ_j x_j U_ji): all vectors set the gates of each.

    This is the paper's form for any number of modalities, with one independent sigmoid gate per slot and dimension;
    its form for two ties the gates as z and 1 − z. As there, nothing has a bias. Each slot has its own matrices, so
    the order matters, and a slot that is masked or missing is the zero vector: it moves no gate and adds tanh(0) = 0.
    W_i starts with variance 1/dim, so that a mapped vector has the variance of the vector itself, and U at zero, where
    every gate is half open.
    """

    name = "gated_multimodal_unit"
    formula = "y = Σ_i σ(Σ_j x_j U_ji) ∘ tanh(x_i W_i)"
    citation = "Arevalo et al. 2017, Gated Multimodal Units for Information Fusion"
    permutation_invariant = False
    use_when = "slots are sources of different kind, and the others tell how far to trust each one"
    loses = "what the maps fold onto each other and large values, which tanh flattens"

    def __init__(self, *, num_vectors: int, dim: Dim, rngs: nnx.Rngs | None = None):
        super().__init__(num_vectors=num_vectors, dim=dim, rngs=rngs)
        init = jax.nn.initializers.variance_scaling(1.0, "fan_in", "normal", batch_axis=0)
        n = self.num_vectors
        self.kernel = nnx.Param(init(rngs.params(), (n, self.dim, self.out_dim)))
        self.gate_kernel = nnx.Param(jnp.zeros((n, self.dim, n, self.out_dim)))

    @classmethod
    def parameter_count(cls, num_vectors: int, dim: Dim, **options: Any) -> int:
        """Returns n · dim² for the maps and n² · dim² for the gates."""
        return num_vectors * (1 + num_vectors) * cls.output_width(num_vectors, dim, **options) ** 2

    def combine(
        self,
        x: Float[Array, "*batch n dim"],
        mask: Bool[Array, "*batch n"],
        weights: Float[Array, "*batch n"] | None,
    ) -> Float[Array, "*batch out"]:
        """Maps each vector, gates it by all vectors together and adds; masked ones are zeros, and so are their maps."""
        del mask, weights
        n, precision = x.shape[-2], jnp.promote_types(x.dtype, jnp.float32)
        mapped = jnp.einsum("...nd,ndo->...no", x, self.kernel[:n], preferred_element_type=precision)
        gate_kernel = self.gate_kernel[:n, :, :n]
        scores = jnp.einsum("...md,mdno->...no", x, gate_kernel, preferred_element_type=precision)
        return jnp.sum(jax.nn.sigmoid(scores) * jnp.tanh(mapped), axis=-2)

    def numpy_reference(
        self, x: Sequence[np.ndarray], mask: np.ndarray, weights: np.ndarray | None
    ) -> np.ndarray:
        """Computes Σ_i σ(Σ_j x_j U_ji) ∘ tanh(x_i W_i), i and j over the slots present."""
        del weights
        kernel = np.asarray(self.kernel[...], np.float64)
        gate_kernel = np.asarray(self.gate_kernel[...], np.float64)
        present = [i for i in range(len(x)) if mask[i]]
        total = np.zeros(self.out_dim, np.float64)
        for i in present:
            scores = np.zeros(self.out_dim, np.float64)
            for j in present:
                scores += x[j].astype(np.float64) @ gate_kernel[j, :, i]
            total += reference.sigmoid(scores) * np.tanh(x[i].astype(np.float64) @ kernel[i])
        return total


class SqueezeExcitation(Combiner):
    """Squeeze and excitation of the dimensions: y = e ∘ Σ_i x_i, e = σ(silu(s W₁) W₂), s the mean of the vectors.

    The bag's own mean opens or shuts each dimension, for all of its vectors alike. W₁ has max(1, dim // reduction)
    columns. The gates multiply the sum, not the mean, so that the number of vectors stays visible. silu stands
    where the paper has relu, which could be dead with so few units. The gates start half open, where y is half the
    sum.
    """

    name = "squeeze_excitation"
    formula = "y = σ(silu(s W₁) W₂) ∘ Σ_i x_i, s = Σ_i x_i / n"
    citation = "Hu et al. 2018, Squeeze-and-Excitation Networks (relu there, silu here)"
    permutation_invariant = True
    use_when = "which dimensions count depends on what the bag as a whole is about"
    loses = "order, and all but the sum and the number of the vectors"

    def __init__(self, *, num_vectors: int, dim: Dim, rngs: nnx.Rngs | None = None, reduction: int = 4):
        check_positive("reduction", reduction)
        super().__init__(num_vectors=num_vectors, dim=dim, rngs=rngs, reduction=reduction)
        self.excitation = _Excitation(self.dim, _hidden_width(self.dim, reduction), rngs)

    @classmethod
    def parameter_count(cls, num_vectors: int, dim: Dim, **options: Any) -> int:
        """Returns 2 · dim · max(1, dim // reduction)."""
        width = cls.output_width(num_vectors, dim)
        return 2 * width * _hidden_width(width, options.get("reduction", 4))

    def combine(
        self,
        x: Float[Array, "*batch n dim"],
        mask: Bool[Array, "*batch n"],
        weights: Float[Array, "*batch n"] | None,
    ) -> Float[Array, "*batch out"]:
        """Multiplies each dimension of the sum by a gate that is computed from the mean."""
        del weights
        precision = jnp.promote_types(x.dtype, jnp.float32)
        total = jnp.sum(x, axis=-2, dtype=precision)
        number = jnp.sum(mask, axis=-1, keepdims=True, dtype=precision)
        return self.excitation(total / jnp.maximum(number, 1)) * total

    def numpy_reference(
        self, x: Sequence[np.ndarray], mask: np.ndarray, weights: np.ndarray | None
    ) -> np.ndarray:
        """Computes σ(silu(s W₁) W₂) ∘ Σ_i x_i over the slots present."""
        del weights
        present = [x[i].astype(np.float64) for i in range(len(x)) if mask[i]]
        if not present:
            return np.zeros(self.out_dim)
        return self.excitation.numpy_reference(np.mean(present, axis=0)) * np.sum(present, axis=0)


class SlotExcitation(Combiner):
    """Squeeze and excitation of the slots: y = Σ_i a_i x_i, a = σ(silu(s W₁) W₂), s_i the mean of the numbers of x_i.

    Each slot is squeezed to one number, and these together give one gate per slot. A slot that is masked or missing
    counts as zero. W₁ has max(1, num_vectors // reduction) columns. The paper goes on with the reweighted vectors
    pair by pair; they are added here. It has relu after both layers: after the second it would shut a slot for good,
    after the first it could be dead with so few units, so they are a sigmoid and silu here. The gates start half open,
    where y is half the sum.
    """

    name = "slot_excitation"
    formula = "y = Σ_i a_i x_i, a = σ(silu(s W₁) W₂), s_i = Σ_j x_ij / dim"
    citation = "Huang et al. 2019, FiBiNET (its SENET layer; relu there, silu and a sigmoid here), then a sum"
    permutation_invariant = False
    use_when = "slots are fields of their own and which of them count differs from bag to bag"
    loses = "all but a weighted sum; the gates see nothing of a vector but its mean"

    def __init__(self, *, num_vectors: int, dim: Dim, rngs: nnx.Rngs | None = None, reduction: int = 3):
        check_positive("reduction", reduction)
        super().__init__(num_vectors=num_vectors, dim=dim, rngs=rngs, reduction=reduction)
        self.excitation = _Excitation(self.num_vectors, _hidden_width(self.num_vectors, reduction), rngs)

    @classmethod
    def parameter_count(cls, num_vectors: int, dim: Dim, **options: Any) -> int:
        """Returns 2 · n · max(1, n // reduction)."""
        del dim
        return 2 * num_vectors * _hidden_width(num_vectors, options.get("reduction", 3))

    def combine(
        self,
        x: Float[Array, "*batch n dim"],
        mask: Bool[Array, "*batch n"],
        weights: Float[Array, "*batch n"] | None,
    ) -> Float[Array, "*batch out"]:
        """Multiplies each vector by a gate that is computed from the means of all; masked ones are zeros."""
        del mask, weights
        n, precision = x.shape[-2], jnp.promote_types(x.dtype, jnp.float32)
        squeezed = jnp.mean(x, axis=-1, dtype=precision)
        missing = [(0, 0)] * (squeezed.ndim - 1) + [(0, self.num_vectors - n)]
        gates = self.excitation(jnp.pad(squeezed, missing))[..., :n]
        return jnp.einsum("...n,...nd->...d", gates, x, preferred_element_type=precision)

    def numpy_reference(
        self, x: Sequence[np.ndarray], mask: np.ndarray, weights: np.ndarray | None
    ) -> np.ndarray:
        """Computes Σ_i a_i x_i over the slots present, whose means alone set the gates a."""
        del weights
        squeezed = np.zeros(self.num_vectors, np.float64)
        for i in range(len(x)):
            if mask[i]:
                squeezed[i] = x[i].astype(np.float64).mean()
        gates = self.excitation.numpy_reference(squeezed)
        total = np.zeros(self.out_dim, np.float64)
        for i in range(len(x)):
            if mask[i]:
                total += gates[i] * x[i].astype(np.float64)
        return total
