"""The slot decides: each vector counts by the place it stands in, not by what it holds."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Bool, Float, Int

from .base import Combiner, Dim, at_least_float32, total_width


def _take_slot(x: Float[Array, "*batch n dim"], slot: Int[Array, "*batch"]) -> Float[Array, "*batch dim"]:
    """Returns one slot of each bag."""
    return jnp.take_along_axis(x, slot[..., None, None], axis=-2)[..., 0, :]


def _total(x: Float[Array, "*batch n dim"]) -> Float[Array, "*batch dim"]:
    """Returns the sum over the slots, taken in at least float32."""
    return jnp.sum(x, axis=-2, dtype=jnp.promote_types(x.dtype, jnp.float32))


def _present(x: Sequence[np.ndarray], mask: np.ndarray) -> list[tuple[int, np.ndarray]]:
    """Returns the slots present, each with its vector in float64."""
    return [(i, x[i].astype(np.float64)) for i in range(len(x)) if mask[i]]


class First(Combiner):
    """The first vector present: y = x_i for the smallest i that is not masked."""

    name = "first"
    formula = "y = x_i, i = min {i : x_i is present}"
    citation = "Devlin et al. 2019, BERT (its first position is read; here of the vectors as they are)"
    permutation_invariant = False
    use_when = "the first vector has seen the others already, or as a baseline that shows what they add"
    loses = "every vector but the first"

    def combine(
        self,
        x: Float[Array, "*batch n dim"],
        mask: Bool[Array, "*batch n"],
        weights: Float[Array, "*batch n"] | None,
    ) -> Float[Array, "*batch out"]:
        """Takes the first slot that is not masked."""
        del weights
        return _take_slot(x, jnp.argmax(mask, axis=-1))

    def numpy_reference(
        self, x: Sequence[np.ndarray], mask: np.ndarray, weights: np.ndarray | None
    ) -> np.ndarray:
        """Returns the first vector present."""
        del weights
        return next((vector for _, vector in _present(x, mask)), np.zeros(self.out_dim))


class Last(Combiner):
    """The last vector present: y = x_i for the largest i that is not masked."""

    name = "last"
    formula = "y = x_i, i = max {i : x_i is present}"
    citation = (
        "Radford et al. 2018, Improving Language Understanding by Generative Pre-Training (its last position is read; "
        "here of the vectors as they are)"
    )
    permutation_invariant = False
    use_when = "the most recent vector decides, or as a baseline that shows what the earlier ones add"
    loses = "every vector but the last"

    def combine(
        self,
        x: Float[Array, "*batch n dim"],
        mask: Bool[Array, "*batch n"],
        weights: Float[Array, "*batch n"] | None,
    ) -> Float[Array, "*batch out"]:
        """Takes the last slot that is not masked."""
        del weights
        return _take_slot(x, x.shape[-2] - 1 - jnp.argmax(mask[..., ::-1], axis=-1))

    def numpy_reference(
        self, x: Sequence[np.ndarray], mask: np.ndarray, weights: np.ndarray | None
    ) -> np.ndarray:
        """Returns the last vector present."""
        del weights
        return next((vector for _, vector in reversed(_present(x, mask))), np.zeros(self.out_dim))


class WeightedSum(Combiner):
    """Sum with one learned number per slot: y = Σ_i a_i x_i.

    The a_i start at one, where it is the plain sum.
    """

    name = "weighted_sum"
    formula = "y = Σ_i a_i x_i, a_i a learned number"
    citation = "Mitchell & Lapata 2010, Composition in Distributional Models of Semantics (weighted addition)"
    permutation_invariant = False
    use_when = "some slots matter more than others, and n numbers are all that may be learned"
    loses = "order where two slots have the same a_i, and which slot a direction came from"

    def __init__(self, *, num_vectors: int, dim: Dim, rngs: nnx.Rngs | None = None):
        super().__init__(num_vectors=num_vectors, dim=dim, rngs=rngs)
        self.scale = nnx.Param(jnp.ones((self.num_vectors,)))

    @classmethod
    def parameter_count(cls, num_vectors: int, dim: Dim, **options: Any) -> int:
        """Returns n."""
        del dim, options
        return num_vectors

    def combine(
        self,
        x: Float[Array, "*batch n dim"],
        mask: Bool[Array, "*batch n"],
        weights: Float[Array, "*batch n"] | None,
    ) -> Float[Array, "*batch out"]:
        """Scales each vector by the number of its slot and adds."""
        del mask, weights
        return _total(self.scale[: x.shape[-2], None] * x)

    def numpy_reference(
        self, x: Sequence[np.ndarray], mask: np.ndarray, weights: np.ndarray | None
    ) -> np.ndarray:
        """Computes Σ_i a_i x_i over the slots present."""
        del weights
        scale = np.asarray(self.scale[...], np.float64)
        return sum((scale[i] * vector for i, vector in _present(x, mask)), start=np.zeros(self.out_dim))


class PositionWeights(Combiner):
    """Sum with one learned vector per slot: y = Σ_i a_i ∘ x_i.

    It is `position_sum` with diagonal matrices: n·dim parameters where that has n·dim². Each dimension can listen to
    other slots, but dimensions do not mix. The a_i start at one, where it is the plain sum.
    """

    name = "position_weights"
    formula = "y = Σ_i a_i ∘ x_i, a_i a learned vector"
    citation = (
        "Mnih & Kavukcuoglu 2013, Learning Word Embeddings Efficiently with Noise-Contrastive Estimation; "
        "Mikolov et al. 2018, Advances in Pre-Training Distributed Word Representations"
    )
    permutation_invariant = False
    use_when = "order matters and a matrix per slot is too much to learn"
    loses = "what the slots write into the same dimension; a dimension never moves to another"

    def __init__(self, *, num_vectors: int, dim: Dim, rngs: nnx.Rngs | None = None):
        super().__init__(num_vectors=num_vectors, dim=dim, rngs=rngs)
        self.scale = nnx.Param(jnp.ones((self.num_vectors, self.dim)))

    @classmethod
    def parameter_count(cls, num_vectors: int, dim: Dim, **options: Any) -> int:
        """Returns n · dim."""
        del options
        return total_width(num_vectors, dim)

    def combine(
        self,
        x: Float[Array, "*batch n dim"],
        mask: Bool[Array, "*batch n"],
        weights: Float[Array, "*batch n"] | None,
    ) -> Float[Array, "*batch out"]:
        """Scales each dimension of each vector by the number of its slot and adds."""
        del mask, weights
        return _total(self.scale[: x.shape[-2]] * x)

    def numpy_reference(
        self, x: Sequence[np.ndarray], mask: np.ndarray, weights: np.ndarray | None
    ) -> np.ndarray:
        """Computes Σ_i a_ij x_ij, dimension by dimension, over the slots present."""
        del weights
        scale = np.asarray(self.scale[...], np.float64)
        y = np.zeros(self.out_dim)
        for i, vector in _present(x, mask):
            for j in range(self.out_dim):
                y[j] += scale[i, j] * vector[j]
        return y


class PermutedSum(Combiner):
    """Sum after a fixed random permutation of the dimensions per slot: y_j = Σ_i x_{i, π_i(j)}.

    π_1 is the identity, so one vector alone stays as it is; the others are drawn independently when the combiner is
    made and never trained. (Sahlgren et al. take the powers of one permutation instead.) A vector keeps its length,
    and the inverse of π_i brings it back under the noise of the others. Two slots may draw the same permutation and
    are then alike; that chance is 1/dim!, so it matters for tiny dim only, and at dim = 1 order cannot be seen.
    """

    name = "permuted_sum"
    formula = "y_j = Σ_i x_{i, π_i(j)}, π_i a fixed random permutation"
    citation = (
        "Sahlgren et al. 2008, Permutations as a Means to Encode Order in Word Space; Recchia et al. 2015, Encoding "
        "Sequential Information in Semantic Space Models"
    )
    permutation_invariant = False
    needs_rngs = True
    use_when = "order matters, dim is large and nothing may be learned for it"
    loses = "exact values: each slot comes back only under the noise of the others"

    def __init__(self, *, num_vectors: int, dim: Dim, rngs: nnx.Rngs | None = None):
        super().__init__(num_vectors=num_vectors, dim=dim, rngs=rngs)
        in_order = jnp.tile(jnp.arange(self.dim), (self.num_vectors, 1))
        shuffled = jax.random.permutation(rngs.params(), in_order, axis=-1, independent=True)
        self.permutations = nnx.Variable(shuffled.at[0].set(in_order[0]))

    def combine(
        self,
        x: Float[Array, "*batch n dim"],
        mask: Bool[Array, "*batch n"],
        weights: Float[Array, "*batch n"] | None,
    ) -> Float[Array, "*batch out"]:
        """Permutes the dimensions of each vector as its slot says and adds."""
        del mask, weights
        permutations = jnp.broadcast_to(self.permutations[: x.shape[-2]], x.shape)
        return _total(jnp.take_along_axis(x, permutations, axis=-1))

    def numpy_reference(
        self, x: Sequence[np.ndarray], mask: np.ndarray, weights: np.ndarray | None
    ) -> np.ndarray:
        """Computes Σ_i x_{i, π_i(j)}, dimension by dimension, over the slots present."""
        del weights
        permutations = np.asarray(self.permutations[...])
        y = np.zeros(self.out_dim)
        for i, vector in _present(x, mask):
            for j in range(self.out_dim):
                y[j] += vector[permutations[i, j]]
        return y


class RoleFiller(Combiner):
    """Each vector bound to the role of its slot by circular convolution, then summed: y = Σ_i r_i ⊛ x_i.

    The roles are drawn when the combiner is made and never trained. They are normal vectors whose Fourier
    coefficients are then scaled to magnitude one, so a role has length one, binding keeps the length of a vector, and
    unbinding undoes it exactly: all that is left in what `unbind` gives is the noise of the other slots. (Plate's roles
    are N(0, 1/dim) as drawn, where unbinding adds noise of its own.) Convolutions are taken by FFT in at least
    float32, which knows no bfloat16.
    """

    name = "role_filler"
    formula = "y = Σ_i r_i ⊛ x_i, r_i a fixed random role, ⊛ circular convolution"
    citation = "Plate 1995, Holographic Reduced Representations; here with unitary roles"
    permutation_invariant = False
    needs_rngs = True
    use_when = "slots must be read back out of one vector of the same width, and dim is large"
    loses = "exact values: a filler comes back only under the noise of the others"

    def __init__(self, *, num_vectors: int, dim: Dim, rngs: nnx.Rngs | None = None):
        super().__init__(num_vectors=num_vectors, dim=dim, rngs=rngs)
        drawn = jnp.fft.rfft(jax.random.normal(rngs.params(), (self.num_vectors, self.dim)))
        # By angle, not by drawn / |drawn|, which a coefficient of zero would make NaN.
        self.roles = nnx.Variable(jnp.fft.irfft(jnp.exp(1j * jnp.angle(drawn)), n=self.dim))

    def combine(
        self,
        x: Float[Array, "*batch n dim"],
        mask: Bool[Array, "*batch n"],
        weights: Float[Array, "*batch n"] | None,
    ) -> Float[Array, "*batch out"]:
        """Binds each vector to the role of its slot and adds."""
        del mask, weights
        x = at_least_float32(x)
        bound = jnp.fft.rfft(self.roles[: x.shape[-2]]) * jnp.fft.rfft(x)
        return jnp.fft.irfft(jnp.sum(bound, axis=-2), n=self.dim)

    def unbind(self, y: Float[Array, "*batch dim"], slot: int) -> Float[Array, "*batch dim"]:
        """Recovers the vector in one slot, by circular correlation with its role.

        Args:
          y: [..., dim], what this combiner made.
          slot: from 0 to num_vectors − 1.

        Returns:
          [..., dim] in the dtype of y: x_slot and, as noise, r_slot correlated with r_i ⊛ x_i of the other slots.

        Raises:
          ValueError: for a slot that there is not, and for a y of another width or not floating point.
        """
        if not isinstance(slot, int) or isinstance(slot, bool) or not 0 <= slot < self.num_vectors:
            raise ValueError(f"slot must be an integer from 0 to {self.num_vectors - 1}, got {slot!r}")
        if y.shape[-1] != self.dim or not jnp.issubdtype(y.dtype, jnp.floating):
            raise ValueError(f"y must be floating point [..., {self.dim}], got {y.dtype} {y.shape}")
        spectrum = jnp.fft.rfft(at_least_float32(y))
        return jnp.fft.irfft(jnp.conj(jnp.fft.rfft(self.roles[slot])) * spectrum, n=self.dim).astype(y.dtype)

    def numpy_reference(
        self, x: Sequence[np.ndarray], mask: np.ndarray, weights: np.ndarray | None
    ) -> np.ndarray:
        """Computes y_k = Σ_i Σ_j r_ij x_{i, k−j mod dim} over the slots present, index by index."""
        del weights
        roles = np.asarray(self.roles[...], np.float64)
        y = np.zeros(self.out_dim)
        for i, vector in _present(x, mask):
            for k in range(self.out_dim):
                for j in range(self.out_dim):
                    y[k] += roles[i, j] * vector[(k - j) % self.out_dim]
        return y
