"""Where trials run: one after the other in this process, or as tasks of a Ray cluster. Both give the same results."""

import concurrent.futures
import dataclasses
import errno
import functools
import itertools
import os
import pathlib
import sys
import time
from collections.abc import Sequence

from .plan import Arm
from .progress import SweepProgress
from .shared_data import SharedData
from .trial import note_failure, prepare, run_trial

ENGINES = ("local", "ray")


@dataclasses.dataclass(frozen=True)
class Engine:
    """Where trials run.

    Attributes:
      kind: 'local' or 'ray'.
      address: of a running Ray cluster; '' starts one on this machine.
      num_cpus: of Ray, that one trial takes.
      num_gpus: of Ray, that one trial takes.
      max_retries: how often Ray begins a trial again whose worker died.
    """

    kind: str = "local"
    address: str = ""
    num_cpus: float = 1
    num_gpus: float = 0
    max_retries: int = 3


def run_local(
    arms: Sequence[Arm], workdir: pathlib.Path, progress: SweepProgress, shared: SharedData
) -> None:
    """Runs trials in this process; while one trains, the next is compiled.

    A trial that fails is recorded, and the next one run.

    Raises:
      OSError: if the disk is full.
      KeyboardInterrupt: once the trial under way is saved.
    """
    background = concurrent.futures.ThreadPoolExecutor(max_workers=1)
    try:
        upcoming = background.submit(prepare, arms[0], shared) if arms else None
        for arm, following in itertools.zip_longest(arms, arms[1:]):
            prepared = upcoming
            began = time.perf_counter()
            try:
                programs = prepared.result()
                upcoming = background.submit(prepare, following, shared) if following else None
                run_trial(arm, workdir / arm.folder, shared, programs=programs, bar=progress.bar)
            except Exception as error:
                if is_disk_full(error):
                    raise OSError(errno.ENOSPC, _disk_full(workdir)) from error
                progress.failed(arm, note_failure(workdir / arm.folder, error))
                if upcoming is prepared:
                    upcoming = background.submit(prepare, following, shared) if following else None
            else:
                progress.finished(arm, time.perf_counter() - began)
    finally:
        background.shutdown(wait=True, cancel_futures=True)


def run_ray(arms: Sequence[Arm], workdir: pathlib.Path, progress: SweepProgress, engine: Engine) -> None:
    """Runs trials as Ray tasks, as many at a time as there is room for; the workdir must be on a disk all nodes share.

    Ray begins a trial again whose worker or node died; it goes on from its newest checkpoint.

    Raises:
      ImportError: if Ray is not installed.
      OSError: if the disk is full.
      KeyboardInterrupt: after cancelling the tasks.
    """
    try:
        import ray
    except ImportError as error:
        raise ImportError(
            "--engine=ray needs Ray: pip install -c requirements.txt -e '.[distributed]'"
        ) from error
    # Workers find the project, and a user's own combiner, where this process does.
    paths = os.pathsep.join(path or os.getcwd() for path in sys.path)
    ray.init(
        address=engine.address or None,
        runtime_env={"env_vars": {"PYTHONPATH": paths}},
        include_dashboard=False if not engine.address else None,
        log_to_driver=False,
        logging_level="ERROR",
    )
    task = ray.remote(num_cpus=engine.num_cpus, num_gpus=engine.num_gpus, max_retries=engine.max_retries)(
        _run_task
    )
    began = time.perf_counter()
    try:
        waiting = {task.remote(arm, workdir.absolute() / arm.folder): arm for arm in arms}
        while waiting:
            done, _ = ray.wait(list(waiting), num_returns=1)
            for reference in done:
                arm = waiting.pop(reference)
                try:
                    reason = ray.get(reference)
                except ray.exceptions.RayError as error:  # the worker died more often than it is begun again
                    reason = note_failure(workdir / arm.folder, error)
                if reason is None:
                    progress.finished(arm, time.perf_counter() - began)
                else:
                    progress.failed(arm, reason)
                    if is_disk_full(OSError(reason)):
                        raise OSError(errno.ENOSPC, _disk_full(workdir))
    finally:
        ray.shutdown()


def _run_task(arm: Arm, folder: pathlib.Path) -> str | None:
    """Runs a trial in a worker; returns None, or the reason why it failed."""
    try:
        run_trial(arm, folder, _worker_data())
    except Exception as error:
        return note_failure(folder, error)
    return None


@functools.cache
def _worker_data() -> SharedData:
    """Returns the data that the trials of one worker share."""
    return SharedData()


def is_disk_full(error: BaseException | None) -> bool:
    """Returns whether an error, or what caused it, says that no space is left."""
    while error is not None:
        if getattr(error, "errno", None) == errno.ENOSPC or "No space left on device" in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False


def _disk_full(workdir: pathlib.Path) -> str:
    return f"no space left for {workdir}; make room, and the same command goes on from there"
