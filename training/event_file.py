"""TensorBoard's events of a run; import it late, since tensorboardX loads PyTorch where that is installed."""

import pathlib
import time
from typing import Any

from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto.event_pb2 import Event, SessionLog
from tensorboardX.summary import scalar

FLUSH_SECONDS = 10.0  # between two writes to disk, each of which waits for the disk


class EventFile:
    """WORKDIR/events…, one for every start of a run."""

    def __init__(self, workdir: pathlib.Path, first_step: int):
        # Not a SummaryWriter: the thread that it writes from outlives a full disk, with a traceback of its own.
        self._events = EventsWriter(str(workdir / "events"))
        self._flushed_at = time.monotonic()
        # TensorBoard hides what an interrupted run wrote from this step on.
        self._add(step=first_step, session_log=SessionLog(status=SessionLog.START))

    def add_scalar(self, name: str, value: float, step: int) -> None:
        """Adds a point to a curve."""
        self._add(step=step, summary=scalar(name, value))

    def flush_now_and_then(self) -> None:
        """Writes to disk what is new, if the last time is long enough ago."""
        if time.monotonic() - self._flushed_at >= FLUSH_SECONDS:
            self._events.flush()
            self._flushed_at = time.monotonic()

    def close(self) -> None:
        """Writes what is new and ends the file."""
        self._events.close()

    def _add(self, **fields: Any) -> None:
        self._events.write_event(Event(wall_time=time.time(), **fields))
