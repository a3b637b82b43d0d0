"""One arm of a sweep: rates and scales are tuned on validation, then fresh seeds are trained and tested once.

A trial's folder holds

  attempts.jsonl   a line for every time that it was begun
  data.json        digests of the examples that it was begun on
  tuning/<n>x<i>/  n replicas that were trained together, with their metrics and scores.json
  tuning.json      every setting's validation scores, and which was chosen
  final/           a plain run with the chosen setting, as train.py writes it; with its results.json the trial is done
  failed.json      why it has no result, if it has none
"""

import dataclasses
import datetime
import functools
import json
import os
import pathlib
import platform
import time
from collections.abc import Mapping
from typing import Any

import filelock
import jax
import numpy as np
from rich.progress import Progress

from training.checkpoints import ResumeCheckpoints
from training.epochs import train_replicas
from training.lifecycle import run, use_compilation_cache
from training.replicas import Replica, Training
from training.replication import replica_mode
from training.workdir import (
    DATA_FILE,
    RESULTS_FILE,
    changed_splits,
    claim_workdir,
    read_json,
    write_json,
)

from .plan import Arm
from .shared_data import SharedData

TUNING_FILE, FAILED_FILE, FINAL = "tuning.json", "failed.json", "final"
LOCK_SECONDS = 120.0  # that a trial waits for another attempt at it to end


class NothingLearnedError(ArithmeticError):
    """No setting of the grid could be trained."""


def is_finished(folder: pathlib.Path) -> bool:
    """Returns whether a trial has its results, whole."""
    try:
        return bool(read_json(folder / FINAL / RESULTS_FILE))
    except (FileNotFoundError, ValueError):  # not there, or cut short by a fault of the disk
        return False


def check_same_data(folder: pathlib.Path, digests: Mapping[str, str]) -> None:
    """Raises ValueError if a trial was begun on other examples than there are now, whose digests are given."""
    if changed := changed_splits(folder, digests):
        raise ValueError(
            f"the data ({', '.join(changed)}) has changed since the trial in {folder} was begun; restore it, or choose "
            "another --workdir"
        )


@dataclasses.dataclass(frozen=True)
class Programs:
    """The compiled training of a trial: of the replicas that are tuned together, and of the fresh seeds.

    Where replicas run one after the other, tuning takes as many at once as there are fresh seeds if that divides them,
    so that one program serves both; side by side, all of them fill the device together.
    """

    tuning: Training
    final: Training


def prepare(arm: Arm, shared: SharedData) -> Programs:
    """Loads an arm's data, traces its programs and compiles them; another thread may train meanwhile."""
    use_compilation_cache(arm.config.engine.compilation_cache)
    dataset = shared.dataset(arm.config)
    settings, fresh = len(arm.tuning.replicas()), len(arm.config.seeds)
    final = tuning = Training(arm.config, dataset, fresh)
    one_after_the_other = replica_mode(arm.config.engine.replicas) == "map"
    if settings % fresh or not one_after_the_other:
        tuning = Training(arm.config, dataset, settings)
    tuning.compile()
    final.compile()
    return Programs(tuning, final)


