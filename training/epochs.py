"""The loop over rounds of training: until every replica is done, with checkpoints, metric files and a clean stop."""

import contextlib
import pathlib
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol, runtime_checkable

import jax
import numpy as np
from rich.progress import Progress

from .checkpoints import ResumeCheckpoints
from .large_pages import use_large_pages
from .metric_files import MetricFiles
from .processes import any_of
from .replicas import Replica


class DivergedError(ArithmeticError):
    """A loss stopped being a finite number."""


@runtime_checkable
class Trainable(Protocol):
    """Replicas that are trained together, round by round: an epoch each, or a stretch of a long text.

    Attributes:
      config: of the run.
      num_rounds: of the whole training.
      abstract_state: the shapes of the state of all replicas, which counts step and diverged_step of each.
      remedy: what helps against divergence, besides a lower learning rate.
    """

    config: Any
    num_rounds: int
    abstract_state: Any
    remedy: str

    def start(self, replicas: Sequence[Replica]) -> Any:
        """Returns the state of replicas before their first step."""

    def rounds_done(self, state: Any) -> int:
        """Returns how many rounds a state has behind it."""

    def is_active(self, state: Any) -> Any:
        """Returns whether each replica still trains."""

    def epoch_after(self, rounds: int) -> int | float:
        """Returns the epochs that so many rounds make."""

    def make_progress(self, rounds: int, bar: Progress | None) -> Any:
        """Returns a context whose `advance(rounds, metrics)` shows what is done; see training/progress.py."""


RoundOfAll = Callable[
    [Any, int], Any
]  # (state of all replicas, rounds done) -> (state after one more, metrics)


def train_replicas(
    training: Trainable,
    train_all: RoundOfAll,
    replicas: Sequence[Replica],
    workdir: pathlib.Path,
    checkpoints: ResumeCheckpoints,
    *,
    stop_on_divergence: bool,
    bar: Progress | None = None,
) -> tuple[Any, dict[str, float]]:
    """Trains until every replica is done: out of rounds, out of patience or diverged.

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
    use_large_pages(jax.block_until_ready(state))

    rounds = training.rounds_done(state)
    saved_at, saved_rounds = time.perf_counter(), rounds
    with (
        MetricFiles(workdir, _names(replicas), training.epoch_after(rounds)) as metric_files,
        training.make_progress(rounds, bar) as progress,
        _stop_signals() as stop,
    ):
        while rounds < training.num_rounds and bool(training.is_active(state).any()):
            steps_before = int(state.step.sum())
            began = time.perf_counter()
            state, metrics = train_all(state, rounds)
            metrics = jax.device_get(metrics)
            seconds = time.perf_counter() - began
            steps = int(state.step.sum()) - steps_before
            timing["train_seconds"] += seconds
            timing["step_seconds"] = min(timing["step_seconds"], seconds / steps)
            rounds += 1
            epoch = training.epoch_after(rounds)
            for split, values in metrics.items():
                metric_files.write(step=int(state.step.max()), epoch=epoch, split=split, metrics=values)
            progress.advance(rounds, metrics)
            if stop_on_divergence:
                _raise_if_diverged(training, replicas, state)
            is_due = time.perf_counter() - saved_at >= config.train.checkpoint_seconds
            # Several processes save, and stop, together.
            is_due, must_stop = any_of(is_due, stop.requested)
            if is_due or (must_stop and rounds > saved_rounds):
                checkpoints.save(rounds, state, timing)
                saved_at, saved_rounds = time.perf_counter(), rounds
            if must_stop:
                raise KeyboardInterrupt(
                    f"stopped after epoch {epoch:.4g}; the same command goes on from there"
                )
        (must_stop,) = any_of(stop.requested)
        if must_stop:  # since the last look at it: what is trained is kept, what follows is not begun
            checkpoints.save(rounds, state, timing)
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


def _raise_if_diverged(training: Trainable, replicas: Sequence[Replica], state: Any) -> None:
    steps = np.asarray(state.diverged_step)
    for replica, step in zip(replicas, steps, strict=True):
        if step >= 0:
            raise DivergedError(
                f"seed {replica.seed} diverged at step {step}: the loss is not finite. A lower "
                f"optimizer.learning_rate (now {replica.learning_rate}) or {training.remedy} may help"
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
