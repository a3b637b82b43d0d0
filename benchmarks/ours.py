"""Our engine as a contender: the very program that train.py runs, on arrays that a benchmark made."""

import contextlib
import functools
import pathlib
import tempfile
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Float, Int

import data
from training.batches import batch_at, epoch_keys, plan_epoch
from training.engine import take_steps
from training.large_pages import use_large_pages
from training.replicas import Replica, Training

LEARNING_RATE = 1e-3
# Of Adam, for all contenders. Some add it before the bias correction, some after, which makes no difference when it is
# small beside every gradient, and one in a hundred of a GRU's words is below 2e-11. The usual 1e-8 would hide other
# differences.
EPSILON = 1e-16
BATCH = 128


class EngineTraining:
    """Our training: a round is one epoch, validation and the choice of the best epoch included.

    The validation split is one batch, so that it costs next to nothing.

    Attributes:
      training: the compiled program.
      steps: of one epoch, and so of a round.
      most_steps: the same.
      updates_rows: whether a step updates the rows of its batch alone.
    """

    def __init__(self, config: Any, dataset: data.Dataset, seeds: int = 1):
        self.training = Training(config, dataset, seeds)
        self.updates_rows = self.training.program.rows is not None
        self.steps = self.most_steps = -(-len(dataset.splits["train"]) // config.train.batch_size)
        self._state = self.training.start(
            [Replica(seed, LEARNING_RATE, config.model.embedding_scale) for seed in range(seeds)]
        )
        use_large_pages(jax.block_until_ready(self._state))
        self._epochs_done = 0
        self._stack = contextlib.ExitStack()
        folder = pathlib.Path(self._stack.enter_context(tempfile.TemporaryDirectory()))
        self._epoch = self._stack.enter_context(self.training.epochs(folder))

    def take(self, steps: int) -> None:
        """Trains one epoch, which is all that it can."""
        if steps != self.steps:
            raise ValueError(f"an epoch has {self.steps} steps, not {steps}")
        self._state, _ = jax.block_until_ready(self._epoch(self._state, self._epochs_done))
        self._epochs_done += 1


def plain(config: Any, *, sparse: str = "auto") -> Any:
    """Returns a config of a task with what the peers have as well: Adam at a constant rate, no decay, no dropout.

    Args:
      config: of the task; changed.
      sparse: optimizer.sparse.
    """
    config.train.batch_size, config.train.patience, config.train.length_buckets = BATCH, 10**6, 1
    config.model.dropout = 0.0
    if "word_dropout" in config.model:
        config.model.word_dropout = 0.0
    optimizer = config.optimizer
    optimizer.name, optimizer.learning_rate, optimizer.weight_decay = "adam", LEARNING_RATE, 0.0
    optimizer.schedule, optimizer.clip_norm, optimizer.sparse = "constant", None, sparse
    optimizer.options = {"eps": EPSILON}
    return config


def make_dataset(
    name: str,
    spec: data.Spec,
    inputs: Mapping[str, np.ndarray],
    targets: np.ndarray,
    batch: int = BATCH,
    lengths: np.ndarray | None = None,
) -> data.Dataset:
    """Returns arrays as a dataset whose validation split is its first batch.

    Args:
      name: of the dataset.
      spec: of what the model reads.
      inputs: of the training split.
      targets: of the training split.
      batch: examples of the validation split.
      lengths: slots that each example fills, where that differs.
    """

    def split(stop: int) -> data.Split:
        arrays = {key: array[:stop] for key, array in inputs.items()}
        filled = None if lengths is None else lengths[:stop]
        return data.Split(inputs=arrays, targets=targets[:stop], ids=[""] * stop, lengths=filled)

    splits = {"train": split(len(targets)), "validation": split(batch)}
    return data.Dataset(name=name, splits=splits, spec=spec, preprocessor=None)


def first_losses(
    config: Any, dataset: data.Dataset
) -> tuple[Any, Int[np.ndarray, "steps batch"], Float[np.ndarray, " steps"]]:
    """Trains one epoch.

    Returns:
      The model at its start, which examples made each batch, and the mean loss of each.
    """
    training = Training(config, dataset, 1)
    replicas = training.start([Replica(0, LEARNING_RATE, config.model.embedding_scale)])
    state = jax.tree.map(lambda leaf: leaf[0], replicas)
    # Before the first step the best parameters are the initial ones, without any state of the optimiser beside them.
    model = nnx.merge(training.network.graphdef, jax.tree.map(jnp.copy, state.best_params), state.fixed)
    split = dataset.splits["train"]
    train = {name: jnp.asarray(array) for name, array in {**split.inputs, "targets": split.targets}.items()}
    bucket = jnp.zeros(len(split), jnp.int32)
    order_key, _ = epoch_keys(state.seed, state.epoch)
    batches = plan_epoch(order_key, jnp.int32(0), bucket, training.program.batch_size)
    step = functools.partial(take_steps, program=training.program)
    _, sums = jax.jit(lambda state, batches: step(state, batches, 0, lambda batch: batch_at(train, batch)))(
        state, batches
    )
    present = np.asarray(batches.present).sum(axis=1)
    return model, np.asarray(batches.rows), np.asarray(sums["loss"]) / present
