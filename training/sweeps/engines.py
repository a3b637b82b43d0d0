"""Where trials run: one after the other in this process, or as tasks of a Ray cluster. Both give the same results."""

import concurrent.futures
import dataclasses
import errno
import functools
import itertools
import os
import pathlib
import shutil
import socket
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax

from .plan import Arm
from .progress import SweepProgress
from .shared_data import SharedData
from .trial import note_failure, prepare, run_trial

ENGINES = ("local", "ray")
LEAST_FREE_BYTES = 2**20  # with less a trial cannot be saved
MAX_RETRIES = 3  # how often Ray begins a trial again whose worker died
ANSWER_SECONDS = 10.0  # that a cluster has to accept a connection


@dataclasses.dataclass(frozen=True)
class Engine:
    """Where trials run.

    Attributes:
      kind: 'local' or 'ray'.
      address: of a running Ray cluster; 'local' starts one on this machine, whatever runs there already.
      num_cpus: of Ray, that one trial takes.
      num_gpus: of Ray, that one trial takes; None = 1 where this process sees a GPU, else 0.
    """

    kind: str = "local"
    address: str = "local"
    num_cpus: float = 1.0
    num_gpus: float | None = None


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How an attempt at a trial ended: seconds it took, and what failed, if anything did."""

    seconds: float
    reason: str | None = None
    is_disk_full: bool = False


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
            prepared, upcoming = upcoming, None
            concurrent.futures.wait([prepared])
            if following:
                upcoming = background.submit(prepare, following, shared)
            run = functools.partial(_run_prepared, arm, workdir / arm.folder, shared, prepared, progress)
            _show(arm, _attempt(run, workdir / arm.folder), workdir, progress)
    finally:
        background.shutdown(wait=True, cancel_futures=True)


def _run_prepared(
    arm: Arm,
    folder: pathlib.Path,
    shared: SharedData,
    prepared: concurrent.futures.Future[Any],
    progress: SweepProgress,
) -> None:
    run_trial(arm, folder, shared, programs=prepared.result(), bar=progress.bar)


def run_ray(arms: Sequence[Arm], workdir: pathlib.Path, progress: SweepProgress, engine: Engine) -> None:
    """Runs trials as Ray tasks, as many at a time as there is room for; the workdir must be on a disk all nodes share.

    Ray begins a trial again whose worker or node died; it goes on from its newest checkpoint.

    Raises:
      ImportError: if Ray is not installed.
      ValueError: if no cluster answers, or no node of it has what a trial takes.
      OSError: if the disk is full.
      KeyboardInterrupt: after cancelling the tasks.
    """
    try:
        import ray
    except ImportError as error:
        raise ImportError(
            "--engine=ray needs Ray: pip install -c requirements.txt -e '.[distributed]'"
        ) from error
    check_answers(engine.address)
    here = os.getcwd()
    ray.init(
        address=engine.address,
        runtime_env={
            "env_vars": {
                # Workers find the project, and a user's own combiner, where this process does.
                "PYTHONPATH": os.pathsep.join(path or here for path in sys.path),
                "XLA_PYTHON_CLIENT_PREALLOCATE": "false",  # trials may share a GPU
            }
        },
        include_dashboard=False if engine.address == "local" else None,
        log_to_driver=False,
        logging_level="ERROR",
    )
    num_gpus = engine.num_gpus
    if num_gpus is None:
        num_gpus = 1.0 if jax.default_backend() == "gpu" else 0.0
    waiting: dict[Any, Arm] = {}
    try:
        check_room(ray.nodes(), engine.num_cpus, num_gpus)
        task = ray.remote(num_cpus=engine.num_cpus, num_gpus=num_gpus, max_retries=MAX_RETRIES)(_run_task)
        waiting = {task.remote(arm, workdir.absolute() / arm.folder, here): arm for arm in arms}
        while waiting:
            (done,), _ = ray.wait(list(waiting), num_returns=1)
            arm = waiting.pop(done)
            try:
                outcome = ray.get(done)
            except ray.exceptions.RayError as error:  # the worker died more often than it is begun again
                outcome = _failure(workdir / arm.folder, error, 0.0)
            _show(arm, outcome, workdir, progress)
    finally:
        ray.shutdown()


def check_answers(address: str) -> None:
    """Raises ValueError if nothing listens at the address of a cluster, where Ray itself would wait for minutes."""
    if address in ("auto", "local"):
        return
    host, _, port = address.removeprefix("ray://").rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=ANSWER_SECONDS).close()
    except (OSError, ValueError) as error:
        raise ValueError(
            f"no Ray cluster answers at --ray_address={address!r} ({error}); expected HOST:PORT, auto or local"
        ) from None


def check_room(nodes: Sequence[Mapping[str, Any]], num_cpus: float, num_gpus: float) -> None:
    """Raises ValueError unless some node of a cluster has what one trial takes."""
    alive = [node["Resources"] for node in nodes if node["Alive"]]
    if not any(node.get("CPU", 0) >= num_cpus and node.get("GPU", 0) >= num_gpus for node in alive):
        has = "; ".join(f"{node.get('CPU', 0):g} CPUs and {node.get('GPU', 0):g} GPUs" for node in alive)
        raise ValueError(
            f"no node of the cluster has --num_cpus={num_cpus:g} and --num_gpus={num_gpus:g}: it has {has or 'none'}"
        )


def _run_task(arm: Arm, folder: pathlib.Path, directory: str) -> Outcome:
    """Runs a trial in a worker, from the folder that the driver was started in."""
    os.chdir(directory)
    try:
        return _attempt(functools.partial(run_trial, arm, folder, _worker_data()), folder)
    except KeyboardInterrupt:
        # A machine that is taken away says so with SIGTERM. What was trained is saved; Ray takes a task that raises
        # for done, and begins again one whose worker is gone.
        os._exit(1)


@functools.cache
def _worker_data() -> SharedData:
    """Returns the data that the trials of one worker share."""
    return SharedData()


def _attempt(run: Callable[[], None], folder: pathlib.Path) -> Outcome:
    """Runs a trial and says how that went; what failed is written down."""
    began = time.perf_counter()
    try:
        run()
    except Exception as error:
        return _failure(folder, error, time.perf_counter() - began)
    return Outcome(time.perf_counter() - began)


def _failure(folder: pathlib.Path, error: BaseException, seconds: float) -> Outcome:
    # What a full disk breaks first may be a library that words it its own way.
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    has_room = shutil.disk_usage(existing).free >= LEAST_FREE_BYTES
    if is_disk_full(error) or not has_room:  # there is no room to write it down, nor any fault of the arm's
        return Outcome(seconds, str(error), is_disk_full=True)
    return Outcome(seconds, note_failure(folder, error))


def _show(arm: Arm, outcome: Outcome, workdir: pathlib.Path, progress: SweepProgress) -> None:
    """Shows how a trial ended; raises OSError if for want of room on the disk."""
    if outcome.is_disk_full:
        raise OSError(
            errno.ENOSPC, f"no space left for {workdir}; make room, and the same command goes on from there"
        )
    if outcome.reason is None:
        progress.finished(arm, outcome.seconds)
    else:
        progress.failed(arm, outcome.reason)


def is_disk_full(error: BaseException | None) -> bool:
    """Returns whether an error, or what caused it, says that no space is left."""
    while error is not None:
        if getattr(error, "errno", None) == errno.ENOSPC or "No space left on device" in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False
