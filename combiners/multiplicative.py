"""Multiplicative interactions: one vector makes the weights by which another is mapped, scaled or crossed."""

import abc
import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Bool, Float

from . import reference
from .base import Combiner, Dim, Parts, at_least_float32, check_positive
from .concatenation import Concat

_GENERAL_FORM = "Jayakumar et al. 2020, Multiplicative Interactions and Where to Find Them"

# The variance of a kernel is a third of what keeps the variance of its input: the general form and its restrictions
# are sums of three terms and a bias that starts at zero.
_third_of_the_variance = jax.nn.initializers.variance_scaling(1 / 3, "fan_in", "normal")


def _dense(in_features: int, out_features: int, rngs: nnx.Rngs, **options: Any) -> nnx.Linear:
    # `float` is float32, or float64 where JAX is told to use it; Flax's own default would stay float32 there.
    return nnx.Linear(in_features, out_features, param_dtype=float, rngs=rngs, **options)


def _dense_size(in_features: int, out_features: int) -> int:
    return (in_features + 1) * out_features


class MultiplicativeMatrix(Combiner):
    """Full bilinear form of two vectors: y_k = Σ_ij u_i 𝕎_ijk v_j + (u U)_k + (v V)_k + b_k.

    Read another way, u makes the whole layer that v goes through: v (u𝕎 + V) + (u U + b), a hypernetwork that is
    linear in u. A vector that is masked counts as zeros, so that a linear map of the other and b remain. The three
    terms start with a third of the variance of one vector each (𝕎 with 1 / 3dim², U and V with 1 / 3dim), so that
    their sum has all of it when u and v are independent and of variance one.
    """

    name = "multiplicative_matrix"
    formula = "y = uᵀ𝕎v + uU + vV + b, 𝕎 of shape [dim, dim, dim]"
    citation = f"{_GENERAL_FORM} (general form)"
    arity = 2
    permutation_invariant = False
    variable_length = False
    use_when = "every dimension of one vector may change the effect of every dimension of the other, and dim is small"
    loses = "which of the two vectors and which term a number came from"

    def __init__(self, *, num_vectors: int, dim: Dim, rngs: nnx.Rngs | None = None):
        super().__init__(num_vectors=num_vectors, dim=dim, rngs=rngs)
        init = jax.nn.initializers.variance_scaling(1 / 3, "fan_in", "normal", in_axis=(0, 1), out_axis=2)
        self.tensor = nnx.Param(init(rngs.params(), (self.dim,) * 3))
        self.first = _dense(self.dim, self.dim, rngs, kernel_init=_third_of_the_variance, use_bias=False)
        self.second = _dense(self.dim, self.dim, rngs, kernel_init=_third_of_the_variance)

    @classmethod
    def parameter_count(cls, num_vectors: int, dim: Dim, **options: Any) -> int:
        """Returns dim³ + 2 dim² + dim."""
        dim = super().output_width(num_vectors, dim, **options)
        return dim**3 + 2 * dim**2 + dim

    def combine(
        self,
        x: Float[Array, "*batch n dim"],
        mask: Bool[Array, "*batch n"],
        weights: Float[Array, "*batch n"] | None,
    ) -> Float[Array, "*batch out"]:
        """Adds the bilinear form and both linear maps; masked vectors are zeros."""
        del mask, weights
        x = at_least_float32(x)
        u, v = x[..., 0, :], x[..., 1, :]
        bilinear = jnp.einsum("...i,...j,ijk->...k", u, v, self.tensor[...])
        return bilinear + self.first(u) + self.second(v)

    def numpy_reference(
        self, x: Sequence[np.ndarray], mask: np.ndarray, weights: np.ndarray | None
    ) -> np.ndarray:
        """Computes Σ_ij u_i v_j 𝕎_ij + u U + v V + b, a masked vector being zeros."""
        del weights
        if not mask.any():
            return np.zeros(self.out_dim)
        u, v = reference.zeroed(x, mask)
        tensor = reference.in_float64(self.tensor)
        y = u @ reference.in_float64(self.first.kernel) + reference.dense(self.second, v)
        for i in range(len(u)):
            for j in range(len(v)):
                y += u[i] * v[j] * tensor[i, j]
        return y


