"""Interactions between vectors: how they differ, pairwise products, circular convolution and correlation."""

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Bool, Complex, Float, Inexact

from . import reference
from .base import Combiner, Dim, at_least_float32


def _two(x: Float[Array, "*batch 2 dim"]) -> tuple[Float[Array, "*batch dim"], Float[Array, "*batch dim"]]:
    return x[..., 0, :], x[..., 1, :]


def _distance(u: Float[Array, "*batch dim"], v: Float[Array, "*batch dim"]) -> Float[Array, "*batch dim"]:
    """Returns |u − v| with gradient 0 at a tie, where that of jnp.abs is 1 and would prefer one of the two."""
    difference = u - v
    return difference * jnp.sign(difference)


def _halves(
    x: Inexact[Array, "*batch n dim"],
) -> tuple[Inexact[Array, "*batch half dim"], Inexact[Array, "*batch half dim"]]:
    """Returns the first and the second half of the slots, which has a zero vector more where their number is odd."""
    x = jnp.pad(x, [(0, 0)] * (x.ndim - 2) + [(0, x.shape[-2] % 2), (0, 0)])
    first, second = jnp.split(x, 2, axis=-2)
    return first, second


def _spectra(
    x: Float[Array, "*batch n dim"], mask: Bool[Array, "*batch n"]
) -> Complex[Array, "*batch n frequencies"]:
    """Returns each vector's Fourier coefficients: ones where masked, those of δ = (1, 0, …, 0), which binds to nothing.

    There is no FFT of bfloat16, so it is taken in at least float32.
    """
    return jnp.where(mask[..., None], jnp.fft.rfft(at_least_float32(x)), 1)


