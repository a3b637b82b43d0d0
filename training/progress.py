"""A progress bar for people: on a terminal only, so that logs stay clean."""

from collections.abc import Mapping
from typing import Any

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
    """Returns an empty progress display on the terminal; where there is none, it shows nothing."""
    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[note]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    )


class EpochProgress:
    """Shows epochs done, the monitored validation metric as mean over replicas, and the time left.

    A line of its own, or one in a display that is shown already.
    """

    def __init__(self, config: Any, num_replicas: int, epoch: int, bar: Progress | None = None):
        self._monitor = config.train.monitor
        self._owns_bar = bar is None
        self._bar = make_bar() if bar is None else bar
        name = f"{config.model.combiner}, {num_replicas} seeds: epochs"
        self._task = self._bar.add_task(name, total=config.train.epochs, completed=epoch, note="compiled")

    def __enter__(self) -> "EpochProgress":
        if self._owns_bar:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._owns_bar:
            self._bar.stop()
        else:
            self._bar.remove_task(self._task)

    def advance(self, epoch: int, metrics: Mapping[str, np.ndarray]) -> None:
        """Shows that an epoch is done, with the validation metrics of each replica (NaN for those that rest)."""
        values = np.asarray(metrics[self._monitor])
        training = values[np.isfinite(values)]
        mean = f"{training.mean():.4f}" if training.size else "-"
        text = f"validation {self._monitor} {mean} ({training.size} training)"
        self._bar.update(self._task, completed=epoch, note=text)
