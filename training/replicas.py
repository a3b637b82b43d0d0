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

from .batches import Arrays, Batches
from .devices import cut_rows, make_layout, pad_rows, pad_tables
from .engine import EpochMetrics, TrainState, begin, draw_variables, init_state, is_active, train_epoch
from .memory import check_fits
from .network import make_network, make_program
from .plans import Plan, compile_plan
from .pretrained import Pretrained, find_pretrained
from .progress import EpochProgress
from .replication import choice
from .step import Network, Program, Variables
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
      layout: how the replicas lie on the devices.
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
        self.layout = make_layout(config.engine, num_replicas, config.train.batch_size)
        program = make_program(config, self.network, dataset.spec, len(dataset.splits["train"]))
        self.program = dataclasses.replace(
            program,
            network=self._on_devices(self.network),
            divide_batch=self.layout.divide_batch,
            choose=choice(self.layout.mode),
        )
        self.compile_seconds = 0.0
        self._splits = {name: dataset.splits[name] for name in ("train", "validation")}
        self._is_streamed = split_bytes(dataset.splits["train"]) > config.data.max_resident_bytes
        self._check_memory()
        self._starts: dict[tuple[float, int], Callable[..., TrainState]] = {}
        self._plan: Plan | None = None
        self._compiled: Any = None
        self._lowered: Any = None
        if not self._is_streamed:
            of_all = self.layout.replicate(functools.partial(train_epoch, program=self.program))
            arrays = [host_arrays(split, self.program) for split in self._splits.values()]
            steps = -(-len(dataset.splits["train"]) // self.program.batch_size)
            batch = (steps, self.program.batch_size)
            self._lowered = self.layout.jit(
                lambda state, rows, *rest: of_all((state, rows), *rest),
                (self._shardings, self.layout.everywhere),
                donate=True,
            ).lower(
                self.abstract_state,
                jax.ShapeDtypeStruct((num_replicas, *batch), jnp.int32, sharding=self.layout.by_replica),
                Batches(None, self._everywhere(batch, jnp.float32), self._everywhere(batch[:1], jnp.int32)),
                *jax.tree.map(lambda array: self._everywhere(array.shape, array.dtype), arrays),
            )

    @functools.cached_property
    def pretrained(self) -> Pretrained | None:
        """The vectors that embeddings start from, None where they are random; read when first asked for."""
        return find_pretrained(self.config, self.dataset)

    @functools.cached_property
    def abstract_state(self) -> TrainState:
        """The shapes of the state of all replicas, and where there are several devices, their shardings."""
        start = jax.vmap(functools.partial(init_state, program=self.program))
        seeds = jax.ShapeDtypeStruct((self.num_replicas,), jnp.uint32)
        rates = jax.ShapeDtypeStruct((self.num_replicas,), jnp.float32)
        return self.layout.of_state(jax.eval_shape(start, seeds, rates))

    def start(self, replicas: Sequence[Replica]) -> TrainState:
        """Returns the state of replicas before their first step, in their order."""
        parts, order = [], []
        for scale in dict.fromkeys(replica.embedding_scale for replica in replicas):
            rows = [row for row, replica in enumerate(replicas) if replica.embedding_scale == scale]
            seeds = np.array([replicas[row].seed for row in rows], np.uint32)
            rates = np.array([replicas[row].learning_rate for row in rows], np.float32)
            state = self._start_at(scale, len(rows))(seeds, rates)
            parts.append(self._with_pretrained(state, scale) if self.pretrained else state)
            order += rows
        places = np.argsort(order)
        state = parts[0]
        if len(parts) > 1:
            state = jax.tree.map(lambda *leaves: jnp.concatenate(leaves)[places], *parts)
        return self.layout.put_like(state, self.abstract_state)

    def best_variables(self, state: TrainState) -> Variables:
        """Returns the best parameters of all replicas, and the arrays that never change, on one device."""
        params, fixed = self.layout.gather((state.best_params, state.fixed))
        return Variables(cut_rows(params, self.network), fixed)

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

    def _start_at(self, scale: float, count: int) -> Callable[..., TrainState]:
        """Returns the function from seeds and rates to the state of so many replicas."""
        if (scale, count) not in self._starts:
            config = self.config.copy_and_resolve_references()
            config.model.embedding_scale = scale
            network = self._on_devices(make_network(config, self.dataset.spec))
            program = dataclasses.replace(self.program, network=network)
            # Tables too large for one device start where they belong; some of the replicas may divide otherwise.
            to = self._shardings if count == self.num_replicas else None
            draw = self.layout.jit(
                jax.vmap(functools.partial(draw_variables, program=program)),
                Variables(to.best_params, to.fixed) if to else None,
            )
            # Apart, because drawing takes as much memory besides as a state of such tables has.
            begin_all = self.layout.jit(jax.vmap(functools.partial(begin, program=program)), to, donate=True)
            self._starts[scale, count] = lambda seeds, rates: begin_all(draw(seeds), seeds, rates)
        return self._starts[scale, count]

    def _with_pretrained(self, state: TrainState, scale: float) -> TrainState:
        shards = self.layout.row_shards
        start = state._replace(best_params=cut_rows(state.best_params, self.network))
        state = self.pretrained.place(start, scale, self.program)
        return state._replace(
            params=pad_rows(state.params, shards), best_params=pad_rows(state.best_params, shards)
        )

    def _check_memory(self, *, free: bool = False) -> None:
        """Raises ValueError if the training is larger than memory is, or than what is free of it."""
        held = sum(map(split_bytes, self._splits.values()))
        examples = self.config.data.max_resident_bytes if self._is_streamed else held
        # Every replica's order of the examples, int32; see training/plans.py.
        examples += 4 * len(self._splits["train"]) * self.num_replicas // self.layout.replica_shards
        check_fits(self.abstract_state, examples=examples, dense=self.program.rows is None, free=free)

    def _on_devices(self, network: Network) -> Network:
        return pad_tables(network, self.layout.row_shards)

    @property
    def _shardings(self) -> Any:
        """The shardings of the state; None on one device."""
        return jax.tree.map(lambda shape: shape.sharding, self.abstract_state)

    def _everywhere(self, shape: tuple[int, ...], dtype: Any) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct(shape, dtype, sharding=self.layout.everywhere)

    def compile(self) -> None:
        """Compiles what can be compiled beforehand, once; another thread may train meanwhile."""
        if self._compiled is None and self._lowered is not None:
            began = time.perf_counter()
            self._plan = self._compile_plan()
            self._compiled = self._lowered.compile()
            self.compile_seconds = time.perf_counter() - began

    @contextlib.contextmanager
    def epochs(self, workdir: pathlib.Path) -> Iterator[EpochOfAll]:
        """Gives the function that trains all replicas for an epoch, while the context lasts.

        Splits that are streamed lie in files of the workdir meanwhile.

        Raises:
          ValueError: if there is not enough free memory.
        """
        self._check_memory(free=True)
        if not self._is_streamed:
            self.compile()
            arrays = [self.layout.put(host_arrays(split, self.program)) for split in self._splits.values()]
            yield functools.partial(self._train_epoch, arrays=arrays)
            return
        folder = workdir / "examples"
        try:
            splits = {name: move_to_disk(split, folder / name) for name, split in self._splits.items()}
            yield StreamedEpochs(
                self.program,
                splits,
                {name: length_buckets(split, self.program) for name, split in splits.items()},
                self.num_replicas,
                self.layout,
                self._shardings,
                self._compile_plan(),
                self.config.data.max_resident_bytes,
            )
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _compile_plan(self) -> Plan:
        num_examples = len(self._splits["train"])
        return compile_plan(self.layout, self.num_replicas, num_examples, self.program.batch_size)

    def _train_epoch(
        self, state: TrainState, epoch: int, arrays: list[Arrays]
    ) -> tuple[TrainState, EpochMetrics]:
        """Trains all replicas for an epoch; `arrays` are those of the training and of the validation split."""
        batches = self._plan(state.seed, state.epoch, np.int32(epoch), arrays[0]["bucket"])
        return self._compiled(state, batches.rows, batches._replace(rows=None), *arrays)


def host_arrays(split: data.Split, program: Program) -> dict[str, np.ndarray]:
    """Returns all of a split that training reads, with the length bucket of every example."""
    return {**split.inputs, "targets": split.targets, "bucket": length_buckets(split, program)}


def length_buckets(split: data.Split, program: Program) -> np.ndarray:
    """Returns for every example, int32 [N], the index of the least of program.widths that its slots fit in."""
    if len(program.widths) == 1:
        return np.zeros(len(split), np.int32)
    return np.searchsorted(program.widths, split.lengths).astype(np.int32)
