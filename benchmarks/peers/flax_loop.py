"""The training loop of Flax's examples, as a contender: one `nnx.jit`-ed step with `nnx.Optimizer` per iteration."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jaxtyping import Array, Float

from benchmarks.ours import BATCH, EPSILON, LEARNING_RATE


def cross_entropy(outputs: Float[Array, "batch classes"], targets: Array) -> Float[Array, ""]:
    """Returns the mean cross-entropy of logits."""
    return optax.softmax_cross_entropy_with_integer_labels(outputs, targets).mean()


class FlaxTraining:
    """A loop in Python over examples that lie in host memory, in a new order every epoch.

    Attributes:
      model: that is trained.
      most_steps: of a round: one epoch.
    """

    steps = None

    def __init__(
        self,
        model: nnx.Module,
        inputs: Sequence[np.ndarray],
        targets: np.ndarray,
        *,
        batch: int = BATCH,
        loss: Callable[[Array, Array], Array] = cross_entropy,
    ):
        """Makes the optimiser and the step.

        Args:
          model: batch of inputs -> outputs.
          inputs: one array or several, each with a leading example axis.
          targets: of the loss.
          batch: examples of one step.
          loss: (outputs, targets) -> the mean loss.
        """
        self.model = model
        self._optimizer = nnx.Optimizer(model, optax.adam(LEARNING_RATE, eps=EPSILON), wrt=nnx.Param)
        self._inputs, self._targets, self._batch = inputs, targets, batch
        self.most_steps = len(targets) // batch
        self._order: Iterator[np.ndarray] = iter(())

        @nnx.jit
        def train_step(model: nnx.Module, optimizer: nnx.Optimizer, targets: Array, *inputs: Array) -> Array:
            value, gradients = nnx.value_and_grad(lambda model: loss(model(*inputs), targets))(model)
            optimizer.update(model, gradients)
            return value

        self._train_step = train_step

    def step(self, rows: np.ndarray) -> Any:
        """Takes a step on a batch and returns its loss."""
        inputs = [jnp.asarray(array[rows]) for array in self._inputs]
        return self._train_step(self.model, self._optimizer, jnp.asarray(self._targets[rows]), *inputs)

    def take(self, steps: int) -> None:
        """Takes so many steps."""
        for _ in range(steps):
            loss = self.step(self._next_rows())
        jax.block_until_ready((loss, nnx.state(self.model)))

    def losses(self, rows: np.ndarray) -> np.ndarray:
        """Takes one step for each row of example numbers [steps, batch], and returns their losses."""
        return np.array([float(self.step(batch)) for batch in rows])

    def _next_rows(self) -> np.ndarray:
        rows = next(self._order, None)
        if rows is None:
            permutation = np.random.default_rng().permutation(len(self._targets))
            self._order = iter(permutation[: self.most_steps * self._batch].reshape(-1, self._batch))
            rows = next(self._order)
        return rows
