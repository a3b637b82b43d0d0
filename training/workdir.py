"""The folder of one run: which one by default, whose run it holds, and files that are never half-written."""

import contextlib
import hashlib
import json
import os
import pathlib
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import filelock

CONFIG_FILE = "config.json"
RESULTS_FILE = "results.json"
PREPROCESSOR_FILE = "preprocessor.json"


def name_workdir(config_path: str, overrides: Mapping[str, Any]) -> pathlib.Path:
    """Returns runs/<config name>, with -<short hash> where anything was overridden.

    Args:
      config_path: as given to --config: a file, and after a colon its argument.
      overrides: field -> value of every --config.field=value.
    """
    path, _, argument = config_path.partition(":")
    name = pathlib.Path(path).stem
    if not argument and not overrides:
        return pathlib.Path("runs") / name
    changed = json.dumps([argument, sorted(overrides.items())], default=str)
    return pathlib.Path("runs") / f"{name}-{hashlib.sha256(changed.encode()).hexdigest()[:8]}"


@contextlib.contextmanager
def claim_workdir(workdir: pathlib.Path, config: Mapping[str, Any]) -> Iterator[None]:
    """Claims a workdir for the run of a config while the context lasts; a folder left without a run is removed.

    Raises:
      ValueError: if it holds another config's run (the difference is shown), or another process is training there.
      OSError: if it cannot be created or written.
    """
    workdir.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(workdir / ".lock", timeout=0)
    try:
        lock.acquire()
    except filelock.Timeout as error:
        raise ValueError(f"workdir {workdir}: another process is training here") from error
    try:
        path = workdir / CONFIG_FILE
        if path.exists() and (difference := describe_difference(read_json(path), config)):
            raise ValueError(
                f"workdir {workdir} holds the run of another config ({difference}); "
                "choose another --workdir or delete it"
            )
        yield
    finally:
        lock.release()
        if {path.name for path in workdir.iterdir()} <= {".lock"}:
            shutil.rmtree(workdir)


def read_json(path: pathlib.Path) -> Any:
    """Reads a JSON file; raises ValueError, naming the file, where it is not JSON."""
    try:
        return json.loads(path.read_text("utf-8"))
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is not valid JSON: {error}") from error


def write_json(path: pathlib.Path, value: Any) -> None:
    """Writes a JSON file: whole or not at all."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def write_text(path: pathlib.Path, text: str) -> None:
    """Writes a text file: to a temporary file beside it first, then by renaming that."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        pathlib.Path(temporary).chmod(0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException:
        pathlib.Path(temporary).unlink(missing_ok=True)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def describe_difference(there: Mapping[str, Any], here: Mapping[str, Any], ignore: Sequence[str] = ()) -> str:
    """Returns 'field: old there, new now, …' for the fields in which two configs differ, '' where none does."""
    old, new = flatten(there), flatten(json.loads(json.dumps(here)))  # tuples as the lists of a JSON file
    different = sorted(f for f in old.keys() | new.keys() if old.get(f) != new.get(f) and f not in ignore)
    return ", ".join(f"{f}: {old.get(f)!r} there, {new.get(f)!r} now" for f in different)


def flatten(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Returns {"data.name": value, …} for a nested config."""
    flat: dict[str, Any] = {}
    for key, value in config.items():
        if isinstance(value, Mapping):
            flat.update(flatten(value, f"{prefix}{key}."))
        else:
            flat[f"{prefix}{key}"] = value
    return flat