class _Modulation(Combiner):
    """The first of two vectors makes a scale and a shift for the second: y = scale(u) ∘ v + shift(u)."""

    arity = 2
    permutation_invariant = False
    variable_length = False

    @abc.abstractmethod
    def _scale_and_shift(
        self, u: Float[Array, "*batch dim"]
    ) -> tuple[Float[Array, "*batch _"], Float[Array, "*batch dim"]]:
        """Returns what multiplies the second vector, dim numbers or one, and what is added to it."""

    @abc.abstractmethod
    def _reference_scale_and_shift(self, u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Computes the same for one bag in float64."""

    def combine(
        self,
        x: Float[Array, "*batch n dim"],
        mask: Bool[Array, "*batch n"],
        weights: Float[Array, "*batch n"] | None,
    ) -> Float[Array, "*batch out"]:
        """Scales and shifts the second vector as the first one says; masked vectors are zeros."""
        del mask, weights
        x = at_least_float32(x)
        scale, shift = self._scale_and_shift(x[..., 0, :])
        return scale * x[..., 1, :] + shift

    def numpy_reference(
        self, x: Sequence[np.ndarray], mask: np.ndarray, weights: np.ndarray | None
    ) -> np.ndarray:
        """Computes scale(u) ∘ v + shift(u), a masked vector being zeros."""
        del weights
        if not mask.any():
            return np.zeros(self.out_dim)
        u, v = reference.zeroed(x, mask)
        scale, shift = self._reference_scale_and_shift(u)
        return scale * v + shift


class MultiplicativeVector(_Modulation):
    """Diagonal form: y = (u A + a) ∘ v + u B + b, a scale and a shift of v that are affine in u.

    It is the general form v (u𝕎 + V) + (u U + b) where the matrix u𝕎 + V that u makes for v may only be diagonal:
    diag(u A + a). Masked vectors count as zeros: without u, a ∘ v + b remains; without v, u B + b. The terms (u A) ∘ v,
    a ∘ v and u B start with a third of the variance of one vector each (A and B with 1 / 3dim, a = 1/√3).
    """

    name = "multiplicative_vector"
    formula = "y = (uA + a) ∘ v + uB + b"
    citation = f"{_GENERAL_FORM} (diagonal form)"
    use_when = "one vector decides how much each dimension of the other counts"
    loses = "whatever of the second vector is scaled to zero; dimensions of the second never mix"

    def __init__(self, *, num_vectors: int, dim: Dim, rngs: nnx.Rngs | None = None):
        super().__init__(num_vectors=num_vectors, dim=dim, rngs=rngs)
        self.scale = _dense(
            self.dim,
            self._scale_width(self.dim),
            rngs,
            kernel_init=_third_of_the_variance,
            bias_init=jax.nn.initializers.constant(math.sqrt(1 / 3)),
        )
        self.shift = _dense(self.dim, self.dim, rngs, kernel_init=_third_of_the_variance)

    @staticmethod
    def _scale_width(dim: int) -> int:
        return dim

    @classmethod
    def parameter_count(cls, num_vectors: int, dim: Dim, **options: Any) -> int:
        """Returns (dim + 1) · s for the scale of s numbers, dim or one, and (dim + 1) · dim for the shift."""
        dim = super().output_width(num_vectors, dim, **options)
        return _dense_size(dim, cls._scale_width(dim)) + _dense_size(dim, dim)

    def _scale_and_shift(
        self, u: Float[Array, "*batch dim"]
    ) -> tuple[Float[Array, "*batch _"], Float[Array, "*batch dim"]]:
        return self.scale(u), self.shift(u)

    def _reference_scale_and_shift(self, u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return reference.dense(self.scale, u), reference.dense(self.shift, u)


class MultiplicativeScalar(MultiplicativeVector):
    """Scalar form: y = (u·p + a) v + u B + b, where u scales the whole of v by one number.

    It is the general form v (u𝕎 + V) + (u U + b) where the matrix u𝕎 + V that u makes for v may only be a multiple of
    the identity: (u·p + a) I. Masked vectors count as zeros: without u, a v + b remains; without v, u B + b. The start
    is that of the diagonal form: the terms (u·p) v, a v and u B have a third of the variance of one vector each.
    """

    name = "multiplicative_scalar"
    formula = "y = (u·p + a) v + uB + b"
    citation = f"after {_GENERAL_FORM}; the diagonal form restricted to one number: this project"
    use_when = "one vector decides how much the other counts as a whole"
    loses = "the second vector where its scale is zero; its direction is never changed but by the shift"

    @staticmethod
    def _scale_width(dim: int) -> int:
        del dim
        return 1


class Film(_Modulation):
    """Feature-wise linear modulation: y = (1 + γ(u)) ∘ v + β(u), the first vector conditions the second.

    [γ; β](u) = tanh(u W₁ + b₁) W₂ + b₂ with `hidden` tanh units, by default dim. FiLM leaves the network for γ and β
    open; here it is this one. tanh because it is smooth and because bounded units bound the scale. W₂ and b₂ start at
    zero, so that y = v at the start: a scale around zero would hide v until it is learned. W₁ and b₁ get their first
    gradient after the first step, when W₂ is no longer zero. Masked vectors count as zeros: without v, β(u) remains;
    without u, the constant modulation (1 + γ(0)) ∘ v + β(0).
    """

    name = "film"
    formula = "y = (1 + γ(u)) ∘ v + β(u), [γ; β](u) = tanh(uW₁ + b₁)W₂ + b₂"
    citation = "Perez et al. 2018, FiLM: Visual Reasoning with a General Conditioning Layer"
    use_when = "the second vector carries the content and the first is the context that modulates it"
    loses = "the first vector but for the scale and shift that it makes"

    def __init__(
        self, *, num_vectors: int, dim: Dim, rngs: nnx.Rngs | None = None, hidden: int | None = None
    ):
        check_positive("hidden", hidden, optional=True)
        super().__init__(num_vectors=num_vectors, dim=dim, rngs=rngs, hidden=hidden)
        hidden = hidden or self.dim
        self.hidden = _dense(self.dim, hidden, rngs)
        self.modulation = _dense(hidden, 2 * self.dim, rngs, kernel_init=jax.nn.initializers.zeros)

    @classmethod
    def parameter_count(cls, num_vectors: int, dim: Dim, **options: Any) -> int:
        """Returns (dim + 1) · hidden + (hidden + 1) · 2 dim."""
        dim = super().output_width(num_vectors, dim, **options)
        hidden = options.get("hidden") or dim
        return _dense_size(dim, hidden) + _dense_size(hidden, 2 * dim)

    def _scale_and_shift(
        self, u: Float[Array, "*batch dim"]
    ) -> tuple[Float[Array, "*batch _"], Float[Array, "*batch dim"]]:
        gamma, beta = jnp.split(self.modulation(jnp.tanh(self.hidden(u))), 2, axis=-1)
        return 1 + gamma, beta

    def _reference_scale_and_shift(self, u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        modulation = reference.dense(self.modulation, np.tanh(reference.dense(self.hidden, u)))
        return 1 + modulation[: self.out_dim], modulation[self.out_dim :]


class CrossNetwork(Concat):
    """Cross network of DCN-V2: x_0 = [x_1; …; x_n], x_{l+1} = x_0 ∘ (x_l W_l + b_l) + x_l, y the last of `num_layers`.

    After l layers y holds the products of up to l + 1 dimensions, within a vector and across vectors. W_l is a full
    matrix (the low-rank and mixture variants of DCN-V2 are not built). Slots that are masked or missing at the end are
    zeros in x_0, which multiplies every layer: their places in y stay zero whatever the biases are. W_l starts with
    variance 1 / (num_layers · n·dim) and b_l at zero, so that on vectors of variance one a layer multiplies the
    variance by about 1 + 1/num_layers and all layers together by about e at most. With all W_l and b_l zero it is the
    concatenation.
    """

    name = "cross_network"
    formula = "y = x_L; x_0 = [x_1; …; x_n], x_{l+1} = x_0 ∘ (x_l W_l + b_l) + x_l"
    citation = (
        "Wang et al. 2021, DCN V2: Improved Deep & Cross Network and Practical Lessons for Web-scale Learning "
        "to Rank Systems"
    )
    use_when = "slots have a meaning of their own and products of their features up to a known degree matter"
    loses = "little; it is n times as wide"

    def __init__(self, *, num_vectors: int, dim: Dim, rngs: nnx.Rngs | None = None, num_layers: int = 2):
        check_positive("num_layers", num_layers)
        super().__init__(num_vectors=num_vectors, dim=dim, rngs=rngs, num_layers=num_layers)
        init = jax.nn.initializers.variance_scaling(1 / num_layers, "fan_in", "normal")
        self.layers = nnx.List(
            _dense(self.out_dim, self.out_dim, rngs, kernel_init=init) for _ in range(num_layers)
        )

    @classmethod
    def parameter_count(cls, num_vectors: int, dim: Dim, **options: Any) -> int:
        """Returns num_layers · (n·dim + 1) · n·dim."""
        width = cls.output_width(num_vectors, dim, **options)
        return options.get("num_layers", 2) * _dense_size(width, width)

    def combine(
        self, x: Parts, mask: Bool[Array, "*batch n"], weights: Float[Array, "*batch n"] | None
    ) -> Float[Array, "*batch out"]:
        """Crosses the concatenation with itself, layer by layer."""
        x_0 = at_least_float32(super().combine(x, mask, weights))
        x_l = x_0
        for layer in self.layers:
            x_l = x_0 * layer(x_l) + x_l
        return x_l

    def numpy_reference(
        self, x: Sequence[np.ndarray], mask: np.ndarray, weights: np.ndarray | None
    ) -> np.ndarray:
        """Computes x_{l+1} = x_0 ∘ (x_l W_l + b_l) + x_l from the concatenation of the slots present."""
        x_0 = super().numpy_reference(x, mask, weights)
        x_l = x_0
        for layer in self.layers:
            x_l = x_0 * reference.dense(layer, x_l) + x_l
        return x_l
