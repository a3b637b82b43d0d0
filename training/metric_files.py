"""Metrics as they come: JSON lines for programs, TensorBoard events for eyes."""

import json
import math
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np

from data.atomic import write_text


class MetricFiles:
    """WORKDIR/metrics.jsonl and WORKDIR/events…; use as a context manager.

    One line is one object: {"step", "epoch", "split", metric: [one value per replica], …}; a value that is not finite
    is null. Lines and events after `epoch` are dropped when a run is resumed there, so that the file of an interrupted
    run equals that of an undisturbed one.
    """

    def __init__(self, workdir: pathlib.Path, replicas: Sequence[str], epoch: int | float):
        from .event_file import EventFile  # slow to import

        self._path = workdir / "metrics.jsonl"
        self._replicas = replicas
        kept = self._path.read_text("utf-8").splitlines() if self._path.exists() else []
        kept = [line for line in kept if _belongs(line, epoch)]
        write_text(self._path, "".join(f"{line}\n" for line in kept))
        self._file = self._path.open("a", encoding="utf-8")
        last_step = json.loads(kept[-1])["step"] if kept else -1
        self._events = EventFile(workdir, first_step=last_step + 1)

    def __enter__(self) -> "MetricFiles":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._events.close()

    def write(self, *, step: int, epoch: int | float, split: str, metrics: Mapping[str, np.ndarray]) -> None:
        """Appends the metrics of one split after one epoch; each is an array with one value per replica."""
        values = {
            name: [float(v) if math.isfinite(v) else None for v in array] for name, array in metrics.items()
        }
        line = json.dumps({"step": step, "epoch": epoch, "split": split, **values}, allow_nan=False)
        self._file.write(line + "\n")
        self._file.flush()
        for name, array in metrics.items():
            running = {r: float(v) for r, v in zip(self._replicas, array, strict=True) if math.isfinite(v)}
            for replica, value in running.items():
                self._events.add_scalar(f"{name}/{split}/{replica}", value, step)
            if len(running) == len(self._replicas):  # a mean over fewer seeds is another quantity
                self._events.add_scalar(f"{name}/{split}/mean", float(np.mean(array)), step)
        self._events.flush_now_and_then()


def _belongs(line: str, epoch: int | float) -> bool:
    """Returns whether a line was written by this epoch; one that a kill cut short was not."""
    try:
        return json.loads(line)["epoch"] <= epoch
    except json.JSONDecodeError:
        return False
