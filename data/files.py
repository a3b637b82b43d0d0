"""Reads a user's table: CSV, TSV, JSON lines or Parquet, the text kinds also gzipped.

Text files are parsed line by line with the standard library and not with pandas: an error can then name the
line as an editor shows it, quoted newlines included, and no text ("NA", "null", "1e5") turns into a missing
value or a number.
"""

import csv
import dataclasses
import gzip
import io
import json
import os
import sys
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from data.nearest import nearest

_EXTENSIONS = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")


@dataclasses.dataclass(frozen=True)
class Table:
    """A table of N rows held by column.

    Attributes:
        source: The file, for error messages.
        columns: Name -> N values; None is a missing value. CSV and TSV hold text only.
        lines: Where each row starts: the line of a text file, the row of a Parquet file, both from 1.
        unit: What `lines` count, "line" or "row".
    """

    source: str
    columns: Mapping[str, Sequence[Any]]
    lines: Sequence[int]
    unit: str

    def __len__(self) -> int:
        return len(self.lines)

    def where(self, row: int) -> str:
        """Returns the place of a row (from 0) for an error message, as "my.csv, line 7"."""
        return f"{self.source}, {self.unit} {self.lines[row]}"

    def column(self, name: str, option: str) -> Sequence[Any]:
        """Returns the N values of a column.

        Args:
            name: The column.
            option: The config's field that names it, for the error message.

        Raises:
            ValueError: There is no such column; the message shows those there are.
        """
        if name not in self.columns:
            raise ValueError(
                f"{self.source}: no column {name!r} ({option}){nearest(name, self.columns)}; "
                f"found columns {', '.join(map(repr, self.columns))}"
            )
        return self.columns[name]


def read_table(path: str | os.PathLike[str]) -> Table:
    """Reads a file whose kind its extension tells.

    Args:
        path: A file .csv, .tsv, .jsonl, .ndjson (each may end in .gz) or .parquet; UTF-8. CSV and TSV have a
            header, and quote as RFC 4180 has it. An empty field of CSV or TSV is a missing value.

    Returns:
        The table, at least one row.

    Raises:
        FileNotFoundError: No such file.
        ValueError: Unknown extension, an empty file, or a malformed line, which the message names.
    """
    path = Path(path)
    if not path.is_file():
        siblings = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
        raise FileNotFoundError(f"{path}: no such file{nearest(path.name, siblings)}")
    suffixes = [suffix.lower() for suffix in path.suffixes]
    gzipped = suffixes[-1:] == [".gz"]
    kind = "".join(suffixes[-2:-1] if gzipped else suffixes[-1:])
    if kind not in _EXTENSIONS or (gzipped and kind == ".parquet"):
        raise ValueError(
            f"{path}: unknown extension {''.join(suffixes[-2:]) if gzipped else kind!r}{nearest(kind, _EXTENSIONS)}; "
            f"expected one of {', '.join(_EXTENSIONS)}, or a text kind with .gz"
        )
    if path.stat().st_size == 0:
        raise ValueError(f"{path}: the file is empty, expected a table with rows")
    if kind == ".parquet":
        table = _read_parquet(path)
    else:
        text = _read_text(path, gzipped)
        table = _read_json_lines(text, path) if kind in (".jsonl", ".ndjson") else _read_csv(text, path, kind)
    if not len(table):
        raise ValueError(f"{path}: the file is empty, expected at least one row")
    return table


def _read_text(path: Path, gzipped: bool) -> str:
    content = path.read_bytes()
    try:
        content = gzip.decompress(content) if gzipped else content
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"{path}: not a whole gzip file ({error})") from error
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise ValueError(f"{path}, line {line}: byte {content[error.start]:#04x} is not UTF-8") from error


def _read_csv(text: str, path: Path, kind: str) -> Table:
    # newline="" leaves newlines inside quotes to the csv module.
    reader = csv.reader(io.StringIO(text, newline=""), delimiter="\t" if kind == ".tsv" else ",", strict=True)
    lines, rows = [], []
    limit = csv.field_size_limit(sys.maxsize)  # a document may be longer than the default 128 KiB
    try:
        for line, row in _csv_rows(reader, path, kind):
            lines.append(line)
            rows.append(row)
    finally:
        csv.field_size_limit(limit)
    if not rows:
        raise ValueError(f"{path}: the file is empty, expected a header and rows")
    header = rows[0]
    for name in header:
        if header.count(name) > 1:
            raise ValueError(f"{path}, line {lines[0]}: the header has column {name!r} more than once")
    for line, row in zip(lines[1:], rows[1:], strict=True):
        if len(row) != len(header):
            raise ValueError(
                f"{path}, line {line}: malformed row: expected {len(header)} fields, as the header has, "
                f"found {len(row)}"
            )
    columns = {name: [row[i] or None for row in rows[1:]] for i, name in enumerate(header)}
    return Table(str(path), columns, lines[1:], "line")


def _csv_rows(reader: Any, path: Path, kind: str) -> Iterator[tuple[int, list[str]]]:
    while True:
        start = reader.line_num + 1
        try:
            row = next(reader, None)
        except csv.Error as error:
            raise ValueError(
                f"{path}, line {start}: malformed {kind[1:].upper()} row ({error}); quotes inside a field are "
                f"doubled, and such a field stands in quotes"
            ) from error
        if row is None:
            return
        if row:  # a blank line is no row
            yield start, row


def _read_json_lines(text: str, path: Path) -> Table:
    lines, rows = [], []
    for line, content in enumerate(text.split("\n"), start=1):
        if not content.strip():
            continue
        try:
            row = json.loads(content)
        except (json.JSONDecodeError, RecursionError) as error:
            raise ValueError(f"{path}, line {line}: malformed JSON ({error})") from error
        if not isinstance(row, dict):
            raise ValueError(
                f"{path}, line {line}: malformed row: expected a JSON object like "
                f'{{"text": ..., "label": ...}}, found {content.strip()[:40]}'
            )
        lines.append(line)
        rows.append(row)
    names = dict.fromkeys(name for row in rows for name in row)  # in order of first appearance
    return Table(str(path), {name: [row.get(name) for row in rows] for name in names}, lines, "line")


def _read_parquet(path: Path) -> Table:
    import pyarrow
    import pyarrow.parquet  # takes as long to import as most files take to read

    try:
        table = pyarrow.parquet.read_table(path)
    except (pyarrow.ArrowException, OSError) as error:
        raise ValueError(f"{path}: not a Parquet file ({str(error).splitlines()[0]})") from error
    return Table(str(path), table.to_pydict(), range(1, table.num_rows + 1), "row")
