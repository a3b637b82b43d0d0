"""Reads the result files of a sweep or of plain runs; what cannot be read is left out, and said."""

import json
import pathlib
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from data.nearest import nearest
from training.results import ITEMS_FILE
from training.sweeps.run import SWEEP_FILE
from training.sweeps.trial import FAILED_FILE, FINAL, TUNING_FILE
from training.workdir import CONFIG_FILE, DATA_FILE, RESULTS_FILE, read_json

from .choices import choose_reference, default_margin, higher_is_better
from .evidence import Arm, Evidence, Experiment, Failure
from .variants import name_variants

HISTORY_COLUMNS = ("step", "epoch", "split", "metric", "seed", "value")

# What a results.json must hold to be reported on.
_NEEDED = (
    "task",
    "combiner",
    "dataset",
    "match",
    "seeds",
    "num_params.embedding",
    "num_params.other",
    "num_params.total",
    "num_examples.train",
    "timing.train_seconds",
    "epochs",
    "config.data",
    "config.model",
    "versions",
    "device",
)


def is_sweep(folder: pathlib.Path) -> bool:
    """Returns whether a folder is a sweep's."""
    return (folder / SWEEP_FILE).exists()


def is_run(folder: pathlib.Path) -> bool:
    """Returns whether a folder is that of a run, finished or not."""
    return (folder / RESULTS_FILE).exists() or (folder / CONFIG_FILE).exists()


def load_sweep(folder: pathlib.Path) -> Evidence:
    """Reads the folder of a sweep.

    Args:
      folder: holds sweep.json and trials/.

    Returns:
      The arms that have results, by experiment; those that failed or were not run yet as failures; and what could not
      be read as `skipped`. An experiment without any result is left out.

    Raises:
      ValueError: if the folder is no sweep, or none of its arms has a readable result.
    """
    _check_folder(folder)
    path = folder / SWEEP_FILE
    if not path.exists():
        raise ValueError(f"{folder} holds no sweep ({SWEEP_FILE} is missing)")
    sweep = read_json(path)
    try:
        stated = {name: [] for name in sweep["experiments"]}
        for arm in sweep["arms"]:
            stated[arm["experiment"]].append((arm["label"], folder / arm["folder"]))
        name, command = sweep["name"], sweep["command"]
    except (KeyError, TypeError) as error:
        raise ValueError(f"{path} is not the file of a sweep: {_describe(error)}") from error

    skipped: list[str] = []
    loaded = (
        _load_experiment(name, sweep["experiments"][name], arms, skipped) for name, arms in stated.items()
    )
    experiments = tuple(experiment for experiment in loaded if experiment is not None)
    if not experiments:
        raise ValueError(
            f"{folder} has no result yet: none of its {len(sweep['arms'])} arms can be reported; {'; '.join(skipped)}"
        )
    return Evidence(name, command, experiments, tuple(skipped), sweep)


def load_runs(folders: Sequence[pathlib.Path]) -> Evidence:
    """Reads the folders of plain runs, as train.py writes them.

    Runs of one task on the same test examples are the arms of one experiment. An arm's label is its combiner, with
    what else differs between the configs of runs of that combiner.

    Args:
      folders: of a run each, or of several runs' folders.

    Returns:
      An experiment per task and test split; what could not be read as `skipped`.

    Raises:
      ValueError: if a folder does not exist, or no run has a readable result.
    """
    skipped: list[str] = []
    groups: dict[tuple[str, str, str], list[Arm]] = {}
    runs = [run for folder in folders for run in _runs_in(folder)]
    for folder in dict.fromkeys(runs):
        try:
            results = _read_results(folder / RESULTS_FILE, None)
        except (ValueError, OSError) as error:
            skipped.append(str(error))
            continue
        metric = "accuracy" if "accuracy" in results["metrics"]["test"] else "rmse"
        arm = _read_arm(folder, folder.name, results, metric, skipped)
        key = (results["task"], results["dataset"], _test_fingerprint(folder, skipped))
        groups.setdefault(key, []).append(arm)
    if not groups:
        raise ValueError(f"nothing to report on: {'; '.join(skipped)}")

    experiments: list[Experiment] = []
    for (task, dataset, _), arms in groups.items():
        same = sum(key[:2] == (task, dataset) for key in list(groups)[: len(experiments)])
        number = f" {same + 1}" if same else ""
        labels = name_variants(arms)
        arms = [Arm(**{**vars(arm), "label": label}) for arm, label in zip(arms, labels, strict=True)]
        metric = "accuracy" if "accuracy" in arms[0].results["metrics"]["test"] else "rmse"
        reference = choose_reference(labels)
        experiments.append(
            Experiment(
                name=f"{task}_{dataset}{number.replace(' ', '_')}",
                title=f"{task.capitalize()} on {dataset}{number}",
                question="",
                metric=metric,
                higher_is_better=higher_is_better(metric),
                margin=default_margin(metric, arms, reference),
                reference=reference,
                arms=tuple(arms),
                failures=(),
            )
        )
    names = [folder.name for folder in dict.fromkeys(runs)]
    return Evidence(
        name=", ".join(names) if len(names) <= 3 else f"{len(names)} runs",
        command=f"python report.py {' '.join(map(str, folders))}",
        experiments=tuple(experiments),
        skipped=tuple(skipped),
        sweep=None,
    )


