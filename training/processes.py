"""Several processes that train one run together: how they find each other, agree, and end when one is lost.

All of them do the same, on the same data; each has some of the devices (training/devices.py). The first one's files are
the run's; what the others would write goes to temporary folders. Checkpoints alone are written by all, each its own
part, so the workdir must be a folder that all of them see.
"""

import atexit
import contextlib
import ctypes
import os
import pathlib
import signal
import sys
import tempfile
from collections.abc import Iterator

import jax
import numpy as np
from jax.experimental import multihost_utils

LOST = (
    "another process of this run was lost, never came, or ended with an error of its own; started again, all go on "
    "from the newest checkpoint"
)
SHUTDOWN_SECONDS = 30  # that processes wait for each other at the end
# What errors say that are raised where another process does not answer: by Gloo on CPUs, NCCL on GPUs, JAX or Orbax.
_SIGNS_OF_LOSS = ("gloo", "nccl", "coordination", "unavailable", "connection reset", "connection closed")


@contextlib.contextmanager
def joined(
    coordinator: str | None,
    process_id: int | None,
    num_processes: int | None,
    *,
    detect: bool = False,
    lost_after: int = 100,
) -> Iterator[None]:
    """Makes this process one of several while the context lasts; call it before anything that asks for devices.

    Args:
      coordinator: HOST:PORT of the first process, the same for all; None for a run of one process, or to detect it.
      process_id: of this process, from 0.
      num_processes: of the run.
      detect: whether JAX is to find what is None by itself, from SLURM, Open MPI, Kubernetes or a TPU's environment.
      lost_after: seconds without a sign of life after which a process is taken for lost.

    Raises:
      ValueError: for arguments that do not go together.
      ConnectionError: if the others do not answer.
    """
    given = {"--coordinator": coordinator, "--process_id": process_id, "--num_processes": num_processes}
    missing = [name for name, value in given.items() if value is None]
    if not detect and len(missing) == len(given):
        yield
        return
    if not detect and missing:
        raise ValueError(
            f"{', '.join(missing)} missing: a run of several processes takes {', '.join(given)}, or --distributed "
            "to detect them"
        )
    if coordinator is not None and not coordinator.rpartition(":")[2].isdigit():
        raise ValueError(f"--coordinator must be HOST:PORT, got {coordinator!r}")
    if process_id is not None and num_processes is not None and not 0 <= process_id < num_processes:
        raise ValueError(f"--process_id must lie in [0, {num_processes}), got {process_id}")
    # It would take SIGTERM, which training/epochs.py handles.
    jax.config.update("jax_enable_preemption_service", False)
    _say_why_on_abort()
    try:
        jax.distributed.initialize(
            coordinator,
            num_processes,
            process_id,
            initialization_timeout=max(lost_after, 10),
            heartbeat_timeout_seconds=lost_after,
            shutdown_timeout_seconds=SHUTDOWN_SECONDS,
        )
    except (RuntimeError, ValueError) as error:
        raise ConnectionError(f"the processes of this run do not find each other: {error}") from error
    try:
        yield
        multihost_utils.sync_global_devices("the run is done")
        jax.distributed.shutdown()
        signal.signal(signal.SIGABRT, signal.SIG_DFL)
    except BaseException as error:
        _end(error)


def is_first() -> bool:
    """Returns whether this process is the one that speaks for the run."""
    return jax.process_index() == 0


def any_of(*flags: bool) -> tuple[bool, ...]:
    """Returns for each flag whether it is set in any process."""
    if jax.process_count() == 1:
        return flags
    of_all = multihost_utils.process_allgather(np.array(flags))
    return tuple(bool(flag) for flag in of_all.any(axis=0))


@contextlib.contextmanager
def own_folder(workdir: pathlib.Path) -> Iterator[pathlib.Path]:
    """Gives the folder that this process writes to: the workdir, or a temporary one of a process that is not first."""
    if is_first():
        yield workdir
        return
    with tempfile.TemporaryDirectory() as folder:
        yield pathlib.Path(folder)


def of_first(flag: bool) -> bool:
    """Returns what the flag is in the first process."""
    if jax.process_count() == 1:
        return flag
    return bool(multihost_utils.broadcast_one_to_all(np.array(flag)))


def _end(error: BaseException) -> None:
    """Ends one of several processes that cannot go on; an error of its own is raised again.

    Raises:
      BaseException: the error, if it is not that another process was lost.
    """
    if isinstance(error, KeyboardInterrupt):  # all processes have stopped
        jax.distributed.shutdown()
        raise error
    if _tells_of_loss(error):
        _print_and_exit()
    # JAX would wait for the others at the end, which may wait for this one in the middle of an epoch.
    atexit.register(os._exit, 1)
    raise error


def _tells_of_loss(error: BaseException | None) -> bool:
    while error is not None:
        if any(sign in str(error).lower() for sign in _SIGNS_OF_LOSS):
            return True
        error = error.__cause__ or error.__context__
    return False


def _print_and_exit(*_: int) -> None:
    sys.stdout.flush()
    os.write(2, f"error: {LOST}\n".encode())
    os._exit(1)  # without waiting for the others


# Kept for as long as C may call it.
_ON_ABORT = ctypes.CFUNCTYPE(None, ctypes.c_int)(_print_and_exit)


def _say_why_on_abort() -> None:
    """Has the last line say why when JAX ends this process.

    Where no exception tells of it, a lost process shows by its missing heartbeats; JAX then writes a report and calls
    abort() in a thread of its own. A signal handler in Python would wait for the main thread, which waits for the lost
    process.
    """
    ctypes.CDLL(None).signal(signal.SIGABRT, _ON_ABORT)
