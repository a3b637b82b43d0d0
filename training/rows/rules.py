"""Optimisers of rows: how a gradient moves a vector, and what becomes of a row that none is known for."""

import dataclasses
import math
from collections.abc import Callable
from typing import ClassVar, Protocol, runtime_checkable

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

State = tuple[Float[Array, "*rows _"], ...]  # of a row: arrays of the vector's width, or of one number
Rates = Callable[
    [Int[Array, " later"]], Float[Array, " later"]
]  # numbers of steps, from 1 -> their learning rates


@runtime_checkable
class Rule(Protocol):
    """An optimiser that knows one row at a time.

    Attributes:
      vectors: numbers of the vector's width that a row's state has.
      scalars: numbers besides.
      start: every number of a state before the first step.
      moves_at_rest: whether a row without a gradient moves, weight decay aside.
    """

    vectors: int
    scalars: int
    start: float
    moves_at_rest: bool

    def step(
        self, state: State, gradient: Float[Array, "*rows width"], number: Int[Array, ""]
    ) -> tuple[Float[Array, "*rows width"], State]:
        """Returns what a step, counted from 1, takes off the vectors, by the learning rate; and the state after it."""


@dataclasses.dataclass(frozen=True)
class Sgd:
    """Gradient descent."""

    vectors: ClassVar[int] = 0
    scalars: ClassVar[int] = 0
    start: ClassVar[float] = 0.0
    moves_at_rest: ClassVar[bool] = False

    def step(
        self, state: State, gradient: Float[Array, "*rows width"], number: Int[Array, ""]
    ) -> tuple[Float[Array, "*rows width"], State]:
        """Returns the gradient; see `Rule`."""
        del number
        return gradient, state


@dataclasses.dataclass(frozen=True)
class Adagrad:
    """Duchi et al. 2011: g / √(Σ g² + ε); with `row_wise`, one sum for a row, of its mean squares.

    Attributes:
      row_wise: whether a row has one sum.
      initial_accumulator_value: where sums start.
      eps: ε.
    """

    row_wise: bool = False
    initial_accumulator_value: float = 0.1
    eps: float = 1e-7
    moves_at_rest: ClassVar[bool] = False

    @property
    def vectors(self) -> int:
        """The sums of a row, one for each number of its vector."""
        return 0 if self.row_wise else 1

    @property
    def scalars(self) -> int:
        """The sum of a row."""
        return 1 if self.row_wise else 0

    @property
    def start(self) -> float:
        """Where sums start."""
        return self.initial_accumulator_value

    def step(
        self, state: State, gradient: Float[Array, "*rows width"], number: Int[Array, ""]
    ) -> tuple[Float[Array, "*rows width"], State]:
        """Returns g / √(Σ g² + ε); see `Rule`."""
        del number
        square = gradient**2
        total = state[0] + (jnp.mean(square, axis=-1, keepdims=True) if self.row_wise else square)
        inverse = jnp.where(total > 0, 1 / jnp.sqrt(total + self.eps), 0)
        return gradient * inverse, (total,)


# Where the sum of `Adam.pending` is taken, in lifetimes 1/ln(1/β₁) of the mean. With β₁ = 0.9, β₂ = 0.999 these five
# come within 2e-5 of the sum's value after the first step, 2e-6 after ten and 1e-7 after a hundred, whatever ε.
_NODES = (0.126, 0.316, 0.738, 1.9, 5.27)
_FORGOTTEN = 1e-9  # of the mean


