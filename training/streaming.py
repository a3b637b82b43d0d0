"""Epochs over splits that stay on disk: the host gathers the examples of some steps while the device takes others.

The order of the examples, the steps and the random numbers are those of `engine.train_epoch`; only where the examples
lie differs, so that the results are the same.
"""

import dataclasses
import functools
import pathlib
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int

import data

from .batches import Arrays, Batches, Chunk, batch_indices
from .devices import Layout
from .engine import (
    EpochMetrics,
    TrainState,
    current_variables,
    evaluate_steps,
    finish_epoch,
    is_active,
    no_metrics,
    take_steps,
)
from .plans import Plan
from .step import Program, Sums


def move_to_disk(split: data.Split, folder: pathlib.Path) -> data.Split:
    """Writes the inputs of a split to files in a folder and returns it with memory maps of them instead."""
    folder.mkdir(parents=True, exist_ok=True)
    inputs = {}
    for index, (name, array) in enumerate(split.inputs.items()):
        path = folder / f"{index}.npy"  # a column's name may be no file's
        np.save(path, array)
        inputs[name] = np.load(path, mmap_mode="r")
    return dataclasses.replace(split, inputs=inputs)


def split_bytes(split: data.Split) -> int:
    """Returns how much memory the inputs of a split take."""
    return sum(array.nbytes for array in split.inputs.values())


class StreamedEpochs:
    """Trains all replicas for an epoch at a time: (state, epoch) -> (state, metrics). Compiles in its first epoch."""

    def __init__(
        self,
        program: Program,
        splits: dict[str, data.Split],
        buckets: dict[str, np.ndarray],
        num_replicas: int,
        layout: Layout,
        shardings: Any,
        plan: Plan,
        max_bytes: int,
    ):
        """Cuts epochs into chunks.

        Args:
          program: what is fixed when the engine is compiled.
          splits: "train" and "validation".
          buckets: of the examples of both, indices into program.widths.
          num_replicas: each has its own order, and so its own chunks.
          layout: of the replicas.
          shardings: of their state, where there are several devices.
          plan: of the batches of an epoch.
          max_bytes: of the inputs that lie in device memory at a time. Two chunks do: one in use, one to come.
        """
        self._program, self._splits, self._layout = program, splits, layout
        self._targets = layout.put({name: np.asarray(split.targets) for name, split in splits.items()})
        self._bucket = layout.put(buckets["train"])
        self._validation = jax.device_get(
            batch_indices(jnp.asarray(buckets["validation"]), program.batch_size)
        )
        train = splits["train"]
        step_bytes = program.batch_size * num_replicas * split_bytes(train) // len(train)
        self._steps = max(1, max_bytes // (2 * max(1, step_bytes)))

        def of_all(function: Callable[..., Any]) -> Callable[..., Any]:
            return layout.replicate(functools.partial(function, program=program))

        self._plan = plan
        self._train = layout.jit(
            lambda state, arrays, *shared: of_all(_train_chunk)((state, arrays), *shared),
            (shardings, layout.everywhere),
            donate=True,
        )
        self._evaluate = layout.jit(of_all(_evaluate_chunk), layout.everywhere)
        self._finish = layout.jit(
            lambda state, sums, targets: of_all(_finish)((state, sums), targets),
            (shardings, layout.everywhere),
            donate=True,
        )

    def __call__(self, state: TrainState, epoch: int) -> tuple[TrainState, EpochMetrics]:
        """Returns the state of all replicas after one more epoch, and its metrics."""
        batches = self._plan(state.seed, state.epoch, np.int32(epoch), self._bucket)
        batches = jax.device_get(self._layout.gather(batches))
        train_sums, validation_sums = [], []
        for first, chunk in self._chunks("train", batches):
            state, sums = self._train(state, chunk.arrays, chunk.width_index, np.int32(first))
            train_sums.append(sums)
        for _, chunk in self._chunks("validation", self._validation):
            validation_sums.append(self._evaluate(state, chunk))
        sums = {"train": _join(train_sums), "validation": _join(validation_sums)}
        return self._finish(state, sums, self._targets)

    def _chunks(self, name: str, batches: Batches) -> Iterator[tuple[int, Chunk]]:
        """Yields the place of a chunk's first step and its examples; rows [*replicas, steps, batch]."""
        split = self._splits[name]
        arrays = {**split.inputs, "targets": split.targets}
        replicas = ("replicas",) * (batches.rows.ndim - 2)
        num_steps = batches.width_index.shape[-1]
        for first in range(0, num_steps, self._steps):
            steps = slice(first, first + self._steps)
            rows = batches.rows[..., steps, :]
            gathered = {key: array[rows] for key, array in arrays.items()}
            gathered["present"] = np.broadcast_to(batches.present[steps], rows.shape)
            widths = self._layout.put(batches.width_index[steps])
            yield first, Chunk(self._layout.put(gathered, *replicas, None, "batch"), widths)


def _train_chunk(
    replica: tuple[TrainState, Arrays], width_index: Int[Array, " steps"], first: Array, program: Program
) -> tuple[TrainState, Sums]:
    state, arrays = replica
    chunk = Chunk(arrays, width_index)

    def run(state: TrainState) -> tuple[TrainState, Sums]:
        return take_steps(state, chunk, first, lambda batch: batch.arrays, program)

    def rest(state: TrainState) -> tuple[TrainState, Sums]:
        shapes = jax.eval_shape(run, state)[1]
        return state, jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), shapes)

    return program.choose(is_active(state, program), run, rest, state)


def _evaluate_chunk(state: TrainState, chunk: Chunk, program: Program) -> Sums:
    variables = current_variables(state, program)
    return evaluate_steps(variables, chunk, lambda batch: batch.arrays, program)


def _finish(
    replica: tuple[TrainState, dict[str, Sums]], targets: dict[str, Array], program: Program
) -> tuple[TrainState, EpochMetrics]:
    state, sums = replica
    return program.choose(
        is_active(state, program),
        lambda state: finish_epoch(state, sums, targets, program),
        lambda state: (state, no_metrics(program)),
        state,
    )


def _join(sums: list[Sums]) -> Sums:
    """Joins the sums [replicas, steps] of all chunks."""
    return jax.tree.map(lambda *parts: jnp.concatenate(parts, axis=1), *sums)
