"""Where running text comes from: files of the user's, and prepared TFDS data sets, read in pieces."""

import codecs
import glob
import gzip
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from data.nearest import nearest

if TYPE_CHECKING:  # a text file needs no TFDS, which takes a while to import
    import tensorflow_datasets as tfds

_BYTES = 2**20  # read at a time
_EXAMPLES = 256


@runtime_checkable
class Source(Protocol):
    """Text of any length that can be read more than once.

    Attributes:
        name: How people call it.
        identity: What makes it this text and no other, whatever it says now.
    """

    name: str
    identity: Mapping[str, Any]

    @property
    def total(self) -> int:
        """What `read` counts up to."""
        ...

    def state(self) -> Mapping[str, Any]:
        """Returns what changes when the text does."""
        ...

    def read(self) -> Iterator[tuple[str, int]]:
        """Yields the text in pieces that are cut between words, and how far the source has been read."""
        ...


class TextFiles:
    """Text files in UTF-8, one sentence a line; those that end in .gz are unpacked as they are read."""

    def __init__(self, paths: str):
        """Finds the files.

        Args:
            paths: Files or patterns with *, ? or [...] between commas; a pattern's files come in the order of their
                names.

        Raises:
            FileNotFoundError: There is no such file.
            ValueError: A path is a folder.
        """
        self._paths = _find(paths)
        first, *rest = self._paths
        self.name = f"{first.name} and {len(rest)} more" if rest else first.name
        self.identity = {"files": [str(path) for path in self._paths]}

    @property
    def total(self) -> int:
        """Bytes of the files, packed as they are."""
        return sum(path.stat().st_size for path in self._paths)

    def state(self) -> Mapping[str, Any]:
        """Returns the files' sizes and times of change.

        Not their content: to read it all takes as long as to count its words, each time that a run starts.
        """
        stats = [path.stat() for path in self._paths]
        return {"bytes": [stat.st_size for stat in stats], "mtime_ns": [stat.st_mtime_ns for stat in stats]}

    def read(self) -> Iterator[tuple[str, int]]:
        """Yields the text in pieces, each file's end being that of a line, and the bytes read.

        Raises:
            ValueError: A file is not UTF-8, or not a whole gzip file.
        """
        done = 0
        for path in self._paths:
            with path.open("rb") as raw, gzip.open(raw) if _is_packed(path) else raw as file:
                for text in _pieces(path, file):
                    yield text, done + raw.tell()
            done += path.stat().st_size


class Documents:
    """The texts of a TFDS data set's training split: lines within a text are lines."""

    def __init__(
        self,
        name: str,
        identity: Mapping[str, Any],
        find: Callable[[], tuple["tfds.core.DatasetBuilder", str]],
    ):
        """Describes the data set; nothing is read.

        Args:
            name: As in config.data.name.
            identity: What the texts depend on, the version among it.
            find: Returns the prepared builder and the feature that holds the text; called when it is read.
        """
        self.name = name
        self.identity = identity
        self._find = find

    @property
    def total(self) -> int:
        """The number of examples."""
        return self._find()[0].info.splits["train"].num_examples

    def state(self) -> Mapping[str, Any]:
        """Returns nothing: the texts of a version do not change."""
        return {}

    def read(self) -> Iterator[tuple[str, int]]:
        """Yields the texts of some examples, and the number of examples read.

        Raises:
            ValueError: A text is not UTF-8.
        """
        import tensorflow_datasets as tfds

        builder, feature = self._find()
        # Decoding takes time by the feature, and one is read. (tfds.decode.PartialDecoding needs TensorFlow.)
        features = tfds.features.FeaturesDict({feature: builder.info.features[feature]})
        records = builder.as_data_source("train", deserialize_method=tfds.decode.DeserializeMethod.RAW_BYTES)
        for start in range(0, len(records), _EXAMPLES):
            rows = range(start, min(start + _EXAMPLES, len(records)))
            texts = [
                features.deserialize_example_np(record)[feature] for record in records.__getitems__(rows)
            ]
            yield (
                "".join(_decoded(text, self.name, row) for row, text in zip(rows, texts, strict=True)),
                rows.stop,
            )


def _decoded(text: bytes, name: str, row: int) -> str:
    try:
        return text.decode() + "\n"
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{name}, split 'train', row {row}: the text is not UTF-8 ({error.reason})"
        ) from error


def _find(paths: str) -> list[Path]:
    # A file may have a comma or a bracket in its name.
    whole = Path(paths).expanduser()
    parts = [paths] if whole.exists() else [part.strip() for part in paths.split(",") if part.strip()]
    found: dict[Path, None] = {}  # a set in order
    for part in parts:
        path = Path(part).expanduser()
        matches = [path] if path.exists() else [Path(match) for match in sorted(glob.glob(str(path)))]
        files = [match.absolute() for match in matches if not match.is_dir()]
        if not files and matches:
            raise ValueError(
                f"data.path: {path} is a folder, expected files, as {path / '*.txt'} or a.txt,b.txt.gz"
            )
        if not files:
            siblings = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
            raise FileNotFoundError(f"data.path: {path}: no such file{nearest(path.name, siblings)}")
        found.update(dict.fromkeys(files))
    return list(found)


def _is_packed(path: Path) -> bool:
    return path.suffix.lower() == ".gz"


def _pieces(path: Path, file: Any) -> Iterator[str]:
    """Yields a file's text in pieces cut between words; the last ends a line."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    rest, num_lines, at_end = "", 0, False
    while not at_end:
        try:
            content = file.read(_BYTES)
        except (OSError, EOFError, zlib.error) as error:
            if not _is_packed(path):
                raise
            raise ValueError(f"data.path: {path}: not a whole gzip file ({error})") from error
        at_end = not content
        try:
            text = decoder.decode(content, final=at_end)
        except UnicodeDecodeError as error:
            # The decoder may hold the first bytes of a letter that began in the piece before: error.object has them.
            line = num_lines + error.object[: error.start].count(b"\n") + 1
            raise ValueError(
                f"data.path: {path}, line {line}: byte {error.object[error.start]:#04x} is not UTF-8"
            ) from error
        num_lines += text.count("\n")
        text = rest + text
        if at_end:
            yield text + "\n"
            return
        cut = max(text.rfind("\n"), text.rfind(" ")) + 1 or len(text)  # a word of a million letters is none
        rest = text[cut:]
        yield text[:cut]
