"""One run from config to results.json: load, compile, train every seed, keep the best epoch, test once."""

import contextlib
import functools
import math
import pathlib
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import platformdirs

import data

from . import workdir as files
from .checkpoints import ResumeCheckpoints, save_best
from .engine import Program, TrainState, Variables, init_state, is_active, replicate, train_epoch
from .metric_files import MetricFiles
from .network import make_network, make_program
from .progress import EpochProgress
from .references import measure_references
from .results import diverged_seeds, make_results
from .streaming import StreamedEpochs, move_to_disk, split_bytes
from .trained import TrainedRun


class DivergedError(ArithmeticError):
    """A loss stopped being a finite number."""


def run(config: Any, workdir: pathlib.Path) -> dict[str, Any]:
    """Trains every seed of a configuration and tests the best epoch of each, once.

    A run that was interrupted goes on from its newest checkpoint and comes to the same result, bit for bit, as an
    undisturbed one. A finished run is not repeated: its results are returned.

    Args:
      config: the whole configuration, as configs/sentiment.py describes it.
      workdir: where the files of the run go.

    Returns:
      What results.json holds.

    Raises:
      ValueError: for a setting or data that cannot be, a workdir of another config, or one in use.
      DivergedError: if a loss is not finite and train.on_divergence is 'stop'.
      KeyboardInterrupt: after SIGINT or SIGTERM, once the epoch under way is saved.
    """
    _check(config)
    use_compilation_cache(config.engine.compilation_cache)
    with files.claim_workdir(workdir, config.to_dict()):
        if (workdir / files.CONFIG_FILE).exists() and (workdir / files.RESULTS_FILE).exists():
            return files.read_json(workdir / files.RESULTS_FILE)
        dataset = data.load(config.task, config.data)
        network = make_network(config, dataset.spec)
        program = make_program(config, network, dataset.spec, len(dataset.splits["train"]))
        engine = _Engine(config, program, dataset.splits)
        check_same_data(workdir, dataset)
        # Only now, when nothing more can be wrong with the config, does the workdir become its own.
        files.write_json(workdir / files.CONFIG_FILE, config.to_dict())
        files.write_json(workdir / files.DATA_FILE, _fingerprints(dataset))
        dataset.preprocessor.save(workdir / files.PREPROCESSOR_FILE)

        with ResumeCheckpoints(workdir) as checkpoints, engine.examples_on_disk(workdir):
            state, timing = _train(config, engine, workdir, checkpoints)
            best = Variables(state.best_params, state.fixed)
            save_best(workdir, best)
            state = jax.device_get(state)
            trained = TrainedRun(config, network, best, dataset.preprocessor, diverged_seeds(config, state))
            results = make_results(config, dataset, trained, state, timing)
            results["references"] = measure_references(config.task, dataset)
            files.write_json(workdir / files.RESULTS_FILE, results)
            checkpoints.delete()
    return results


def use_compilation_cache(folder: str) -> None:
    """Keeps compiled programs between runs: in a folder, the per-user cache folder ('') or nowhere ('off')."""
    if folder == "off":
        jax.config.update("jax_enable_compilation_cache", False)
        return
    folder = folder or str(pathlib.Path(platformdirs.user_cache_dir("combiner-ablations")) / "compiled")
    jax.config.update("jax_enable_compilation_cache", True)
    jax.config.update("jax_compilation_cache_dir", folder)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)


def check_same_data(workdir: pathlib.Path, dataset: data.Dataset) -> None:
    """Raises ValueError if a workdir's run was begun on other examples than these."""
    path = workdir / files.DATA_FILE
    if path.exists() and (
        changed := files.describe_difference(files.read_json(path), _fingerprints(dataset))
    ):
        splits = ", ".join(field.partition(":")[0] for field in changed.split(", "))
        raise ValueError(
            f"the data of {dataset.name} ({splits}) has changed since the run in {workdir} began; "
            "restore it, or train in another --workdir"
        )


def _fingerprints(dataset: data.Dataset) -> dict[str, str]:
    return {name: split.fingerprint() for name, split in dataset.splits.items()}


def _check(config: Any) -> None:
    if "task" not in config:
        raise ValueError(f"this config is of the analysis {config.get('analysis')!r}: give it to analyze.py")
    seeds = tuple(config.seeds)
    if not seeds or len(set(seeds)) < len(seeds) or not all(type(s) is int and 0 <= s < 2**32 for s in seeds):
        raise ValueError(f"seeds must be different integers from 0 to 2**32 - 1, got {seeds}")
    if config.train.on_divergence not in ("stop", "freeze"):
        raise ValueError(f"train.on_divergence must be stop or freeze, got {config.train.on_divergence!r}")
    for field, value in files.flatten(config.to_dict()).items():
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{field} must be a finite number, got {value}")
    for field in (
        "optimizer.learning_rate",
        "optimizer.weight_decay",
        "model.embedding_scale",
        "data.split_seed",
        "data.max_resident_bytes",
    ):
        section, _, name = field.partition(".")
        if config[section][name] < 0:
            raise ValueError(f"{field} must not be negative, got {config[section][name]}")


