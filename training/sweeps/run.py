"""Runs a sweep: claims its folder, runs what is left of it on an engine, and says how that went."""

import contextlib
import json
import pathlib
from collections.abc import Iterator
from typing import Any

from training.workdir import acquire_lock, check_is_folder, describe_difference, read_json, write_json

from .engines import Engine, run_local, run_ray
from .plan import Arm, Plan
from .progress import SweepProgress
from .shared_data import SharedData
from .trial import check_same_data, is_finished

SWEEP_FILE = "sweep.json"


def run_sweep(plan: Plan, workdir: pathlib.Path, command: str, engine: Engine, shared: SharedData) -> None:
    """Runs every trial of a plan that is not finished; those that failed before are tried again.

    Args:
      plan: of `make_plan`.
      workdir: where the sweep's files go.
      command: that runs it, for the record.
      engine: where the trials run.
      shared: the data, as loaded for the plan.

    Raises:
      ValueError: for a workdir that holds another sweep (the difference is shown) or trials of other data than there
        are now, or in which a sweep is running.
      OSError: if the disk is full; the same command goes on from there.
      KeyboardInterrupt: after Ctrl-C; likewise.
    """
    with claim_sweep(plan, workdir, command):
        waiting = unfinished(plan, workdir)
        for arm in plan.arms:
            check_same_data(workdir / arm.folder, shared.fingerprints(arm.config))
        with SweepProgress(len(plan.arms), len(plan.arms) - len(waiting)) as progress:
            if engine.kind == "ray":
                run_ray(waiting, workdir, progress, engine)
            else:
                run_local(waiting, workdir, progress, shared)


def unfinished(plan: Plan, workdir: pathlib.Path) -> list[Arm]:
    """Returns the arms whose trials have no results yet."""
    return [arm for arm in plan.arms if not is_finished(workdir / arm.folder)]


@contextlib.contextmanager
def claim_sweep(plan: Plan, workdir: pathlib.Path, command: str) -> Iterator[None]:
    """Claims the folder of a sweep while the context lasts, and writes sweep.json. Arms may have been added."""
    check_is_folder(workdir)
    check_same_sweep(plan, workdir)
    workdir.mkdir(parents=True, exist_ok=True)
    lock = acquire_lock(workdir, "running this sweep")
    try:
        write_json(workdir / SWEEP_FILE, _content(plan, command))
        yield
    finally:
        lock.release()


def check_same_sweep(plan: Plan, workdir: pathlib.Path) -> None:
    """Raises ValueError if a folder holds the trials of another sweep.

    Arms and experiments may have been added since, and what only the report reads may have changed; not so the claims.
    """
    path = workdir / SWEEP_FILE
    if not path.exists():
        if workdir.is_dir() and any(path.name != ".lock" for path in workdir.iterdir()):
            raise ValueError(f"workdir {workdir} holds something else than a sweep; choose another --workdir")
        return
    there = read_json(path)
    now = {name: plan.experiments.get(name, {}) for name in there["experiments"]}
    for_the_report = [
        f"{name}.{field}" for name in now for field in ("margin", "title", "question", "reference")
    ]
    difference = describe_difference(there["experiments"], now, ignore=for_the_report)
    if there["claims"] and there["claims"] != json.loads(json.dumps(plan.claims)):
        difference += f"{', ' if difference else ''}claims: others were stated before these trials"
    arms = {arm.folder.as_posix(): arm for arm in plan.arms}
    for arm in there["arms"]:
        if arm["folder"] not in arms:
            difference += (
                f"{', ' if difference else ''}arm {arm['label']!r} of {arm['experiment']}: there, not now"
            )
        elif changed := describe_difference(arm["overrides"], arms[arm["folder"]].overrides):
            difference += f"{', ' if difference else ''}arm {arm['label']!r}: {changed}"
    if difference:
        raise ValueError(
            f"workdir {workdir} holds another sweep ({difference}); choose another --workdir or delete it"
        )


def _content(plan: Plan, command: str) -> dict[str, Any]:
    return {
        "name": plan.name,
        "command": command,
        "experiments": plan.experiments,
        "arms": [
            {
                "experiment": arm.experiment,
                "label": arm.label,
                "folder": arm.folder.as_posix(),
                "overrides": dict(arm.overrides),
            }
            for arm in plan.arms
        ],
        "claims": plan.claims,
    }