def run_trial(
    arm: Arm,
    folder: pathlib.Path,
    shared: SharedData,
    *,
    programs: Programs | None = None,
    bar: Progress | None = None,
) -> None:
    """Runs what is left of a trial. One that was interrupted goes on from its newest checkpoint.

    Args:
      arm: what is to be run.
      folder: of the trial.
      shared: the data.
      programs: of `prepare`, if that was done already.
      bar: a progress display that is shown already.

    Raises:
      NothingLearnedError: if every setting diverged.
      ValueError: if it was begun on other data.
      Exception: whatever training raises.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # A worker that has lost its driver may still be at it for a moment.
    with filelock.FileLock(folder / ".lock", timeout=LOCK_SECONDS):
        if is_finished(folder):
            return
        _note_attempt(folder)
        (folder / FAILED_FILE).unlink(missing_ok=True)
        (folder / FINAL / RESULTS_FILE).unlink(missing_ok=True)  # not whole: see is_finished
        check_same_data(folder, shared.fingerprints(arm.config))
        write_json(folder / DATA_FILE, shared.fingerprints(arm.config))
        programs = programs or prepare(arm, shared)
        chosen = tune(arm, programs.tuning, folder, bar)["chosen"]
        config = arm.config.copy_and_resolve_references()
        config.optimizer.learning_rate = chosen["learning_rate"]
        config.model.embedding_scale = chosen["embedding_scale"]
        references = functools.partial(shared.references, config)
        run(config, folder / FINAL, training=programs.final, references=references, bar=bar)


def tune(arm: Arm, training: Training, folder: pathlib.Path, bar: Progress | None) -> dict[str, Any]:
    """Trains every setting of the grid from every tuning seed and chooses by the mean validation metric.

    A replica that diverges is frozen; its setting cannot be chosen. Between equal settings the first one is: the
    smaller scale and rate of a grid that rises.

    Returns:
      What tuning.json holds: "scores" [scales][rates][seeds] of each replica's best epoch, null where it diverged.

    Raises:
      NothingLearnedError: if every setting diverged.
    """
    path = folder / TUNING_FILE
    if path.exists():
        return read_json(path)
    grid = arm.tuning
    replicas = grid.replicas()
    group = training.num_replicas
    began = time.perf_counter()
    outcomes: list[dict[str, Any]] = []
    for index in range(0, len(replicas), group):
        outcomes += _train_group(
            training, replicas[index : index + group], folder / "tuning" / f"{group}x{index // group}", bar
        )
    shape = (len(grid.embedding_scales), len(grid.learning_rates), len(grid.seeds))
    # One column of the grid as nested lists [scales][rates][seeds].
    columns = {
        name: np.array([outcome[name] for outcome in outcomes], object).reshape(shape)
        for name in ("score", "best_epoch", "diverged_step")
    }
    metric = training.program.monitor
    higher_is_better = training.network.objective.higher_is_better[metric]
    tuning = {
        "metric": metric,
        "split": "validation",
        "higher_is_better": higher_is_better,
        "learning_rates": list(grid.learning_rates),
        "embedding_scales": list(grid.embedding_scales),
        "seeds": list(grid.seeds),
        "scores": columns["score"].tolist(),
        "best_epochs": columns["best_epoch"].tolist(),
        "diverged_steps": columns["diverged_step"].tolist(),
        "chosen": _choose(grid, columns["score"], higher_is_better),
        "seconds": time.perf_counter() - began,
    }
    write_json(path, tuning)
    return tuning


def _train_group(
    training: Training, replicas: tuple[Replica, ...], folder: pathlib.Path, bar: Progress | None
) -> list[dict[str, Any]]:
    """Trains some replicas together and returns {"score", "best_epoch", "diverged_step"} for each."""
    path = folder / "scores.json"
    if path.exists():
        return read_json(path)
    with (
        claim_workdir(folder, training.config.to_dict()),
        ResumeCheckpoints(folder) as checkpoints,
        training.epochs(folder) as train_all,
    ):
        state, _ = train_replicas(
            training, train_all, replicas, folder, checkpoints, stop_on_divergence=False, bar=bar
        )
        sign = 1 if training.network.objective.higher_is_better[training.program.monitor] else -1
        columns = jax.device_get((state.best_score, state.best_epoch, state.diverged_step))
        outcomes = [
            {
                "score": None if diverged >= 0 else sign * float(score),
                "best_epoch": int(best_epoch),
                "diverged_step": int(diverged),
            }
            for score, best_epoch, diverged in zip(*columns, strict=True)
        ]
        write_json(path, outcomes)
        checkpoints.delete()
    return outcomes


def _choose(grid: Any, scores: np.ndarray, higher_is_better: bool) -> dict[str, float]:
    """Returns the setting with the best mean over seeds, among those of which no seed diverged."""
    values = np.array(
        [[[np.nan if s is None else s for s in seeds] for seeds in rates] for rates in scores], float
    )
    means = values.mean(axis=2)  # NaN where any seed diverged
    if not np.isfinite(means).any():
        raise NothingLearnedError(
            f"every learning rate diverged ({', '.join(f'{rate:g}' for rate in grid.learning_rates)})"
        )
    best = np.nanargmax(means if higher_is_better else -means)
    scale, rate = np.unravel_index(best, means.shape)
    return {"learning_rate": grid.learning_rates[rate], "embedding_scale": grid.embedding_scales[scale]}


def note_failure(folder: pathlib.Path, error: BaseException) -> str:
    """Writes failed.json and returns the reason in one line; what was finished of the trial is kept."""
    reason = " ".join(str(error).split())[:500]
    if not isinstance(error, ValueError | ArithmeticError):
        reason = f"{type(error).__name__}: {reason}"
    stage = FINAL if (folder / TUNING_FILE).exists() else "tuning"
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / FAILED_FILE, {"reason": reason, "stage": stage, "when": _now()})
    return reason


def _note_attempt(folder: pathlib.Path) -> None:
    line = json.dumps({"when": _now(), "host": platform.node(), "pid": os.getpid()})
    with (folder / "attempts.jsonl").open("a", encoding="utf-8") as file:
        file.write(line + "\n")


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
