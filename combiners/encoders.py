"""Encoders: a small network reads the vectors, as a set (deep_sets) or one after the other (gru, lstm)."""

import abc
import functools
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Bool, Float

from . import reference
from .base import Combiner, Dim, at_least_float32, check_positive, each_vector


def _forget_bias_of_one(key: jax.Array, shape: tuple[int, ...], dtype: Any) -> jax.Array:
    """Initialises the biases of an LSTM, which lie gate by gate: input, forget, candidate, output."""
    del key
    return jnp.repeat(jnp.asarray([0, 1, 0, 0], dtype), shape[0] // 4)


class DeepSets(Combiner):
    """Deep Sets: y = ρ(Σ_i φ(x_i)), φ(x) = silu(x A + a), ρ(s) = silu(s B + b) C + c.

    Every function of a bag can be written so with φ and ρ free enough; here each has one hidden layer of width
    `hidden`, by default dim. An output layer of φ would be a second linear map in front of B and is left out. A linear
    ρ would leave a plain sum of functions of one vector, without interactions. silu is smooth and has no dead units.
    Kernels start with variance 1/fan-in and biases at zero; y grows with the number of vectors as a sum does.
    """

    name = "deep_sets"
    formula = "y = ρ(Σ_i φ(x_i)), φ(x) = silu(x A + a), ρ(s) = silu(s B + b) C + c"
    citation = "Zaheer et al. 2017, Deep Sets"
    permutation_invariant = True
    use_when = "the answer is a function of the whole set that no fixed pooling computes, and there is data to learn it"
    loses = "order, and what the sum of `hidden` features cannot hold"

    def __init__(
        self, *, num_vectors: int, dim: Dim, rngs: nnx.Rngs | None = None, hidden: int | None = None
    ):
        check_positive("hidden", hidden, optional=True)
        super().__init__(num_vectors=num_vectors, dim=dim, rngs=rngs, hidden=hidden)
        hidden, dtype = hidden or self.dim, jnp.result_type(float)
        self.phi = nnx.Linear(self.dim, hidden, param_dtype=dtype, rngs=rngs)
        self.rho = nnx.Linear(hidden, hidden, param_dtype=dtype, rngs=rngs)
        self.readout = nnx.Linear(hidden, self.out_dim, param_dtype=dtype, rngs=rngs)

    @classmethod
    def parameter_count(cls, num_vectors: int, dim: Dim, **options: Any) -> int:
        """Returns (dim + 1) · hidden for φ, and (hidden + 1) · hidden + (hidden + 1) · dim for ρ."""
        width = cls.output_width(num_vectors, dim)
        hidden = options.get("hidden") or width
        return (width + 1) * hidden + (hidden + 1) * (hidden + width)

    def combine(
        self,
        x: Float[Array, "*batch n dim"],
        mask: Bool[Array, "*batch n"],
        weights: Float[Array, "*batch n"] | None,
    ) -> Float[Array, "*batch out"]:
        """Adds the features of the vectors present, since φ(0) need not be zero, and maps the sum."""
        del weights
        x = at_least_float32(x)
        features = jnp.where(mask[..., None], jax.nn.silu(each_vector(self.phi, x)), 0)
        return self.readout(jax.nn.silu(self.rho(jnp.sum(features, axis=-2))))

    def numpy_reference(
        self, x: Sequence[np.ndarray], mask: np.ndarray, weights: np.ndarray | None
    ) -> np.ndarray:
        """Computes ρ(Σ_i φ(x_i)) over the slots present."""
        del weights
        if not mask.any():
            return np.zeros(self.out_dim)
        total = np.zeros(self.rho.in_features, np.float64)
        for i in range(len(x)):
            if mask[i]:
                inner = reference.dense(self.phi, x[i].astype(np.float64))
                total += inner * reference.sigmoid(inner)
        inner = reference.dense(self.rho, total)
        return reference.dense(self.readout, inner * reference.sigmoid(inner))


# An eager scan over a new closure would be compiled again at every call; here it is once for each shape.
@functools.partial(jax.jit, static_argnums=0)
def _last_state(
    step: Callable[[nnx.Linear, Any, Float[Array, "*batch gates"]], Any],
    cell: nnx.RNNCellBase,
    start: Any,
    x: Float[Array, "*batch n dim"],
    mask: Bool[Array, "*batch n"],
) -> Any:
    """Scans the slots and returns the last state; a masked slot leaves the state as it is."""
    # One product for all slots, before the scan: what is left within it is the map of the state. Slots come first only
    # afterwards, so that a batch that is divided over devices stays divided within the product.
    of_x = jnp.moveaxis(each_vector(cell.dense_i, x), -2, 0)

    def read(state: Any, slot: tuple[jax.Array, jax.Array]) -> tuple[Any, None]:
        of_vector, present = slot
        new_state = step(cell.dense_h, state, of_vector)
        return jax.tree.map(lambda new, old: jnp.where(present, new, old), new_state, state), None

    state, _ = jax.lax.scan(read, start, (of_x, jnp.moveaxis(mask, -1, 0)[..., None]))
    return state


class _Recurrent(Combiner):
    """Reads the vectors in their order with one cell; y is its last state, of width `features`, by default dim.

    The state starts at zero. It stays as it is where a slot is masked, so padding changes nothing, wherever it lies.
    """

    permutation_invariant = False
    gates: ClassVar[int]

    def __init__(
        self, *, num_vectors: int, dim: Dim, rngs: nnx.Rngs | None = None, features: int | None = None
    ):
        check_positive("features", features, optional=True)
        super().__init__(num_vectors=num_vectors, dim=dim, rngs=rngs, features=features)
        self.cell = self._new_cell(rngs)

    @classmethod
    def output_width(cls, num_vectors: int, dim: Dim, **options: Any) -> int:
        """Returns the option `features`, by default dim."""
        return options.get("features") or super().output_width(num_vectors, dim)

    @classmethod
    def parameter_count(cls, num_vectors: int, dim: Dim, **options: Any) -> int:
        """Returns gates · features · (dim + features + 1), of which the last is the bias."""
        features = cls.output_width(num_vectors, dim, **options)
        return cls.gates * features * (super().output_width(num_vectors, dim) + features + 1)

    @abc.abstractmethod
    def _new_cell(self, rngs: nnx.Rngs) -> nnx.RNNCellBase:
        """Returns the cell, whose maps are `dense_i` of the vectors and `dense_h` of the state."""

    @staticmethod
    @abc.abstractmethod
    def _step(dense_h: nnx.Linear, state: Any, of_x: Float[Array, "*batch gates"]) -> Any:
        """Returns the next state, from the last one and what `dense_i` makes of the next vector."""

    @abc.abstractmethod
    def _start(self, zeros: Float[Array, "*batch out"]) -> Any:
        """Returns the state of the cell before the first vector; its last array is what becomes y."""

    def combine(
        self,
        x: Float[Array, "*batch n dim"],
        mask: Bool[Array, "*batch n"],
        weights: Float[Array, "*batch n"] | None,
    ) -> Float[Array, "*batch out"]:
        """Reads the vectors present, slot by slot, and returns the last state."""
        del weights
        # A layer promotes to the widest dtype it meets; a state that did not start there would change it on the way.
        dtype = jnp.result_type(x, jnp.float32, self.cell.dense_h.kernel[...])
        start = self._start(jnp.zeros((*x.shape[:-2], self.out_dim), dtype))
        return jax.tree.leaves(_last_state(self._step, self.cell, start, x.astype(dtype), mask))[-1]


class GRU(_Recurrent):
    """Gated recurrent unit: h_i = (1 − z_i) ∘ c_i + z_i ∘ h_{i−1}, y = h_n, its width the option `features`.

    r_i, z_i = σ(x_i W + h_{i−1} U + b) and c_i = tanh(x_i W + b + r_i ∘ (h_{i−1} U)), each by a W, U and b of its own;
    the paper leaves b out and resets h before U, not after. The state starts at zero and stays as it is where a slot is
    masked. W starts with variance 1/dim, U with orthonormal rows over all three and b at zero. So z_i starts around ½:
    of what was read k vectors ago about 2⁻ᵏ remains, and y has a third or more of the inputs' scale.
    """

    name = "gru"
    formula = "y = h_n, h_i = (1 − z_i) ∘ tanh(x_i W + b + r_i ∘ (h_{i−1} U)) + z_i ∘ h_{i−1}, h_0 = 0"
    citation = (
        "Cho et al. 2014, Learning Phrase Representations using RNN Encoder–Decoder (flax's nnx.GRUCell: "
        "reset after the recurrent map)"
    )
    gates = 3
    use_when = "the vectors are a sequence, and what one means depends on those before it"
    loses = "what came early in a long bag, and large values: every number of y lies between −1 and 1"

    def _new_cell(self, rngs: nnx.Rngs) -> nnx.RNNCellBase:
        return nnx.GRUCell(self.dim, self.out_dim, param_dtype=jnp.result_type(float), rngs=rngs)

    @staticmethod
    def _step(dense_h: nnx.Linear, state: Any, of_x: Float[Array, "*batch gates"]) -> Any:
        reset_x, update_x, candidate_x = jnp.split(of_x, 3, axis=-1)
        reset_h, update_h, candidate_h = jnp.split(dense_h(state), 3, axis=-1)
        reset, update = jax.nn.sigmoid(reset_x + reset_h), jax.nn.sigmoid(update_x + update_h)
        candidate = jnp.tanh(candidate_x + reset * candidate_h)
        return (1 - update) * candidate + update * state

    def _start(self, zeros: Float[Array, "*batch out"]) -> Any:
        return zeros

    def numpy_reference(
        self, x: Sequence[np.ndarray], mask: np.ndarray, weights: np.ndarray | None
    ) -> np.ndarray:
        """Computes the recurrence over the slots present."""
        del weights
        h = np.zeros(self.out_dim, np.float64)
        for i in range(len(x)):
            if mask[i]:
                of_x = np.split(reference.dense(self.cell.dense_i, x[i].astype(np.float64)), 3)
                of_h = np.split(reference.dense(self.cell.dense_h, h), 3)
                reset = reference.sigmoid(of_x[0] + of_h[0])
                update = reference.sigmoid(of_x[1] + of_h[1])
                candidate = np.tanh(of_x[2] + reset * of_h[2])
                h = (1 - update) * candidate + update * h
        return h


class LSTM(_Recurrent):
    """Long short-term memory: c_i = f_i ∘ c_{i−1} + g_i ∘ u_i, h_i = o_i ∘ tanh(c_i), y = h_n of width `features`.

    The forget, input and output gates f_i, g_i, o_i = σ(x_i W + h_{i−1} U + b) and the candidate
    u_i = tanh(x_i W + h_{i−1} U + b) have a W, U and b each. Memory and state start at zero and stay as they are where
    a slot is masked. W starts with variance 1/dim, U with orthonormal rows over all four, b at zero but for the forget
    gate, where it is one: of the memory σ(1) ≈ 0.73 is kept from vector to vector, not the half that would fade before
    it can be learned from. The other gates are half open at first, so y starts at about a fifth of the inputs' scale.
    """

    name = "lstm"
    formula = "y = h_n, h_i = o_i ∘ tanh(c_i), c_i = f_i ∘ c_{i−1} + g_i ∘ tanh(x_i W + h_{i−1} U + b), h_0 = c_0 = 0"
    citation = (
        "Hochreiter & Schmidhuber 1997, Long Short-Term Memory; forget gate by Gers et al. 2000, its bias of one by "
        "Jozefowicz et al. 2015"
    )
    gates = 4
    use_when = "the vectors are a long sequence, and something far back must be remembered"
    loses = "what its memory gave up, and large values: every number of y lies between −1 and 1"

    def _new_cell(self, rngs: nnx.Rngs) -> nnx.RNNCellBase:
        dtype = jnp.result_type(float)
        # Has the eight maps of nnx.LSTMCell as two.
        return nnx.OptimizedLSTMCell(
            self.dim, self.out_dim, bias_init=_forget_bias_of_one, param_dtype=dtype, rngs=rngs
        )

    @staticmethod
    def _step(dense_h: nnx.Linear, state: Any, of_x: Float[Array, "*batch gates"]) -> Any:
        memory, h = state
        enter, forget, candidate, leave = jnp.split(of_x + dense_h(h), 4, axis=-1)
        memory = jax.nn.sigmoid(forget) * memory + jax.nn.sigmoid(enter) * jnp.tanh(candidate)
        return memory, jax.nn.sigmoid(leave) * jnp.tanh(memory)

    def _start(self, zeros: Float[Array, "*batch out"]) -> Any:
        return zeros, zeros

    def numpy_reference(
        self, x: Sequence[np.ndarray], mask: np.ndarray, weights: np.ndarray | None
    ) -> np.ndarray:
        """Computes the recurrence over the slots present."""
        del weights
        memory, h = np.zeros((2, self.out_dim), np.float64)
        for i in range(len(x)):
            if mask[i]:
                of_x = reference.dense(self.cell.dense_i, x[i].astype(np.float64))
                scores = np.split(of_x + reference.dense(self.cell.dense_h, h), 4)
                enter, forget, leave = (reference.sigmoid(scores[gate]) for gate in (0, 1, 3))
                memory = forget * memory + enter * np.tanh(scores[2])
                h = leave * np.tanh(memory)
        return h
