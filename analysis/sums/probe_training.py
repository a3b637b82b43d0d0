"""Probes: small models that learn, from examples, to read something back out of frozen vectors.

ridge   a linear map with a bias, argmin_W ‖X W − T‖² + λ N ‖W‖² in closed form, of standardised inputs
MLP     the ridge and, added to it, W₂ relu(W₁ x + b₁) + b₂, trained by Adam on what the ridge leaves over

The MLP starts as the ridge, so it is not behind where a linear map is all that is needed. What a probe does not find
may still be there for a larger one; what it finds in held-out examples is there.
"""

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Float32, Int

PENALTY = 1e-4  # λ
_CONSTANT = (
    1e-6  # an input that varies by less than this part of the one that varies most is taken as constant
)


@dataclasses.dataclass(frozen=True)
class Training:
    """How the MLP is trained.

    Attributes:
      hidden: units of the hidden layer.
      steps: of Adam, its rate falling to zero along a cosine.
      batch: examples per step, drawn with replacement.
      learning_rate: at the start.
    """

    hidden: int
    steps: int
    batch: int
    learning_rate: float


class Standardiser(NamedTuple):
    """(x − mean) / deviation; inputs that do not vary become zero."""

    mean: Float[np.ndarray, "*seeds 1 inputs"]
    scale: Float[np.ndarray, "*seeds 1 inputs"]

    def __call__(self, x: Float[np.ndarray, "*seeds N inputs"]) -> Float[np.ndarray, "*seeds N inputs"]:
        """Standardises examples."""
        return (x - self.mean) * self.scale


def fit_standardiser(x: Float[np.ndarray, "*seeds N inputs"]) -> Standardiser:
    """Returns the means and the reciprocal standard deviations of every seed's inputs."""
    deviation = x.std(axis=-2, keepdims=True)
    least = np.maximum(_CONSTANT * deviation.max(axis=-1, keepdims=True), np.finfo(float).tiny)
    varies = deviation > least
    return Standardiser(x.mean(axis=-2, keepdims=True), varies / np.where(varies, deviation, 1))


class Ridge(NamedTuple):
    """t = x W + b, of standardised x."""

    kernel: Float[np.ndarray, "*seeds inputs targets"]
    bias: Float[np.ndarray, "*seeds 1 targets"]

    def __call__(self, x: Float[np.ndarray, "*seeds N inputs"]) -> Float[np.ndarray, "*seeds N targets"]:
        """Predicts the targets."""
        return x @ self.kernel + self.bias


def fit_ridge(
    x: Float[np.ndarray, "*seeds N inputs"],
    targets: Float[np.ndarray, "*seeds N targets"],
    penalty: float = PENALTY,
) -> Ridge:
    """Solves (XᵀX / N + λ I) W = Xᵀ(T − b) / N with b the mean of T, for every seed.

    Args:
      x: standardised inputs, in float64.
      targets: in float64.
      penalty: λ.
    """
    bias, transposed = targets.mean(axis=-2, keepdims=True), np.swapaxes(x, -1, -2)
    gram = transposed @ x / x.shape[-2] + penalty * np.eye(x.shape[-1])
    return Ridge(np.linalg.solve(gram, transposed @ (targets - bias) / x.shape[-2]), bias)


class Mlp(NamedTuple):
    """t = ridge(x) + scale · (W₂ relu(W₁ x + b₁) + b₂); leaves of `layers` have a leading axis of seeds."""

    ridge: Ridge
    scale: Float[np.ndarray, "*seeds 1 targets"]
    layers: dict[str, Float[np.ndarray, "..."]]

    def __call__(self, x: Float[np.ndarray, "seeds N inputs"]) -> Float[np.ndarray, "seeds N targets"]:
        """Predicts the targets."""
        width = self.layers["W1"].shape[-2]
        rest = np.asarray(_predict(self.layers, _padded(x, width)), np.float64)
        return self.ridge(x) + self.scale * rest