def _reference_convolution(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Returns y_k = Σ_j u_j v_{k−j mod d}, index by index."""
    d = len(u)
    return np.array([sum(u[j] * v[(k - j) % d] for j in range(d)) for k in range(d)])


class Difference(Combiner):
    """The first vector without the others: y = x_1 − x_2 − … − x_n, as in "food" − "american".

    The sign belongs to the slot: with the first one masked the others are still subtracted.
    """

    name = "difference"
    formula = "y = x_1 − Σ_{i>1} x_i"
    citation = "Mikolov, Yih & Zweig 2013, Linguistic Regularities (vector offsets); n vectors: this project"
    permutation_invariant = False
    use_when = "the later vectors take something away from the first, or their offset is what matters"
    loses = "what the first vector shares with the others, and the order of the others"

    def combine(
        self,
        x: Float[Array, "*batch n dim"],
        mask: Bool[Array, "*batch n"],
        weights: Float[Array, "*batch n"] | None,
    ) -> Float[Array, "*batch out"]:
        """Subtracts all later vectors from the first; masked ones are zeros already."""
        del mask, weights
        x = at_least_float32(x)
        return x[..., 0, :] - jnp.sum(x[..., 1:, :], axis=-2)

    def numpy_reference(
        self, x: Sequence[np.ndarray], mask: np.ndarray, weights: np.ndarray | None
    ) -> np.ndarray:
        """Computes x_1 − x_2 − … over the slots present."""
        del weights
        y, *others = reference.zeroed(x, mask)
        for vector in others:
            y = y - vector
        return y


class AbsDifference(Combiner):
    """How far two vectors are apart in each dimension: y = |u − v|; the gradient of a tie is 0.

    A masked vector counts as zeros, so the other alone gives its magnitudes.
    """

    name = "abs_difference"
    formula = "y = |u − v|"
    citation = "Tai et al. 2015, Tree-Structured Long Short-Term Memory Networks (its similarity features)"
    arity = 2
    permutation_invariant = True
    variable_length = False
    use_when = "the question is how alike two vectors are, and neither comes first"
    loses = "where the two vectors lie, and which is the larger"

    def combine(
        self,
        x: Float[Array, "*batch n dim"],
        mask: Bool[Array, "*batch n"],
        weights: Float[Array, "*batch n"] | None,
    ) -> Float[Array, "*batch out"]:
        """Takes |u − v|; a masked vector is zeros already."""
        del mask, weights
        u, v = _two(x)
        return _distance(u, v)

    def numpy_reference(
        self, x: Sequence[np.ndarray], mask: np.ndarray, weights: np.ndarray | None
    ) -> np.ndarray:
        """Computes |u − v|, zeros for the one that is not present."""
        del weights
        u, v = reference.zeroed(x, mask)
        return np.abs(u - v)


class BiInteraction(Combiner):
    """The elementwise products of all pairs, summed: y = Σ_{i<k} x_i ∘ x_k = ½((Σ_i x_i)² − Σ_i x_i²).

    One vector alone has no pair and gives zeros. He & Chua subtract the squares, which loses the small products beside
    a large square. Here nothing is subtracted: one half of the vectors is multiplied by the other, then they are added,
    and so on with the half that remains. On a CPU this is as fast as the squares; with its gradient, which for the
    squares is a single subtraction, it takes two to four times as long.
    """

    name = "bi_interaction"
    formula = "y = Σ_{i<k} x_i ∘ x_k = ½((Σ_i x_i)² − Σ_i x_i²)"
    citation = "He & Chua 2017, Neural Factorization Machines for Sparse Predictive Analytics"
    permutation_invariant = True
    use_when = "sparse features act in pairs, and a linear layer on top must see it"
    loses = "order, every vector by itself, and which pair a product came from"

    def combine(
        self,
        x: Float[Array, "*batch n dim"],
        mask: Bool[Array, "*batch n"],
        weights: Float[Array, "*batch n"] | None,
    ) -> Float[Array, "*batch out"]:
        """Collects the products of the halves, then adds the halves, until one is left; masked ones are zeros."""
        del mask, weights
        x = at_least_float32(x)
        y = jnp.zeros_like(x[..., 0, :])
        while x.shape[-2] > 1:
            first, second = _halves(x)
            y = y + jnp.sum(first * second, axis=-2)
            x = first + second
        return y

    def numpy_reference(
        self, x: Sequence[np.ndarray], mask: np.ndarray, weights: np.ndarray | None
    ) -> np.ndarray:
        """Computes ½((Σ x)² − Σ x²) over the slots present."""
        del weights
        vectors = np.stack(reference.zeroed(x, mask))
        return 0.5 * (vectors.sum(axis=0) ** 2 - (vectors**2).sum(axis=0))


class PairwiseDots(Combiner):
    """The dot products of all pairs: y = (x_i·x_k)_{i<k}, of width n(n−1)/2.

    They stand in the order (1,2), (1,3), (2,3), (1,4), …: the pairs of the first slots come first, whatever
    `num_vectors` is, and a pair of which one is masked or missing is 0 at its place. The vectors themselves are not
    in y; DLRM concatenates one of them.
    """

    name = "pairwise_dots"
    formula = "y = (x_i·x_k)_{i<k}"
    citation = "Naumov et al. 2019, Deep Learning Recommendation Model (DLRM)"
    permutation_invariant = False
    use_when = "each slot is a field of its own and it matters how well each two of them fit"
    loses = "the vectors themselves: a rotation of all of them changes nothing"

    @classmethod
    def output_width(cls, num_vectors: int, dim: Dim, **options: Any) -> int:
        """Returns n(n − 1)/2; raises ValueError for one vector, which has no pair."""
        del dim, options
        if num_vectors < 2:
            raise ValueError(f"combiner {cls.name!r} needs num_vectors of at least 2, got {num_vectors}")
        return num_vectors * (num_vectors - 1) // 2

    def combine(
        self,
        x: Float[Array, "*batch n dim"],
        mask: Bool[Array, "*batch n"],
        weights: Float[Array, "*batch n"] | None,
    ) -> Float[Array, "*batch out"]:
        """Takes the dot products below the diagonal, row by row; masked vectors are zeros already."""
        del mask, weights
        precision = jnp.promote_types(x.dtype, jnp.float32)
        dots = jnp.einsum("...id,...kd->...ik", x, x, preferred_element_type=precision)
        later, earlier = np.tril_indices(x.shape[-2], k=-1)
        y = dots[..., later, earlier]
        return jnp.pad(y, [(0, 0)] * (y.ndim - 1) + [(0, self.out_dim - y.shape[-1])])

    def numpy_reference(
        self, x: Sequence[np.ndarray], mask: np.ndarray, weights: np.ndarray | None
    ) -> np.ndarray:
        """Computes x_i·x_k for k = 2, 3, … and i < k, zeros where one of them is not present."""
        del weights
        vectors = reference.zeroed(x, mask)
        y = np.zeros(self.out_dim)
        for k in range(len(x)):
            for i in range(k):
                y[k * (k - 1) // 2 + i] = vectors[i] @ vectors[k]
        return y


class Matching(Combiner):
    """Two vectors side by side with their difference and product: y = [u; v; |u − v|; u∘v], four times as wide.

    A masked vector counts as zeros.
    """

    name = "matching"
    formula = "y = [u; v; |u − v|; u∘v]"
    citation = "Conneau et al. 2017, InferSent; after Mou et al. 2016, whose difference is signed"
    arity = 2
    permutation_invariant = False
    variable_length = False
    use_when = "a small network on top must judge how two vectors relate, as in entailment"
    loses = "nothing; it is four times as wide as one vector"

    @classmethod
    def output_width(cls, num_vectors: int, dim: Dim, **options: Any) -> int:
        """Returns 4 · dim."""
        return 4 * super().output_width(num_vectors, dim, **options)

    def combine(
        self,
        x: Float[Array, "*batch n dim"],
        mask: Bool[Array, "*batch n"],
        weights: Float[Array, "*batch n"] | None,
    ) -> Float[Array, "*batch out"]:
        """Lays u, v, |u − v| and u∘v side by side."""
        del mask, weights
        u, v = _two(x)
        return jnp.concatenate([u, v, _distance(u, v), u * v], axis=-1)

    def numpy_reference(
        self, x: Sequence[np.ndarray], mask: np.ndarray, weights: np.ndarray | None
    ) -> np.ndarray:
        """Computes [u; v; |u − v|; u∘v], zeros for the one that is not present."""
        del weights
        u, v = reference.zeroed(x, mask)
        return np.concatenate([u, v, np.abs(u - v), u * v])


class CircularConvolution(Combiner):
    """Binding by circular convolution: y = x_1 ⊛ … ⊛ x_n, (u ⊛ v)_k = Σ_j u_j v_{k−j mod dim}.

    It is a product of Fourier coefficients, so associative and commutative; δ = (1, 0, …, 0) changes nothing and stands
    for a masked vector. Lengths multiply, roughly, but a product of random coefficients is mostly small and rarely
    large: with Plate's entries N(0, 1/dim), of length one, the median length of y at dim 64 is 0.98, 0.90, 0.67, 0.27
    and 0.02 for n = 2, 4, 8, 16 and 32. Shorter vectors vanish (entries of deviation 0.03: 0.003 for n = 4, 10⁻¹¹ for
    16) and their gradients with them; longer ones overflow, entries N(0, 1) at dim 64 from about n = 44, to NaN.

    With `around_identity` it is y = (δ + x_1) ⊛ … ⊛ (δ + x_n) − δ, the sum of the vectors and of the bindings of all
    pairs, triples and so on, as `hybrid` has it for products: one vector alone gives itself, a zero vector changes
    nothing, and small vectors give nearly their sum. It is the form for bags of many or small vectors; of many long
    ones it grows quickly (median lengths at dim 64: 4 for 64 vectors of deviation 0.03, whose sum has 1.9; 100 for 16
    of length one, whose sum has 4).

    The FFT rounds relative to the product of the lengths, so what cancels to nearly 0 is exact to that scale only.

    Option `around_identity`: False binds the vectors themselves, True their sums with δ.
    """

    name = "circular_convolution"
    formula = "y = x_1 ⊛ … ⊛ x_n, (u ⊛ v)_k = Σ_j u_j v_{k−j mod dim}"
    citation = "Plate 1995, Holographic Reduced Representations; around_identity: this project"
    permutation_invariant = True
    use_when = (
        "two or few vectors of length about one must get a vector unlike each of them, at the same width; "
        "around_identity=True for bags of many or small vectors"
    )
    loses = "order; a part comes back, noisily, only with all the others in hand; everything if one is zero"

    def __init__(
        self, *, num_vectors: int, dim: Dim, rngs: nnx.Rngs | None = None, around_identity: bool = False
    ):
        if not isinstance(around_identity, bool):
            raise ValueError(f"around_identity must be True or False, got {around_identity!r}")
        super().__init__(num_vectors=num_vectors, dim=dim, rngs=rngs, around_identity=around_identity)
        self.around_identity = around_identity

    def combine(
        self,
        x: Float[Array, "*batch n dim"],
        mask: Bool[Array, "*batch n"],
        weights: Float[Array, "*batch n"] | None,
    ) -> Float[Array, "*batch out"]:
        """Multiplies the Fourier coefficients of the vectors present, or of what they are with δ added."""
        del weights
        if not self.around_identity:
            return jnp.fft.irfft(jnp.prod(_spectra(x, mask), axis=-2), n=self.dim)
        # δ has ones for coefficients. (1 + u)(1 + v) − 1 = u + v + uv, where small numbers keep their digits.
        spectra = jnp.fft.rfft(at_least_float32(x))
        while spectra.shape[-2] > 1:
            first, second = _halves(spectra)
            spectra = first + second + first * second
        return jnp.fft.irfft(spectra[..., 0, :], n=self.dim)

    def numpy_reference(
        self, x: Sequence[np.ndarray], mask: np.ndarray, weights: np.ndarray | None
    ) -> np.ndarray:
        """Convolves the vectors present one after the other, index by index, with δ added and subtracted on request."""
        del weights
        if not mask.any():
            return np.zeros(self.out_dim)
        delta = np.eye(self.out_dim)[0]
        added = delta if self.around_identity else np.zeros(self.out_dim)
        y = delta
        for i in range(len(x)):
            if mask[i]:
                y = _reference_convolution(y, added + x[i].astype(np.float64))
        return y - added


class CircularCorrelation(Combiner):
    """Circular correlation of two vectors: y = u ⋆ v, y_k = Σ_j u_j v_{k+j mod dim}.

    It is u* ⊛ v, where u*_j = u_{−j mod dim}; it undoes a binding to u, approximately, and v ⋆ u = (u ⋆ v)*. A masked
    vector counts as δ = (1, 0, …, 0), which binds to nothing: v alone is v, u alone is u*.
    """

    name = "circular_correlation"
    formula = "y_k = Σ_j u_j v_{k+j mod dim}"
    citation = "Nickel et al. 2016, Holographic Embeddings of Knowledge Graphs (HolE)"
    arity = 2
    permutation_invariant = False
    variable_length = False
    use_when = "two vectors stand in a directed relation: who did it to whom"
    loses = "both vectors, unless one of them is in hand to recover the other, noisily"

    def combine(
        self,
        x: Float[Array, "*batch n dim"],
        mask: Bool[Array, "*batch n"],
        weights: Float[Array, "*batch n"] | None,
    ) -> Float[Array, "*batch out"]:
        """Multiplies the conjugate Fourier coefficients of u by those of v."""
        del weights
        spectra = _spectra(x, mask)
        return jnp.fft.irfft(jnp.conj(spectra[..., 0, :]) * spectra[..., 1, :], n=self.dim)

    def numpy_reference(
        self, x: Sequence[np.ndarray], mask: np.ndarray, weights: np.ndarray | None
    ) -> np.ndarray:
        """Computes Σ_j u_j v_{k+j mod dim} index by index, with δ for the one that is not present."""
        del weights
        if not mask.any():
            return np.zeros(self.out_dim)
        d, delta = self.out_dim, np.eye(self.out_dim)[0]
        u, v = (x[i].astype(np.float64) if mask[i] else delta for i in range(2))
        return np.array([sum(u[j] * v[(k + j) % d] for j in range(d)) for k in range(d)])
