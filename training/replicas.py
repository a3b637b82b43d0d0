"""The compiled training of some replicas: one model on one dataset, from several seeds, rates and initial scales."""

import contextlib
import dataclasses
import functools
import pathlib
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool
from rich.progress import Progress

import data

from .engine import Program, TrainState, init_state, is_active, replicate, train_epoch
from .network import make_network, make_program
from .pretrained import Pretrained, find_pretrained
from .progress import EpochProgress
from .streaming import StreamedEpochs, move_to_disk, split_bytes

EpochOfAll = Callable[
    [TrainState, int], Any
]  # (state of all replicas, epoch) -> (their state after it, metrics)


@dataclasses.dataclass(frozen=True)
class Replica:
    """What tells the replicas of one program apart."""

    seed: int
    learning_rate: float
    embedding_scale: float = 1.0


def replicas_of(config: Any) -> tuple[Replica, ...]:
    """Returns the replicas of a plain run: its seeds, with one rate and one scale."""
    return tuple(
        Replica(seed, config.optimizer.learning_rate, config.model.embedding_scale) for seed in config.seeds
    )


class Training:
    """The program that trains replicas of a config, with its data: traced when made, compiled when asked for.

    Tracing finds what is still wrong with a config. A training split of more than data.max_resident_bytes stays on
    disk and is streamed; its programs compile in their first epoch.

    Attributes:
      config: of the run; seeds, learning rate and initial scale may differ between replicas.
      dataset: its data.
      network: the model.
      program: what is fixed when it is compiled.
      num_replicas: how many train at once.
      compile_seconds: what compiling took; 0 before.
      num_rounds: epochs of the whole training.
      remedy: what helps against divergence, besides a lower learning rate.
    """

    remedy = "optimizer.clip_norm=1.0"

    def __init__(self, config: Any, dataset: data.Dataset, num_replicas: int):
        self.config = config
        self.dataset = dataset
        self.num_replicas = num_replicas
        self.num_rounds = config.train.epochs
        self.network = make_network(config, dataset.spec)
        self.program = make_program(config, self.network, dataset.spec, len(dataset.splits["train"]))
        self.compile_seconds = 0.0
        self._splits = {name: dataset.splits[name] for name in ("train", "validation")}
        self._is_streamed = split_bytes(dataset.splits["train"]) > config.data.max_resident_bytes
        self._starts = {config.model.embedding_scale: self._start_function(self.program)}
        self._compiled: Any = None
        self._lowered: Any = None
        if not self._is_streamed:
            epoch_of_all = replicate(
                functools.partial(train_epoch, program=self.program), config.engine.replicas
            )
            arrays = [host_arrays(split, self.program) for split in self._splits.values()]
            self._lowered = jax.jit(epoch_of_all, donate_argnums=0).lower(
                self.abstract_state, np.int32(0), *jax.tree.map(_abstract, arrays)
            )

    @functools.cached_property
    def pretrained(self) -> Pretrained | None:
        """The vectors that embeddings start from, None where they are random; read when first asked for."""
        return find_pretrained(self.config, self.dataset)

    @functools.cached_property
    def abstract_state(self) -> TrainState:
        """The shapes of the state of all replicas."""
        start = jax.vmap(functools.partial(init_state, program=self.program))
        seeds = jax.ShapeDtypeStruct((self.num_replicas,), jnp.uint32)
        rates = jax.ShapeDtypeStruct((self.num_replicas,), jnp.float32)
        return jax.eval_shape(start, seeds, rates)

    def start(self, replicas: Sequence[Replica]) -> TrainState:
        """Returns the state of replicas before their first step, in their order."""
        parts, order = [], []
        for scale in dict.fromkeys(replica.embedding_scale for replica in replicas):
            rows = [row for row, replica in enumerate(replicas) if replica.embedding_scale == scale]
            seeds = jnp.asarray([replicas[row].seed for row in rows], jnp.uint32)
            rates = jnp.asarray([replicas[row].learning_rate for row in rows], jnp.float32)
            state = self._start_at(scale)(seeds, rates)
            parts.append(self.pretrained.place(state, scale) if self.pretrained else state)
            order += rows
        if len(parts) == 1:
            return parts[0]
        places = np.argsort(order)
        return jax.tree.map(lambda *leaves: jnp.concatenate(leaves)[places], *parts)

    def rounds_done(self, state: TrainState) -> int:
        """Returns how many epochs the replicas have trained for."""
        return int(state.epoch.max())

    def is_active(self, state: TrainState) -> Bool[Array, " replicas"]:
        """Returns whether each replica still trains."""
        return is_active(state, self.program)

    def epoch_after(self, rounds: int) -> int:
        """Returns the epochs that so many rounds make: as many."""
        return rounds

    def make_progress(self, rounds: int, bar: Progress | None) -> EpochProgress:
        """Returns the display of a training that has done some epochs."""
        return EpochProgress(self.config, self.num_replicas, rounds, bar)

    def _start_at(self, scale: float) -> Callable[..., TrainState]:
        if scale not in self._starts:
            config = self.config.copy_and_resolve_references()
            config.model.embedding_scale = scale
            network = make_network(config, self.dataset.spec)
            self._starts[scale] = self._start_function(dataclasses.replace(self.program, network=network))
        return self._starts[scale]

    @staticmethod
    def _start_function(program: Program) -> Callable[..., TrainState]:
        return jax.jit(jax.vmap(functools.partial(init_state, program=program)))

    def compile(self) -> None:
        """Compiles what can be compiled beforehand, once; another thread may train meanwhile."""
        if self._compiled is None and self._lowered is not None:
            began = time.perf_counter()
            self._compiled = self._lowered.compile()
            self.compile_seconds = time.perf_counter() - began

    @contextlib.contextmanager
    def epochs(self, workdir: pathlib.Path) -> Iterator[EpochOfAll]:
        """Gives the function that trains all replicas for an epoch, while the context lasts.

        Splits that are streamed lie in files of the workdir meanwhile.
        """
        if not self._is_streamed:
            self.compile()
            arrays = [jax.device_put(host_arrays(split, self.program)) for split in self._splits.values()]
            yield lambda state, epoch: self._compiled(state, np.int32(epoch), *arrays)
            return
        folder = workdir / "examples"
        try:
            splits = {name: move_to_disk(split, folder / name) for name, split in self._splits.items()}
            yield StreamedEpochs(
                self.program,
                splits,
                {name: length_buckets(split, self.program) for name, split in splits.items()},
                self.num_replicas,
                self.config.engine.replicas,
                self.config.data.max_resident_bytes,
            )
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def host_arrays(split: data.Split, program: Program) -> dict[str, np.ndarray]:
    """Returns all of a split that training reads, with the length bucket of every example."""
    return {**split.inputs, "targets": split.targets, "bucket": length_buckets(split, program)}


def length_buckets(split: data.Split, program: Program) -> np.ndarray:
    """Returns for every example, int32 [N], the index of the least of program.widths that its slots fit in."""
    if len(program.widths) == 1:
        return np.zeros(len(split), np.int32)
    return np.searchsorted(program.widths, split.lengths).astype(np.int32)


def _abstract(array: np.ndarray) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(array.shape, array.dtype)
