"""Prepares TFDS builders once, in ArrayRecord format, safely among processes, and reads them without TensorFlow."""

import contextlib
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import absl.logging
import filelock
import platformdirs

if TYPE_CHECKING:  # a user's own CSV needs no TFDS, which takes a quarter of a second to import
    import tensorflow_datasets as tfds


def cache_folder(folder: str) -> Path:
    """Returns the folder that holds wheels and prepared data: `folder`, or the user's cache where it is ""."""
    return Path(folder or platformdirs.user_cache_dir("combiner-ablations")).expanduser().absolute()


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keeps TFDS to its bars, and those to a terminal: results go to stdout, and logs are for our own lines.

    Warnings still show, and so does everything where the user asked for debugging (--verbosity=1).
    """
    import tensorflow_datasets as tfds

    tfds.display_progress_bar(sys.stderr.isatty())
    verbosity = absl.logging.get_verbosity()
    if verbosity == absl.logging.INFO:
        absl.logging.set_verbosity(absl.logging.WARNING)
    try:
        with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
            yield
    finally:
        absl.logging.set_verbosity(verbosity)


@quiet()
def prepare(
    make_builder: Callable[[], "tfds.core.DatasetBuilder"], download_folder: Path
) -> "tfds.core.DatasetBuilder":
    """Returns a builder whose data is on disk, preparing it when it is not.

    One process prepares while others wait. TFDS writes into a folder of its own and renames it when whole, so a
    killed process leaves no half-written data; what it left is removed by the next.

    Args:
        make_builder: Makes the builder; called again after preparing, as a builder reads what there is when made.
        download_folder: Where the builder keeps what it downloads.
    """
    import tensorflow_datasets as tfds

    builder = make_builder()
    if is_prepared(builder):
        return builder
    root, folder = Path(builder.data_dir_root), Path(builder.data_dir)
    lock = root / ".locks" / f"{builder.name}.lock"  # one for all configurations: they share a file
    lock.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(lock):
        if not is_prepared(make_builder()):
            for leftover in folder.parent.glob(f"incomplete.*_{folder.name}"):
                shutil.rmtree(leftover)
            builder.download_and_prepare(
                file_format="array_record",
                download_dir=download_folder,
                download_config=tfds.download.DownloadConfig(try_download_gcs=False),
            )
    return make_builder()


def is_prepared(builder: "tfds.core.DatasetBuilder") -> bool:
    """Returns whether the builder's data is on disk; the builder's own method warns on stderr where it is not."""
    return (Path(builder.data_dir) / "dataset_info.json").exists()


def read(builder: "tfds.core.DatasetBuilder", split: str) -> list[dict[str, Any]]:
    """Returns the decoded examples of a prepared split, always in the same order."""
    source = builder.as_data_source(split)
    return list(source.__getitems__(range(len(source)))) if len(source) else []