def _load_experiment(
    name: str, stated: Mapping[str, Any], folders: Sequence[tuple[str, pathlib.Path]], skipped: list[str]
) -> Experiment | None:
    metric = stated["metric"]
    arms, failures = [], []
    for label, trial in folders:
        final = trial / FINAL
        if not (final / RESULTS_FILE).exists():
            failures.append(Failure(label, trial, _why_no_result(trial, skipped)))
            continue
        try:
            results = _read_results(final / RESULTS_FILE, metric)
        except (ValueError, OSError) as error:
            skipped.append(f"arm {label} of {name}: {error}")
            failures.append(Failure(label, trial, f"its {RESULTS_FILE} cannot be read"))
            continue
        arms.append(_read_arm(final, label, results, metric, skipped, _read_tuning(trial, skipped)))
    if not arms:
        reasons = ", ".join(f"{failure.label}: {failure.reason}" for failure in failures[:3])
        skipped.append(f"experiment {name} has no result yet{f' ({reasons})' if reasons else ''}")
        return None
    labels = [arm.label for arm in arms]
    reference = stated["reference"]
    if reference not in labels:
        substitute = choose_reference(labels)
        skipped.append(
            f"experiment {name}: its reference {reference} has no result, {substitute} stands in for it"
        )
        reference = substitute
    margin = stated.get("margin")
    return Experiment(
        name=name,
        title=stated["title"],
        question=stated["question"],
        metric=metric,
        higher_is_better=higher_is_better(metric),
        margin=default_margin(metric, arms, reference) if margin is None else float(margin),
        reference=reference,
        arms=tuple(arms),
        failures=tuple(failures),
    )


def _why_no_result(trial: pathlib.Path, skipped: list[str]) -> str:
    path = trial / FAILED_FILE
    if not path.exists():
        return "not run yet"
    try:
        failed = read_json(path)
        return (
            f"failed in {'tuning' if failed['stage'] == 'tuning' else 'final training'}: {failed['reason']}"
        )
    except (ValueError, OSError, KeyError, TypeError) as error:
        skipped.append(f"{path}: {_describe(error)}")
        return "failed, for a reason that cannot be read"


def _read_results(path: pathlib.Path, metric: str | None) -> dict[str, Any]:
    """Reads a results.json; raises ValueError, naming the file, if it lacks what a report needs."""
    if not path.exists():
        raise ValueError(f"{path.parent} holds no finished run ({RESULTS_FILE} is missing)")
    results = read_json(path)
    lacking = [field for field in _NEEDED if not _has(results, field)]
    if lacking:
        raise ValueError(f"{path} is not the result of a run: it lacks {', '.join(lacking)}")
    test = results.get("metrics", {}).get("test", {})
    wanted = (metric,) if metric else ("accuracy", "rmse")
    for name in wanted:
        per_seed = test.get(name, {}).get("per_seed", [])
        if per_seed and len(per_seed) == len(results["seeds"]):
            return results
    raise ValueError(f"{path} lacks the test {' or '.join(wanted)} of every seed")


def _has(content: Any, field: str) -> bool:
    for key in field.split("."):
        if not isinstance(content, Mapping) or key not in content:
            return False
        content = content[key]
    return True


def _read_arm(
    folder: pathlib.Path,
    label: str,
    results: Mapping[str, Any],
    metric: str,
    skipped: list[str],
    tuning: Mapping[str, Any] | None = None,
) -> Arm:
    history = _read_history(folder / "metrics.jsonl", results["seeds"], skipped)
    items = _read_items(folder / ITEMS_FILE, metric, len(results["seeds"]), skipped)
    return Arm(label, folder, results, tuning, history, items)