def fit_mlp(
    x: Float[np.ndarray, "seeds N inputs"],
    targets: Float[np.ndarray, "seeds N targets"],
    ridge: Ridge,
    training: Training,
    seed: int = 0,
) -> Mlp:
    """Trains an MLP for every seed, all in one compiled program.

    Args:
      x: standardised inputs.
      targets: in float64.
      ridge: fitted to the same examples.
      training: sizes and steps.
      seed: of the initial weights and the batches; seed i of the leading axis draws its own.
    """
    left = targets - ridge(x)
    # Of targets that the ridge already has, hardly anything is left: that little is scaled up, learnt and scaled down.
    scale = np.maximum(np.sqrt(np.mean(left**2, axis=-2, keepdims=True)), 1e-9)
    num_seeds, num_examples, inputs = x.shape
    width, hidden, outputs = _padded_width(inputs), training.hidden, targets.shape[-1]
    # One stream for each: what a seed draws does not depend on how many stand beside it.
    rngs = [np.random.default_rng([seed, i]) for i in range(num_seeds)]
    first = np.stack([rng.standard_normal((width, hidden)) * np.sqrt(2 / inputs) for rng in rngs])
    layers = {
        "W1": first,
        "b1": np.zeros((num_seeds, hidden)),
        "W2": np.zeros((num_seeds, hidden, outputs)),
        "b2": np.zeros((num_seeds, outputs)),
    }
    batches = np.stack([rng.integers(num_examples, size=(training.steps, training.batch)) for rng in rngs])
    trained = _train(
        _padded(x, width),
        (left / scale).astype(np.float32),
        batches.astype(np.int32),
        {name: layer.astype(np.float32) for name, layer in layers.items()},
        training.learning_rate,
    )
    return Mlp(ridge, scale, jax.tree.map(np.asarray, trained))


def _padded_width(inputs: int) -> int:
    """Returns the next power of two from 64 on: zeros that are added change nothing, and fewer widths are compiled."""
    return max(64, 1 << (inputs - 1).bit_length())


def _padded(x: Float[np.ndarray, "seeds N inputs"], width: int) -> Float32[np.ndarray, "seeds N {width}"]:
    return np.pad(x.astype(np.float32), ((0, 0), (0, 0), (0, width - x.shape[-1])))


def _forward(
    layers: dict[str, Float[Array, "..."]], x: Float[Array, "*seeds N inputs"]
) -> Float[Array, "*seeds N targets"]:
    hidden = jax.nn.relu(x @ layers["W1"] + layers["b1"][..., None, :])
    return hidden @ layers["W2"] + layers["b2"][..., None, :]


@jax.jit
def _train(
    x: Float[Array, "seeds N inputs"],
    targets: Float[Array, "seeds N targets"],
    batches: Int[Array, "seeds steps batch"],
    layers: dict[str, Float[Array, "seeds ..."]],
    learning_rate: Float[Array, ""],
) -> dict[str, Float[Array, "seeds ..."]]:
    """Minimises the mean squared error of every seed by Adam, one step for every row of `batches`.

    Numbers are drawn outside, in NumPy: a generator inside would double the time to compile.
    """
    optimizer = optax.adam(optax.cosine_decay_schedule(learning_rate, batches.shape[1]))

    def train_one(
        x: Float[Array, "N inputs"],
        targets: Float[Array, "N targets"],
        batches: Int[Array, "steps batch"],
        layers: dict[str, Float[Array, "..."]],
    ) -> dict[str, Float[Array, "..."]]:
        def step(carry: tuple[Any, Any], rows: Int[Array, " batch"]) -> tuple[tuple[Any, Any], None]:
            layers, state = carry
            gradient = jax.grad(lambda p: jnp.mean((_forward(p, x[rows]) - targets[rows]) ** 2))(layers)
            updates, state = optimizer.update(gradient, state)
            return (optax.apply_updates(layers, updates), state), None

        return jax.lax.scan(step, (layers, optimizer.init(layers)), batches)[0][0]

    return jax.vmap(train_one)(x, targets, batches, layers)


_predict = jax.jit(_forward)
