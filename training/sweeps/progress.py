"""How far a sweep is: trials done, failed and left, and the time left; lines in a log, a display on a terminal."""

import datetime
import sys
import time

from rich.progress import Progress

from training.progress import make_bar

from .plan import Arm


class SweepProgress:
    """Use as a context manager.

    Attributes:
      bar: the display, in which the trial under way may show a line of its own.
      failures: {arm: reason} of this attempt.
    """

    def __init__(self, total: int, finished_before: int):
        self.bar: Progress = make_bar()
        self.failures: dict[str, str] = {}
        self._total, self._before, self._done = total, finished_before, 0
        self._began = time.perf_counter()
        self._task = self.bar.add_task("trials", total=total, completed=finished_before, note="")
        if finished_before and self.bar.disable:
            self._say(f"{finished_before} of {total} trials were finished before")

    def __enter__(self) -> "SweepProgress":
        self.bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.stop()

    def finished(self, arm: Arm, seconds: float) -> None:
        """Shows that a trial is done."""
        self._done += 1
        self._advance(f"{arm.experiment}: {arm.label} done in {seconds:.0f} s")

    def failed(self, arm: Arm, reason: str) -> None:
        """Shows that a trial failed, and why."""
        self.failures[f"{arm.experiment}: {arm.label}"] = reason
        self._advance(f"{arm.experiment}: {arm.label} FAILED: {reason}")

    def _advance(self, event: str) -> None:
        attempted = self._done + len(self.failures)
        left = self._total - self._before - attempted
        seconds = (time.perf_counter() - self._began) / attempted * left
        note = f"{len(self.failures)} failed, {left} left, {datetime.timedelta(seconds=round(seconds))} to go"
        self.bar.update(self._task, completed=self._before + attempted, note=note)
        self._say(f"[{self._before + attempted}/{self._total}] {event}; {note}")

    def _say(self, line: str) -> None:
        if self.bar.disable:
            print(line, file=sys.stderr, flush=True)
        else:
            self.bar.console.print(line, markup=False, highlight=False)
