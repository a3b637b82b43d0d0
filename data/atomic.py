"""Files that are written whole or not at all."""

import contextlib
import io
import os
import pathlib
import tempfile
from collections.abc import Iterator


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Writes a text file in UTF-8: to a temporary file beside it first, then by renaming that."""
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: str | os.PathLike[str], content: bytes) -> None:
    """Writes a file: to a temporary file beside it first, then by renaming that."""
    with replacing(path) as file:
        file.write(content)


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[io.BufferedIOBase]:
    """Gives a temporary file to write to, which takes the place of `path` when the context ends without an error."""
    path = pathlib.Path(path)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())  # or a power cut might leave the new name with nothing in it
        pathlib.Path(temporary).chmod(0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException:
        pathlib.Path(temporary).unlink(missing_ok=True)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
