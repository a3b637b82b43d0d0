"""Parses word vectors as word2vec and GloVe write them: lines of digits, or words and float32."""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from data.word_vectors import WordVectors

BLOCK = 2**23  # bytes that are parsed at a time
_LONGEST_WORD = 2**16  # bytes; where none ends by then, the file is not what its header says


def read_text(stream: io.BufferedIOBase, path: Path, count: int | None, dim: int) -> WordVectors:
    """Reads lines of a word and `dim` numbers; `count` of them where a header, already read, says so."""
    first = 1 if count is None else 2
    words: list[str] = []
    parts: list[np.ndarray] = []
    while block := stream.read(BLOCK) + stream.readline():
        lines = block.removesuffix(b"\n").split(b"\n")
        found = _parse_fast(lines, dim) or _parse_slowly(lines, dim, first, f"{path}, line")
        words += found[0]
        parts.append(found[1])
        first += len(lines)
    if count is not None and len(words) != count:
        raise ValueError(f"{path}: the header says {count:,} words, but {len(words):,} lines follow it")
    return _joined(words, parts)


def _parse_fast(lines: Sequence[bytes], dim: int) -> tuple[list[str], Float32[np.ndarray, "n d"]] | None:
    """Returns the words and vectors of lines; None where one is not a word and `dim` numbers, a space between each."""
    import pyarrow.csv  # takes as long to import as a small file to read

    split = [line.rstrip().partition(b" ") for line in lines]
    if any(not word or numbers.count(b" ") != dim - 1 for word, _, numbers in split):
        return None
    numbers = b"\n".join(numbers for _, _, numbers in split)
    names = [str(column) for column in range(dim)]
    longest = max(len(numbers) for _, _, numbers in split)
    try:
        words = [word.decode() for word, _, _ in split]
        table = pyarrow.csv.read_csv(
            pyarrow.BufferReader(numbers),
            pyarrow.csv.ReadOptions(column_names=names, block_size=2**20 + 2 * longest),
            pyarrow.csv.ParseOptions(delimiter=" ", quote_char=False),
            pyarrow.csv.ConvertOptions(column_types=dict.fromkeys(names, pyarrow.float32()), null_values=[]),
        )
    except (UnicodeDecodeError, pyarrow.ArrowInvalid):
        return None
    vectors = np.stack([column.to_numpy() for column in table.columns], axis=1)
    return (words, vectors) if np.isfinite(vectors).all() and len(vectors) == len(words) else None


def _parse_slowly(
    lines: Sequence[bytes], dim: int, first: int, where: str
) -> tuple[list[str], Float32[np.ndarray, "n d"]]:
    """Parses lines one by one, of which the first has the number `first`; what is wrong names its line."""
    words, rows = [], []
    for number, line in enumerate(lines, start=first):
        fields = line.split()
        if not fields:
            continue
        # A word of GloVe may have spaces in it (". . ."): what precedes the last d fields, unless that is a number.
        extra = fields[1 : len(fields) - dim]
        if len(fields) <= dim or any(map(is_number, extra)):
            raise ValueError(f"{where} {number}: expected a word and {dim} numbers, found {len(fields) - 1}")
        values = fields[len(fields) - dim :]
        for value in values:
            if not is_number(value):
                raise ValueError(f"{where} {number}: {_shown(value)} is not a number")
        words.append(_decoded(b" ".join(fields[: len(extra) + 1]), f"{where} {number}"))
        with np.errstate(over="ignore"):
            rows.append(np.array([float(value) for value in values]).astype(np.float32))
        if not np.isfinite(rows[-1]).all():
            bad = values[int(np.argmin(np.isfinite(rows[-1])))]
            raise ValueError(f"{where} {number}: expected finite numbers, found {_shown(bad)}")
    return words, np.array(rows, np.float32).reshape(len(words), dim)


def read_binary(stream: io.BufferedIOBase, path: Path, count: int, dim: int, position: int) -> WordVectors:
    """Reads `count` times a word, a space and `dim` float32; the stream stands at byte `position`."""
    words: list[str] = []
    parts: list[np.ndarray] = []
    buffer = stream.read(BLOCK)
    size = 4 * dim
    while True:
        start, rows = 0, []
        while len(words) < count:
            space = buffer.find(b" ", start)
            if space < 0 or space + 1 + size > len(buffer):
                break
            word = buffer[start:space].lstrip(
                b"\n"
            )  # word2vec itself ends a vector with a newline, gensim does not
            if not word:
                raise ValueError(f"{path}, byte {position + start}: expected a word, found a space")
            words.append(_decoded(word, f"{path}, byte {position + start}"))
            start = space + 1 + size
            rows.append(buffer[space + 1 : start])
        part = np.frombuffer(b"".join(rows), "<f4").reshape(len(rows), dim).astype(np.float32)
        if not np.isfinite(part).all():
            number = len(words) - len(rows) + first_bad(part)
            raise ValueError(f"{path}: the vector of word {number + 1}, {words[number]!r}, is not finite")
        parts.append(part)
        buffer, position = buffer[start:], position + start
        if len(words) == count:
            break
        more = b"" if len(buffer) > size + _LONGEST_WORD else stream.read(BLOCK)
        if not more:
            raise ValueError(
                f"{path}, byte {position}: word {len(words) + 1:,} of {count:,} is not a word, a space and {dim} "
                "float32: the file is cut short or malformed"
            )
        buffer += more
    left = len((buffer + stream.read(BLOCK)).strip(b"\n"))
    if left:
        raise ValueError(f"{path}, byte {position}: more follows the {count:,} words of the header")
    return _joined(words, parts)


def _joined(words: list[str], parts: list[np.ndarray]) -> WordVectors:
    """Puts blocks of vectors together, freeing them one by one, and drops words that came before."""
    vectors = np.empty((len(words), parts[0].shape[1]), np.float32)
    stop = len(words)
    while parts:
        part = parts.pop()
        vectors[stop - len(part) : stop] = part
        stop -= len(part)
    first = {word: row for row, word in reversed(list(enumerate(words)))}
    if len(first) == len(words):
        return WordVectors(tuple(words), vectors)
    rows = sorted(first.values())
    return WordVectors(tuple(words[row] for row in rows), vectors[rows])


def is_number(field: bytes) -> bool:
    """Returns whether a field is a number, be it infinite or none at all."""
    try:
        float(field)
    except ValueError:
        return False
    return True


def _decoded(word: bytes, where: str) -> str:
    try:
        return word.decode()
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{where}: the word {_shown(word)} is not UTF-8 (byte {word[error.start]:#04x})"
        ) from error


def _shown(field: bytes) -> str:
    return repr(field[:40].decode("utf-8", "backslashreplace"))


def first_bad(vectors: Float32[np.ndarray, "n d"]) -> int:
    """Returns the first row that is not finite."""
    return int(np.argmin(np.isfinite(vectors).all(axis=1)))