def _read_tuning(trial: pathlib.Path, skipped: list[str]) -> dict[str, Any] | None:
    path = trial / TUNING_FILE
    if not path.exists():
        return None
    try:
        tuning = read_json(path)
        shape = tuple(len(tuning[name]) for name in ("embedding_scales", "learning_rates", "seeds"))
        if np.shape(tuning["scores"]) != shape or np.shape(tuning["diverged_steps"]) != shape:
            raise ValueError(f"its scores are not {shape} scales, rates and seeds")
        tuning["chosen"]["learning_rate"], tuning["chosen"]["embedding_scale"]
    except (ValueError, OSError, KeyError, TypeError) as error:
        skipped.append(f"{path}: {_describe(error)}")
        return None
    return tuning


def _read_history(path: pathlib.Path, seeds: Sequence[int], skipped: list[str]) -> pd.DataFrame:
    rows: list[tuple[Any, ...]] = []
    try:
        for line in path.read_text("utf-8").splitlines() if path.exists() else ():
            record = json.loads(line)
            step, epoch, split = (record.pop(key) for key in ("step", "epoch", "split"))
            rows += [
                (step, epoch, split, metric, seed, np.nan if value is None else float(value))
                for metric, values in record.items()
                for seed, value in zip(seeds, values, strict=True)
            ]
    except (ValueError, OSError, KeyError, TypeError, AttributeError) as error:
        skipped.append(f"{path}: read up to a line that is not one of a run's history ({_describe(error)})")
    return pd.DataFrame(rows, columns=HISTORY_COLUMNS)


def _read_items(
    path: pathlib.Path, metric: str, num_seeds: int, skipped: list[str]
) -> Float[np.ndarray, "seeds examples"] | None:
    """Returns what each test example adds to the metric's mean, by seed, without the seeds that diverged."""
    quantity = {"accuracy": "accuracy", "rmse": "squared_error"}.get(metric)
    if quantity is None or not path.exists():
        return None
    try:
        with path.open("rb") as opened, np.load(opened) as file:  # numpy leaves a bad file open otherwise
            items = np.asarray(file[quantity], np.float64)
        if items.ndim != 2 or len(items) != num_seeds:
            raise ValueError(f"{quantity} has shape {items.shape}, expected {num_seeds} seeds x examples")
    except (ValueError, OSError, KeyError, EOFError, zipfile.BadZipFile) as error:
        skipped.append(f"{path}: {_describe(error)}")
        return None
    converged = items[~np.isnan(items).any(axis=1)]
    return converged if len(converged) else None


def _runs_in(folder: pathlib.Path) -> list[pathlib.Path]:
    """Returns the folder itself, or, where it is no run, those in it that are."""
    _check_folder(folder)
    if is_run(folder):
        return [folder]
    inside = sorted(path.parent for path in folder.glob(f"*/{RESULTS_FILE}"))
    if not inside:
        raise ValueError(f"{folder} holds neither a sweep ({SWEEP_FILE}) nor a run ({RESULTS_FILE})")
    return inside


def _check_folder(folder: pathlib.Path) -> None:
    if folder.is_dir():
        return
    if folder.exists():
        raise ValueError(f"{folder} is a file; expected the folder of a sweep or of a run")
    beside = [p.name for p in folder.parent.iterdir() if p.is_dir()] if folder.parent.is_dir() else []
    raise ValueError(f"no folder {folder}{nearest(folder.name, beside)}")


def read_fingerprints(arm: Arm) -> dict[str, str]:
    """Returns {split: fingerprint of its examples}, as a run's data.json has it; empty where it cannot be read."""
    try:
        return {str(split): str(value) for split, value in read_json(arm.folder / DATA_FILE).items()}
    except (OSError, ValueError, AttributeError):
        return {}


def _test_fingerprint(folder: pathlib.Path, skipped: list[str]) -> str:
    """Returns the fingerprint of the test split, '' where none is known."""
    path = folder / DATA_FILE
    try:
        return read_json(path)["test"] if path.exists() else ""
    except (ValueError, OSError, KeyError, TypeError) as error:
        skipped.append(f"{path}: {_describe(error)}")
        return ""


def _describe(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"it lacks {error.args[0]!r}"
    return " ".join(str(error).split())
