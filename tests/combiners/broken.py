"""Combiners with one fault each, and the correct twins that the package does not have."""

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from combiners import Combiner
from combiners.concatenation import Concat, PositionSum
from combiners.pooling import Max, Mean, Sum

# --- What should be learned, but is not ---


class Bilinear(Combiner):
    """The correct twin: y = u W v with a learned W."""

    name = "bilinear_twin"
    formula = "y_k = Σ_ij u_i W_ijk v_j"
    citation = "this test"
    arity = 2
    permutation_invariant = False
    holder = nnx.Param

    def __init__(self, *, num_vectors, dim, rngs=None):
        super().__init__(num_vectors=num_vectors, dim=dim, rngs=rngs)
        self.weight = self.holder(rngs.params.normal((dim, dim, dim)))

    @classmethod
    def parameter_count(cls, num_vectors, dim, **options):
        return dim**3

    def combine(self, x, mask, weights):
        x = jnp.pad(x, [(0, 0)] * (x.ndim - 2) + [(0, 2 - x.shape[-2]), (0, 0)])
        return jnp.einsum("...i,ijk,...j->...k", x[..., 0, :], self.weight[...], x[..., 1, :])


class BilinearInABuffer(Bilinear):
    """The weight is kept and saved, but no optimiser sees it."""

    holder = nnx.Variable


class BilinearInAnArray(Bilinear):
    """The same with a plain array."""

    holder = staticmethod(jnp.asarray)


class PlainHolder:
    """Hides from nnx what it holds, as any object of another library does."""

    def __init__(self, held):
        self.held = held

    def __iter__(self):
        return iter(self.held)


class Factors(Combiner):
    """The correct twin: a learned matrix for each vector, 4 · 9 numbers, and a bias of 3."""

    name = "factors"
    formula = "y = b + Π_i x_i A_i"
    citation = "this test"
    permutation_invariant = False
    hold = staticmethod(lambda factors: nnx.List([nnx.Param(factor) for factor in factors]))

    def __init__(self, *, num_vectors, dim, rngs=None):
        super().__init__(num_vectors=num_vectors, dim=dim, rngs=rngs)
        self.bias = nnx.Param(jnp.zeros(dim))
        self.factors = self.hold([rngs.params.normal((dim, dim)) for _ in range(num_vectors)])

    @classmethod
    def parameter_count(cls, num_vectors, dim, **options):
        return dim + num_vectors * dim**2

    def combine(self, x, mask, weights):
        x = x.astype(jnp.promote_types(x.dtype, jnp.float32))
        y = jnp.ones((*x.shape[:-2], self.out_dim), x.dtype)
        for i, factor in zip(range(x.shape[-2]), self.factors, strict=False):
            y = y * jnp.where(mask[..., i, None], x[..., i, :] @ factor[...], 1)
        return y + self.bias[...]


class FactorsInAList(Factors):
    """The optimiser sees the bias alone: 3 numbers where 39 belong."""

    hold = staticmethod(lambda factors: PlainHolder(factors))


class FactorsOfOnes(Factors):
    """Hidden as well, and declared so: the count is the real one, and no seed changes what is hidden."""

    hold = staticmethod(lambda factors: PlainHolder([jnp.ones_like(factor) for factor in factors]))

    @classmethod
    def parameter_count(cls, num_vectors, dim, **options):
        return dim


class FactorsInNumPy(Factors):
    """Hidden and declared, drawn at the start, and a constant of the program as a table would be."""

    hold = staticmethod(lambda factors: PlainHolder([np.asarray(factor) for factor in factors]))
    parameter_count = FactorsOfOnes.parameter_count


class RebuiltProjection(PositionSum):
    """Makes its projection anew, untrained, at every call; always the same one, so that no call differs."""

    def __init__(self, *, num_vectors, dim, rngs=None):
        Combiner.__init__(self, num_vectors=num_vectors, dim=dim)

    @classmethod
    def parameter_count(cls, num_vectors, dim, **options):
        return 0

    def combine(self, x, mask, weights):
        return nnx.Linear(self.dim, self.dim, use_bias=False, rngs=nnx.Rngs(0))(x).sum(axis=-2)


class DeadParameter(PositionSum):
    """Adds what is 0 whatever its parameter is, as a key bias under a softmax does."""

    def __init__(self, *, num_vectors, dim, rngs=None):
        super().__init__(num_vectors=num_vectors, dim=dim, rngs=rngs)
        self.shift = nnx.Param(jnp.zeros(()))

    def combine(self, x, mask, weights):
        shares = jax.nn.softmax(x[..., 0] + self.shift[...], axis=-1)
        return super().combine(x, mask, weights) + shares.sum(axis=-1, keepdims=True)


# --- What masks should do, but do not ---


class MaskInTheDivisorOnly(Mean):
    """Masked vectors still enter the sum."""

    def __call__(self, x, mask=None, weights=None):
        present = jnp.ones(x.shape[:-1]) if mask is None else mask
        number = jnp.maximum(present.sum(axis=-1, keepdims=True), 1).astype(x.dtype)
        return x.sum(axis=-2) / number


