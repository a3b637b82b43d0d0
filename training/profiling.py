"""Where the time of a training step goes: traces a moment of training and says what its operations are for."""

import collections
import contextlib
import pathlib
import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import jax
from rich.console import Console
from rich.table import Table

from . import workdir as files
from .profile_trace import LOOPS, OUTSIDE, PURPOSES, purpose, read_instructions, read_runs, time_by_operation

PROFILE_FOLDER, SUMMARY_FILE = "profile", "profile.json"
TRACE_SECONDS = 1.0  # of training; a trace of more is slow to open
LARGEST = 8  # operations that are named one by one

RoundOfAll = Callable[[Any, int], Any]  # see training/epochs.py


@contextlib.contextmanager
def profiled(
    train_all: RoundOfAll, num_rounds: int, folder: pathlib.Path | None, seconds: float = TRACE_SECONDS
) -> Iterator[RoundOfAll]:
    """Gives a function that trains as another does, and traces the second round that it is asked for, and on.

    The first one pays for what is done once; it is traced only if none comes after it. The trace ends after so many
    seconds, in the middle of a round too. When the context ends, however it does, what was traced is summed up in
    FOLDER/profile.json; what training computes is the same.

    Args:
      train_all: (state of all replicas, rounds done) -> (their state, metrics).
      num_rounds: of the whole training.
      folder: where the trace goes, and replaces what is there; None = no trace. Of several processes, the first traces.
      seconds: after which the trace ends, if training does not end before.
    """
    if folder is None or jax.process_index() > 0:
        yield train_all
        return
    recorder = _Recorder(folder, seconds)
    calls = 0

    def train(state: Any, rounds: int) -> Any:
        nonlocal calls
        calls += 1
        if calls == 2 or (calls == 1 and rounds + 1 >= num_rounds):
            recorder.start()
        if not recorder.is_on:
            return train_all(state, rounds)
        steps = int(state.step.sum())
        result = jax.block_until_ready(train_all(state, rounds))
        recorder.round_done(int(result[0].step.sum()) - steps)
        return result

    try:
        yield train
    finally:
        recorder.stop()
        recorder.write_summary()


class _Recorder:
    """A trace that a timer ends, and what was trained from its begin to the end of the round that it ended in."""

    def __init__(self, folder: pathlib.Path, seconds: float):
        self._folder, self._seconds = folder, seconds
        self._lock = threading.Lock()
        self._is_tracing = False
        self._timer = threading.Timer(seconds, self.stop)
        self._timer.daemon = True
        self._began = self._traced = self._trained = 0.0
        self._steps = 0
        self.is_on = False

    def start(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)
        jax.profiler.start_trace(str(self._folder), profiler_options=trace_options())
        self.is_on = self._is_tracing = True
        self._began = time.perf_counter()
        self._timer.start()

    def round_done(self, steps: int) -> None:
        """Counts a round's steps of all replicas."""
        self._trained = time.perf_counter() - self._began
        self._steps += steps
        if self._trained >= self._seconds:
            self.is_on = False

    def stop(self) -> None:
        """Ends the trace if it is on; the timer may do so while a round is under way."""
        self._timer.cancel()
        with self._lock:
            if self._is_tracing:
                self._is_tracing = False
                self._traced = time.perf_counter() - self._began
                jax.profiler.stop_trace()

    def write_summary(self) -> None:
        """Writes profile.json, if any step was traced."""
        if self._steps:
            (trace,) = self._folder.glob("plugins/profile/*/*.xplane.pb")
            summary = summarise_trace(trace, self._traced, self._trained / self._steps)
            files.write_json(self._folder / SUMMARY_FILE, summary)


def trace_options() -> jax.profiler.ProfileOptions:
    """Returns what a trace is to have in it: operations, but no calls of Python, each of which would slow it down."""
    options = jax.profiler.ProfileOptions()
    options.python_tracer_level = 0
    return options


def summarise_trace(trace: pathlib.Path, seconds: float, step_seconds: float) -> dict[str, Any]:
    """Says what a trace's time went to.

    Args:
      trace: an .xplane.pb file.
      seconds: how long it was on.
      step_seconds: what a step of one replica took meanwhile.

    Returns:
      {"seconds", "step_ms", "device", "purposes": {purpose: {"share", "ms"}}, "operations": [{"name", "origin",
      "purpose", "share", "ms"}]}, the largest first. A purpose's ms is its share of a step's; shares sum to 1, what is
      outside the program included.
    """
    instructions = read_instructions(trace)
    control = frozenset(name for name, found in instructions.items() if purpose(found) == LOOPS)
    times = time_by_operation(read_runs(trace), control)
    # Clocks differ by a little; a trace is never shorter than what it holds.
    whole = max(seconds * 1e9, sum(times.values()))
    by_purpose: collections.Counter[str] = collections.Counter(dict.fromkeys(PURPOSES, 0.0))
    for operation, nanoseconds in times.items():
        by_purpose[purpose(instructions.get(operation))] += nanoseconds
    by_purpose[OUTSIDE] = whole - sum(times.values())

    def share(nanoseconds: float) -> dict[str, float]:
        return {"share": nanoseconds / whole, "ms": nanoseconds / whole * step_seconds * 1e3}

    largest = sorted(times, key=times.get, reverse=True)[:LARGEST]
    return {
        "seconds": seconds,
        "step_ms": step_seconds * 1e3,
        "device": jax.devices()[0].device_kind,
        "purposes": {name: share(nanoseconds) for name, nanoseconds in by_purpose.items()},
        "operations": [
            {
                "name": operation.name,
                "origin": _short(instructions[operation].origin) if operation in instructions else "",
                "purpose": purpose(instructions.get(operation)),
                **share(times[operation]),
            }
            for operation in largest
        ],
    }


def _short(origin: str) -> str:
    """Returns what tells in the path of an operation: its last scopes, without what transformations add."""
    parts = [part for part in origin.split("/") if part not in ("while", "body", "closed_call", "cond")]
    return "/".join(part for part in parts[-3:] if not re.fullmatch(r"branch_\d+_fun|jit\(.*\)", part))


def print_profile(workdir: pathlib.Path) -> None:
    """Prints where the time of a run's steps goes, as its profile says; or that it has none."""
    folder = workdir / PROFILE_FOLDER
    console = Console(soft_wrap=True, markup=False, highlight=False)
    if not console.is_terminal:
        console.width = 140
    if not (folder / SUMMARY_FILE).exists():
        console.print(f"no profile: nothing was left to train in {workdir}")
        return
    summary = files.read_json(folder / SUMMARY_FILE)
    console.print(
        _table(
            f"where a step's {summary['step_ms']:.3f} ms go (traced for {summary['seconds']:.1f} s)",
            "what for",
            [(name, row) for name, row in summary["purposes"].items() if row["share"] >= 5e-4],
        )
    )
    console.print(
        _table(
            "the largest operations",
            "name: origin",
            [(f"{row['name']}: {row['origin']}", row) for row in summary["operations"]],
        )
    )
    console.print(
        f"trace in {folder}: open it in TensorBoard (pip install tensorboard xprof; tensorboard --logdir={folder}), or "
        f"{folder}/plugins/profile/*/*.trace.json.gz at https://ui.perfetto.dev"
    )


def _table(title: str, first: str, rows: Sequence[tuple[str, Mapping[str, Any]]]) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column(first)
    table.add_column("ms per step", justify="right")
    table.add_column("share", justify="right")
    for name, row in sorted(rows, key=lambda named: -named[1]["share"]):
        table.add_row(name, f"{row['ms']:.4f}", f"{row['share']:.1%}")
    return table
