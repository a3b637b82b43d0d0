"""The loop over epochs: every replica until it is done, with checkpoints, metric files and a clean stop."""

import contextlib
import pathlib
import signal
import time
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import numpy as np
from rich.progress import Progress

from .checkpoints import ResumeCheckpoints
from .engine import TrainState, is_active
from .metric_files import MetricFiles
from .progress import EpochProgress
from .replicas import EpochOfAll, Replica, Training


class DivergedError(ArithmeticError):
    """A loss stopped being a finite number."""


def train_replicas(
    training: Training,
    train_all: EpochOfAll,
    replicas: Sequence[Replica],
    workdir: pathlib.Path,
    checkpoints: ResumeCheckpoints,
    *,
    stop_on_divergence: bool,
    bar: Progress | None = None,
) -> tuple[TrainState, dict[str, float]]:
    """Trains until every replica is done: out of epochs, out of patience or diverged.

    Args:
      training: the program.
      train_all: of `training.epochs`.
      replicas: as many as the program has.
      workdir: where the metric files go.
      checkpoints: where the replicas go on from, if there are any, and where their state is saved.
      stop_on_divergence: whether a loss that is not finite ends it all, or that replica alone.
      bar: a progress display that is shown already; by default one of its own.

    Returns:
      The state of all replicas, and "train_seconds", what their epochs took, with "step_seconds", what one step of one
      replica took in the fastest epoch: other work on the machine makes an epoch longer, never shorter.

    Raises:
      DivergedError: see `stop_on_divergence`.
      KeyboardInterrupt: after SIGINT or SIGTERM, once the epoch under way is saved.
    """
    config = training.config
    restored = checkpoints.restore(training.abstract_state)
    if restored is None:
        state, timing = training.start(replicas), {"train_seconds": 0.0, "step_seconds": float("inf")}
    else:
        state, timing = restored

    epoch = int(state.epoch.max())
    saved_at, saved_epoch = time.perf_counter(), epoch
    with (
        MetricFiles(workdir, _names(replicas), epoch) as metric_files,
        EpochProgress(config, len(replicas), epoch, bar) as progress,
        _stop_signals() as stop,
    ):
        while epoch < config.train.epochs and bool(is_active(state, training.program).any()):
            steps_before = int(state.step.sum())
            began = time.perf_counter()
            state, metrics = train_all(state, epoch)
            metrics = jax.device_get(metrics)
            seconds = time.perf_counter() - began
            steps = int(state.step.sum()) - steps_before
            timing["train_seconds"] += seconds
            timing["step_seconds"] = min(timing["step_seconds"], seconds / steps)
            epoch += 1
            for split, values in metrics.items():
                metric_files.write(step=int(state.step.max()), epoch=epoch, split=split, metrics=values)
            progress.advance(epoch, metrics["validation"])
            if stop_on_divergence:
                _raise_if_diverged(replicas, state)
            is_due = time.perf_counter() - saved_at >= config.train.checkpoint_seconds
            if is_due or (stop.requested and epoch > saved_epoch):
                checkpoints.save(epoch, state, timing)
                saved_at, saved_epoch = time.perf_counter(), epoch
            if stop.requested:
                raise KeyboardInterrupt(f"stopped after epoch {epoch}; the same command goes on from there")
        if (
            stop.requested
        ):  # after the last look at it: what is trained is not lost, but what follows is not begun
            checkpoints.save(epoch, state, timing)
            raise KeyboardInterrupt("stopped after the last epoch; the same command goes on from there")
    return state, timing


def _names(replicas: Sequence[Replica]) -> list[str]:
    """Returns a name for every replica that says how it differs from the others."""
    rates = {replica.learning_rate for replica in replicas}
    scales = {replica.embedding_scale for replica in replicas}
    return [
        f"seed_{replica.seed}"
        + (f"_rate_{replica.learning_rate:g}" if len(rates) > 1 else "")
        + (f"_scale_{replica.embedding_scale:g}" if len(scales) > 1 else "")
        for replica in replicas
    ]


def _raise_if_diverged(replicas: Sequence[Replica], state: TrainState) -> None:
    steps = np.asarray(state.diverged_step)
    for replica, step in zip(replicas, steps, strict=True):
        if step >= 0:
            raise DivergedError(
                f"seed {replica.seed} diverged at step {step}: the loss is not finite. A lower "
                f"optimizer.learning_rate (now {replica.learning_rate}) or optimizer.clip_norm=1.0 may help"
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