class _Engine:
    """The program of one run with its data: traced, which finds what is still wrong with a config, not yet compiled.

    A training split of more than data.max_resident_bytes stays on disk and is streamed.
    """

    def __init__(self, config: Any, program: Program, splits: Mapping[str, data.Split]):
        self.program = program
        self._config = config
        self._splits = {name: splits[name] for name in ("train", "validation")}
        self._is_streamed = split_bytes(splits["train"]) > config.data.max_resident_bytes
        start = jax.vmap(functools.partial(init_state, program=program))
        seeds = jnp.asarray(config.seeds, jnp.uint32)
        rates = jnp.full(len(config.seeds), config.optimizer.learning_rate, jnp.float32)
        self.start = functools.partial(jax.jit(start), seeds, rates)
        self.abstract_state = jax.eval_shape(start, seeds, rates)
        epoch_of_all = replicate(functools.partial(train_epoch, program=program), config.engine.replicas)
        arrays = [host_arrays(split, program) for split in self._splits.values()]
        self._lowered = jax.jit(epoch_of_all, donate_argnums=0).lower(
            self.abstract_state, np.int32(0), *jax.tree.map(_abstract, arrays)
        )

    @contextlib.contextmanager
    def examples_on_disk(self, workdir: pathlib.Path) -> Iterator[None]:
        """Keeps the inputs of splits that are streamed in files of the workdir, while the context lasts."""
        if not self._is_streamed:
            yield
            return
        folder = workdir / "examples"
        try:
            self._splits = {name: move_to_disk(split, folder / name) for name, split in self._splits.items()}
            yield
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def compile(self) -> Callable[[TrainState, int], Any]:
        """Returns (state of all replicas, epoch) -> (their state after it, metrics)."""
        config = self._config
        if self._is_streamed:
            buckets = {name: length_buckets(split, self.program) for name, split in self._splits.items()}
            return StreamedEpochs(
                self.program,
                self._splits,
                buckets,
                len(config.seeds),
                config.engine.replicas,
                config.data.max_resident_bytes,
            )
        arrays = [jax.device_put(host_arrays(split, self.program)) for split in self._splits.values()]
        compiled = self._lowered.compile()
        return lambda state, epoch: compiled(state, np.int32(epoch), *arrays)


def _train(
    config: Any, engine: _Engine, workdir: pathlib.Path, checkpoints: ResumeCheckpoints
) -> tuple[TrainState, dict[str, float]]:
    """Trains until every replica is done; returns their state and the seconds it took."""
    began = time.perf_counter()
    train_all = engine.compile()
    timing = {"compile_seconds": time.perf_counter() - began, "train_seconds": 0.0}

    restored = checkpoints.restore(engine.abstract_state)
    if restored is None:
        state = engine.start()
    else:
        state, timing["train_seconds"] = restored[0], restored[1]["train_seconds"]

    epoch = int(state.epoch.max())
    saved_at, saved_epoch = time.perf_counter(), epoch
    with (
        MetricFiles(workdir, config.seeds, epoch) as metric_files,
        EpochProgress(config, epoch) as progress,
        _stop_signals() as stop,
    ):
        while epoch < config.train.epochs and bool(is_active(state, engine.program).any()):
            began = time.perf_counter()
            state, metrics = train_all(state, epoch)
            metrics = jax.device_get(metrics)
            timing["train_seconds"] += time.perf_counter() - began
            epoch += 1
            for split, values in metrics.items():
                metric_files.write(step=int(state.step.max()), epoch=epoch, split=split, metrics=values)
            progress.advance(epoch, metrics["validation"])
            if config.train.on_divergence == "stop":
                _raise_if_diverged(config, state)
            is_due = time.perf_counter() - saved_at >= config.train.checkpoint_seconds
            if is_due or (stop.requested and epoch > saved_epoch):
                checkpoints.save(epoch, state, {"train_seconds": timing["train_seconds"]})
                saved_at, saved_epoch = time.perf_counter(), epoch
            if stop.requested:
                raise KeyboardInterrupt(f"stopped after epoch {epoch}; the same command goes on from there")
    return state, timing


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


def _raise_if_diverged(config: Any, state: TrainState) -> None:
    steps = np.asarray(state.diverged_step)
    for seed, step in zip(config.seeds, steps, strict=True):
        if step >= 0:
            raise DivergedError(
                f"seed {seed} diverged at step {step}: the loss is not finite. A lower optimizer.learning_rate "
                f"(now {config.optimizer.learning_rate}) or optimizer.clip_norm=1.0 may help"
            )


class _StopRequest:
    requested = False


@contextlib.contextmanager
def _stop_signals() -> Iterator[_StopRequest]:
    """Turns the first SIGINT or SIGTERM into a request to stop after the epoch; the second acts at once."""
    stop = _StopRequest()
    previous: dict[int, Any] = {}

    def handle(number: int, frame: Any) -> None:
        del frame
        stop.requested = True
        signal.signal(number, previous[number])

    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            previous[number] = signal.signal(number, handle)
    except ValueError:  # not the main thread: signals are not ours to catch
        pass
    try:
        yield stop
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
