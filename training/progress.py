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


class EpochProgress:
    """Shows epochs done, the monitored validation metric as mean over seeds, and the time left."""

    def __init__(self, config: Any, epoch: int):
        self._monitor = config.train.monitor
        console = Console(stderr=True)
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[metric]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        name = f"{config.model.combiner}, {len(config.seeds)} seeds: epochs"
        self._task = self._bar.add_task(name, total=config.train.epochs, completed=epoch, metric="compiled")

    def __enter__(self) -> "EpochProgress":
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def advance(self, epoch: int, metrics: Mapping[str, np.ndarray]) -> None:
        """Shows that an epoch is done, with the validation metrics of each seed (NaN for those that rest)."""
        values = np.asarray(metrics[self._monitor])
        training = values[np.isfinite(values)]
        mean = f"{training.mean():.4f}" if training.size else "-"
        text = f"validation {self._monitor} {mean} ({training.size} training)"
        self._bar.update(self._task, completed=epoch, metric=text)