@dataclasses.dataclass(frozen=True)
class Adam:
    """Kingma & Ba 2015, as training/adam.py computes it.

    A row without a gradient goes on moving: its means fade as mₜ₊ⱼ = β₁ʲ mₜ and vₜ₊ⱼ = β₂ʲ vₜ, and the steps that are
    yet to come take off, with weights wₖ = αₖ √β̂₂ₖ / β̂₁ₖ and β̂ₖ = 1 − βᵏ,

      pending(m, v) = Σⱼ wₜ₊ⱼ β₁ʲ m / (β₂^{j/2} √v + ε √β̂₂ₜ₊ⱼ).

    While a row rests, vector − pending stays what it is. So that difference is what a row holds, and its vector is
    computed when it is read. The sum over j is one over five of its places: the denominator is a smooth
    function of ln(t + j), interpolated between them, with weights that are the same for all rows (`weights`).

    Attributes:
      b1: β₁.
      b2: β₂.
      eps: ε.
    """

    b1: float = 0.9
    b2: float = 0.999
    eps: float = 1e-8
    vectors: ClassVar[int] = 2
    scalars: ClassVar[int] = 0
    start: ClassVar[float] = 0.0
    moves_at_rest: ClassVar[bool] = True

    def step(
        self, state: State, gradient: Float[Array, "*rows width"], number: Int[Array, ""]
    ) -> tuple[Float[Array, "*rows width"], State]:
        """Returns √β̂₂/β̂₁ · m / (√v + ε √β̂₂); see `Rule`."""
        mean = self.b1 * state[0] + (1 - self.b1) * gradient
        square = self.b2 * state[1] + (1 - self.b2) * gradient**2
        root = self._root(number)
        direction = root / (1 - self.b1**number) * mean / (jnp.sqrt(square) + self.eps * root)
        return direction, (mean, square)

    def age(self, state: State, steps: Float[Array, "*rows 1"]) -> State:
        """Returns the state after some steps without a gradient."""
        mean, square = state
        # Not as powers, which are slow.
        return mean * jnp.exp(steps * math.log(self.b1)), square * jnp.exp(steps * math.log(self.b2))

    def weights(self, done: Int[Array, ""], rates: Rates, decay: float) -> Float[Array, " nodes"]:
        """Returns the weights of `pending` after `done` steps, by which its terms at the nodes are to be multiplied.

        Args:
          done: t.
          rates: the learning rates αₖ, those after the last step included, which never come: they cancel out.
          decay: λ. A displacement that comes j steps later is decayed less, by Π 1 / (1 − α λ).
        """
        terms = jnp.arange(1, 1 + math.ceil(math.log(_FORGOTTEN) / math.log(self.b1)))
        later = done + terms
        rate = jnp.broadcast_to(rates(later), later.shape)
        spared = jnp.exp(-jnp.cumsum(jnp.log1p(-rate * decay))) if decay else 1.0
        weight = rate * self._root(later) / (1 - self.b1**later) * self.b1**terms * spared
        # ln(t + j), but for a constant; as it stands it would lose its digits when t is large.
        place, node = (jnp.log1p(j / (done + 1.0)) for j in (terms, jnp.array(self._nodes())))
        # Lagrange's polynomials: the i-th is 1 at node i and 0 at the others k.
        itself = jnp.eye(len(_NODES), dtype=bool)
        between = jnp.where(itself, 1, node[:, None] - node)
        factors = jnp.where(itself[..., None], 1, (place - node[:, None]) / between[..., None])
        return jnp.sum(weight * jnp.prod(factors, axis=1), axis=-1)

    def pending(
        self, state: State, done: Int[Array, ""], weights: Float[Array, " nodes"]
    ) -> Float[Array, "*rows width"]:
        """Returns what steps after `done` take off vectors that get no gradient any more."""
        mean, root = state[0], jnp.sqrt(state[1])
        below = [
            self.b2 ** (0.5 * node) * root + self.eps * self._root(done + node) for node in self._nodes()
        ]
        # Two fractions at a time: a division takes as long as ten products.
        a, b, c, d, e = zip(weights, below, strict=True)
        pairs = ((w * y + v * x) / (x * y) for (w, x), (v, y) in ((a, b), (c, d)))
        return mean * (sum(pairs) + e[0] / e[1])

    def _nodes(self) -> list[float]:
        return [node / -math.log(self.b1) for node in _NODES]

    def _root(self, number: Float[Array, "*steps"] | Int[Array, "*steps"]) -> Float[Array, "*steps"]:
        return jnp.sqrt(1 - self.b2**number)
