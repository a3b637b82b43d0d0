"""Measurements in many cells: finished ones are kept, so that a run that was stopped goes on where it was."""

import pathlib
import time
from collections.abc import Callable, Mapping
from typing import Any

from rich.console import Console
from rich.progress import track

from training.workdir import describe_difference, read_json, write_json

SAVE_SECONDS = 5.0


def measure_cells(
    path: pathlib.Path, settings: Mapping[str, Any], cells: Mapping[str, Callable[[], Any]], title: str
) -> dict[str, Any]:
    """Measures every cell that a file does not hold yet, and returns all, in the order of `cells`.

    The file is replaced whole every few seconds, and when anything ends the measurement early.

    Args:
      path: {"settings": …, "cells": {name: result}} as JSON; its folder must exist.
      settings: what the results depend on, besides the code.
      cells: name -> what measures it; results must be JSON values.
      title: of the progress bar, which only a terminal sees.

    Returns:
      name -> result.

    Raises:
      ValueError: if the file holds results of other settings; the difference is shown.
      Exception: whatever a cell raises; what was finished before is kept.
    """
    done: dict[str, Any] = {}
    if path.exists():
        there = read_json(path)
        if difference := describe_difference(there["settings"], settings):
            raise ValueError(
                f"{path} holds results of other settings ({difference}); choose another --config.output or delete it"
            )
        done = there["cells"]

    def save() -> None:
        write_json(path, {"settings": dict(settings), "cells": done})

    console = Console(stderr=True)
    left = [name for name in cells if name not in done]
    saved_at = time.monotonic()
    try:
        for name in track(left, title, console=console, disable=not console.is_terminal):
            done[name] = cells[name]()
            if time.monotonic() - saved_at >= SAVE_SECONDS:
                save()
                saved_at = time.monotonic()
    finally:
        if left:
            save()
    return {name: done[name] for name in cells}
