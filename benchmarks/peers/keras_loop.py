"""Keras's own training loop, `model.fit` on its JAX backend, as a contender."""

import os
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.ours import BATCH, EPSILON, LEARNING_RATE

os.environ["KERAS_BACKEND"] = "jax"  # before the first import of Keras: its backend cannot change later
import keras


class KerasTraining:
    """What a Keras user writes: compile, then fit over arrays in memory, shuffled every epoch.

    Attributes:
      model: that is trained.
      most_steps: of a round: one epoch.
    """

    steps = None

    def __init__(
        self,
        build: Callable[[Any], Any],
        inputs: np.ndarray,
        targets: np.ndarray,
        *,
        batch: int = BATCH,
        loss: Any = None,
    ):
        """Builds and compiles the model.

        Args:
          build: the module keras -> a model.
          inputs: one array or a list of them, with a leading example axis.
          targets: of the loss.
          batch: examples of one step.
          loss: of Keras; by default cross-entropy from logits.
        """
        self.model = build(keras)
        self.model.compile(
            optimizer=keras.optimizers.Adam(LEARNING_RATE, epsilon=EPSILON),
            loss=loss or keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        )
        self._inputs, self._targets, self._batch = inputs, targets, batch
        self.most_steps = len(targets) // batch

    def take(self, steps: int) -> None:
        """Takes so many steps."""
        stop = steps * self._batch
        self.model.fit(
            _rows(self._inputs, slice(stop)),
            self._targets[:stop],
            batch_size=self._batch,
            epochs=1,
            verbose=0,
        )

    def losses(self, rows: np.ndarray) -> np.ndarray:
        """Takes one step for each row of example numbers [steps, batch], and returns their losses."""
        losses = []
        for batch in rows:
            self.model.reset_metrics()  # what train_on_batch returns is a running mean
            losses.append(float(self.model.train_on_batch(_rows(self._inputs, batch), self._targets[batch])))
        return np.array(losses)


def _rows(inputs: Any, rows: Any) -> Any:
    return [array[rows] for array in inputs] if isinstance(inputs, list) else inputs[rows]
