"""The folder of one run: which one by default, whose run it holds, and files that are never half-written."""

import contextlib
import hashlib
import json
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import filelock

from data.atomic import write_text

CONFIG_FILE = "config.json"
RESULTS_FILE = "results.json"
DATA_FILE = "data.json"
PREPROCESSOR_FILE = "preprocessor.json"

# Sections whose fields are not listed in a config: options go to optax or to a combiner, which know their own names.
OPEN_SECTIONS = (
    "model.combiner_options.",
    "model.bag_combiner_options.",
    "model.numeric_combiner_options.",
    "model.pair_combiner_options.",
    "optimizer.options.",
)


# Fields that a run from before they were there lacks, with the values that it ran with.
_LATER_FIELDS = {
    "engine.matmul_precision": "default",
    "data.extra_vocabulary": "",
    "data.max_extra_words": 0,
    "mesh.replicas": 0,
    "mesh.batch": 1,
    "mesh.rows": 1,
    "model.pretrained": "",
    "model.pretrained_mode": "tuned",
    "model.pretrained_vectors": "word",
    "model.pretrained_scaling": "all",
    "optimizer.sparse": "off",
}


def name_workdir(config_path: str, overrides: Mapping[str, Any], folder: str = "runs") -> pathlib.Path:
    """Returns <folder>/<config name>, with -<short hash> where anything was overridden.

    Args:
      config_path: as given to --config: a file, and after a colon its argument.
      overrides: field -> value of every --config.field=value.
      folder: where workdirs lie.
    """
    path, _, argument = config_path.partition(":")
    name = pathlib.Path(path).stem
    if not argument and not overrides:
        return pathlib.Path(folder) / name
    changed = json.dumps([argument, sorted(overrides.items())], default=str)
    return pathlib.Path(folder) / f"{name}-{hashlib.sha256(changed.encode()).hexdigest()[:8]}"


@contextlib.contextmanager
def claim_workdir(workdir: pathlib.Path, config: Mapping[str, Any]) -> Iterator[None]:
    """Claims a workdir for the run of a config while the context lasts; if none begins, the folder made for it goes.

    Raises:
      ValueError: if it holds another config's run (the difference is shown), or another process is training there.
      OSError: if it cannot be created or written.
    """
    check_is_folder(workdir)
    created = [folder for folder in (workdir, *workdir.parents) if not folder.exists()]
    workdir.mkdir(parents=True, exist_ok=True)
    lock = acquire_lock(workdir, "training here")
    try:
        path = workdir / CONFIG_FILE
        if path.exists() and (difference := describe_difference(read_json(path), config)):
            raise ValueError(
                f"workdir {workdir} holds the run of another config ({difference}); "
                "choose another --workdir or delete it"
            )
        yield
    finally:
        if created and {path.name for path in workdir.iterdir()} <= {".lock"}:
            (workdir / ".lock").unlink()
            for folder in created:
                folder.rmdir()
        lock.release()


def check_is_folder(workdir: pathlib.Path) -> None:
    """Raises ValueError if a workdir is a file; one that does not exist yet will do."""
    if workdir.exists() and not workdir.is_dir():
        raise ValueError(f"workdir {workdir} is a file; expected a folder, or the name of a new one")


def acquire_lock(workdir: pathlib.Path, doing: str) -> filelock.BaseFileLock:
    """Returns the lock of a folder, held; raises ValueError if another process holds it, saying what it is doing."""
    lock = filelock.FileLock(workdir / ".lock", timeout=0)
    try:
        lock.acquire()
    except filelock.Timeout as error:
        raise ValueError(f"workdir {workdir}: another process is {doing}") from error
    return lock


def read_json(path: pathlib.Path) -> Any:
    """Reads a JSON file; raises ValueError, naming the file, where it is not JSON."""
    try:
        return json.loads(path.read_text("utf-8"))
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is not valid JSON: {error}") from error


def write_json(path: pathlib.Path, value: Any) -> None:
    """Writes a JSON file: whole or not at all."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def describe_difference(there: Mapping[str, Any], here: Mapping[str, Any], ignore: Sequence[str] = ()) -> str:
    """Returns 'field: old there, new now, …' for the fields in which two configs differ, '' where none does."""
    old, new = flatten(there), flatten(json.loads(json.dumps(here)))  # tuples as the lists of a JSON file

    def value(config: Mapping[str, Any], field: str) -> Any:
        section, _, name = field.rpartition(".")  # a sweep's section is "sentiment.base.model"
        return config.get(field, _LATER_FIELDS.get(f"{section.rpartition('.')[2]}.{name}"))

    fields = sorted(old.keys() | new.keys())
    different = [f for f in fields if value(old, f) != value(new, f) and f not in ignore]
    return ", ".join(f"{f}: {value(old, f)!r} there, {value(new, f)!r} now" for f in different)


def changed_splits(folder: pathlib.Path, digests: Mapping[str, str]) -> list[str]:
    """Returns the splits whose digests are not those in a folder's data.json; none where there is no such file."""
    path = folder / DATA_FILE
    there = read_json(path) if path.exists() else digests
    return sorted(name for name in there.keys() | digests.keys() if there.get(name) != digests.get(name))


def flatten(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Returns {"data.name": value, …} for a nested config."""
    flat: dict[str, Any] = {}
    for key, value in config.items():
        if isinstance(value, Mapping):
            flat.update(flatten(value, f"{prefix}{key}."))
        else:
            flat[f"{prefix}{key}"] = value
    return flat
