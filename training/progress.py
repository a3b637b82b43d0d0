"""A progress bar for people: on a terminal only, so that logs stay clean."""

import time
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)


def make_bar() -> Progress:
    """Returns an empty progress display; it shows nothing where there is no terminal, or another process shows it."""
    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[note]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal or jax.process_index() > 0,
    )


class _Progress:
    """A line of its own, or one in a display that is shown already."""

    def __init__(self, name: str, total: int | float, completed: int | float, bar: Progress | None):
        self._owns_bar = bar is None
        self._bar = make_bar() if bar is None else bar
        self._task = self._bar.add_task(name, total=total, completed=completed, note="compiled")

    def __enter__(self) -> "_Progress":
        if self._owns_bar:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._owns_bar:
            self._bar.stop()
        else:
            self._bar.remove_task(self._task)


class EpochProgress(_Progress):
    """Shows epochs done, the monitored validation metric as mean over replicas, and the time left."""

    def __init__(self, config: Any, num_replicas: int, epoch: int, bar: Progress | None = None):
        self._monitor = config.train.monitor
        name = f"{config.model.combiner}, {num_replicas} seeds: epochs"
        super().__init__(name, config.train.epochs, epoch, bar)

    def advance(self, epoch: int, metrics: Mapping[str, Any]) -> None:
        """Shows that an epoch is done, with the validation metrics of each replica (NaN for those that rest)."""
        values = np.asarray(metrics["validation"][self._monitor])
        training = values[np.isfinite(values)]
        mean = f"{training.mean():.4f}" if training.size else "-"
        text = f"validation {self._monitor} {mean} ({training.size} training)"
        self._bar.update(self._task, completed=epoch, note=text)


class WordProgress(_Progress):
    """Shows millions of words read by all replicas, the mean loss, words per second, and the time left."""

    def __init__(
        self,
        name: str,
        words_read: Callable[[int], int],
        rounds: int,
        num_rounds: int,
        bar: Progress | None = None,
    ):
        self._words_read = words_read
        self._began, self._read_before = time.monotonic(), words_read(rounds)
        super().__init__(name, _millions(words_read(num_rounds)), _millions(self._read_before), bar)

    def advance(self, rounds: int, metrics: Mapping[str, Any]) -> None:
        """Shows that a round is done, with the training loss of each replica."""
        read = self._words_read(rounds)
        speed = (read - self._read_before) / (time.monotonic() - self._began)
        loss = np.asarray(metrics["train"]["loss"]).mean()
        note = f"loss {loss:.4f}, {speed:,.0f} words/s"
        self._bar.update(self._task, completed=_millions(read), note=note)


def _millions(words: int) -> float:
    return round(words / 1e6, 1)