class DividedByAllInputs(Mean):
    """Divides by the number of inputs, masked or not."""

    def combine(self, x, mask, weights):
        return x.mean(axis=-2)


class PaddingEntersTheMaximum(Max):
    """The zeros of masked slots win over negative numbers."""

    def combine(self, x, mask, weights):
        return x.max(axis=-2)


class NormalisedOverTheBatch(Sum):
    """Statistics of the batch, so that bags see each other."""

    def combine(self, x, mask, weights):
        y = super().combine(x, mask, weights)
        return y - y.reshape(-1, self.out_dim).mean(axis=0)


class BiasForAnEmptyBag(Sum):
    """Leaves out what the base class does for empty bags."""

    def __call__(self, x, mask=None, weights=None):
        return super().__call__(x, mask, weights) + 1


# --- What is declared, but is not so ---


class ClaimsInvariance(Concat):
    """Not independent of the order."""

    permutation_invariant = True


class ClaimsOrder(Sum):
    """Not dependent on the order."""

    permutation_invariant = False


class ClaimsCounts(Sum):
    """Uses the squares of weights, and calls them counts."""

    def combine(self, x, mask, weights):
        return super().combine(x, mask, None if weights is None else weights**2)


class DeniesCounts(Sum):
    """Weights are counts, and it does not say so."""

    weights_are_counts = False


class ClaimsWeights(Max):
    """Takes weights and drops them."""

    accepts_weights = True


class ClaimsFixedLength(Sum):
    """Says it refuses fewer vectors, and takes them."""

    variable_length = False

    def _check_number(self, n):
        pass


class ClaimsRandomness(Sum):
    """Asks for rngs and keeps nothing that was drawn."""

    needs_rngs = True


class WrongWidth(Concat):
    """Declares the width of one vector."""

    @classmethod
    def output_width(cls, num_vectors, dim, **options):
        return dim if isinstance(dim, int) else dim[0]


class WrongCount(PositionSum):
    """Forgets that there is a map for each slot."""

    @classmethod
    def parameter_count(cls, num_vectors, dim, **options):
        return dim * dim


class WithoutCitation(Sum):
    """Comes from nowhere."""

    citation = " "


# --- What is computed wrong ---


class WrongFormula(Sum):
    """Off by a factor that only many equal signs show."""

    def combine(self, x, mask, weights):
        return super().combine(x, mask, weights) * 1.0001


class RootOfVariance(Mean):
    """The standard deviation as it stands: its slope at equal vectors is infinite."""

    accepts_weights = weights_are_counts = False

    def combine(self, x, mask, weights):
        mean = super().combine(x, mask, None)[..., None, :]
        return jnp.sqrt(super().combine((x - mean) ** 2, mask, None))

    def numpy_reference(self, x, mask, weights):
        raise NotImplementedError


class HiddenNaN(Sum):
    """0/0 for an empty bag, which the base class hides."""

    def combine(self, x, mask, weights):
        number = mask.sum(axis=-1, keepdims=True)
        return super().combine(x, mask, weights) * (number / number)


class StoppedGradient(Sum):
    """Half of its slope is lost."""

    def combine(self, x, mask, weights):
        y = super().combine(x, mask, weights)
        return (y + jax.lax.stop_gradient(y)) / 2


class RoundedToFloat32(Sum):
    """Forgets that x may be float64."""

    def combine(self, x, mask, weights):
        return super().combine(x.astype(jnp.float32), mask, weights)


class CancelsInBfloat16(Sum):
    """Adds numbers that cancel later, in the precision of x."""

    def combine(self, x, mask, weights):
        return super().combine(x + 16, mask, weights) - super().combine(jnp.full_like(x, 16), mask, weights)


class DrawsAtCallTime(Sum):
    """Noise from NumPy, which no program shows."""

    noise = np.random.default_rng()

    def combine(self, x, mask, weights):
        return super().combine(x, mask, weights) + self.noise.normal()


class CountsItsCalls(Sum):
    """Keeps a number in its state that every call changes."""

    def __init__(self, *, num_vectors, dim, rngs=None):
        super().__init__(num_vectors=num_vectors, dim=dim, rngs=rngs)
        self.calls = nnx.Variable(jnp.zeros((), int))

    def combine(self, x, mask, weights):
        self.calls[...] += 1
        return super().combine(x, mask, weights)


class OneBatchAxis(Sum):
    """Takes the second axis for the slots, wherever they are."""

    def combine(self, x, mask, weights):
        return x.sum(axis=1) if x.ndim == 3 else super().combine(x, mask, weights) / 2


class SeedOfItsOwn(PositionSum):
    """Draws its start from a seed of its own: no seed of the user changes it."""

    def __init__(self, *, num_vectors, dim, rngs=None):
        Combiner.__init__(self, num_vectors=num_vectors, dim=dim, rngs=rngs)
        self.kernel = nnx.Param(nnx.Rngs(0).params.normal((num_vectors, dim, dim)))


class SeedIsDropped(PositionSum):
    """Draws from the seed of the user, and then starts at one all the same."""

    def __init__(self, *, num_vectors, dim, rngs=None):
        super().__init__(num_vectors=num_vectors, dim=dim, rngs=rngs)
        self.kernel[...] = jnp.ones_like(self.kernel)
