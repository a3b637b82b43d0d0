"""Reads and writes files of word vectors: word2vec text and binary, GloVe text, and what gensim's KeyedVectors save.

    word2vec text     a header "V d", then V lines of a word and d numbers
    word2vec binary   the same header, then V times a word, a space and d numbers as float32, low byte first
    GloVe text        word2vec text without the header
    KeyedVectors      a pickle, and .npy files beside it where it is large: data/keyed_vectors.py

What a file is, its content tells, not its name; each may be gzipped. A word that comes twice has the vector of its
first line, as in gensim.
"""

import contextlib
import gzip
import io
import json
import os
import re
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32

from data.atomic import replacing
from data.keyed_vectors import read_keyed_vectors
from data.nearest import nearest
from data.word2vec_parsers import BLOCK, first_bad, is_number, read_binary, read_text
from data.word_vectors import WordVectors

_HEADER = re.compile(rb"[ \t]*(\d{1,18})[ \t]+(\d{1,9})[ \t]*\r?\n")
_TEXT_BYTES = bytes({*range(0x20, 0x7F), *b"\t\r\n"})
_SPACES = re.compile(r"[ \t\n\r\x0b\x0c]")


def load_vectors(path: str | os.PathLike[str]) -> WordVectors:
    """Reads a file of word vectors.

    Args:
        path: Of one of the formats above.

    Returns:
        The words in the file's order, and their vectors as float32.

    Raises:
        FileNotFoundError: No such file; the message names the nearest there is.
        ValueError: The file is of no known format or malformed; the message names the line or the byte.
    """
    path = Path(path)
    if not path.is_file():
        siblings = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
        raise FileNotFoundError(f"{path}: no such file{nearest(path.name, siblings)}")
    with _opened(path) as stream:
        head = stream.read(2**20)
        stream.seek(0)
        if not head.strip():
            raise ValueError(f"{path}: the file is empty, expected word vectors")
        if head[:1] == b"\x80":
            return read_keyed_vectors(stream, path)
        header = _HEADER.match(head)
        if header is None:
            return read_text(stream, path, None, _fields_of_first_line(head, path))
        count, dim = int(header[1]), int(header[2])
        if count < 1 or dim < 1:
            raise ValueError(
                f"{path}, line 1: a header of {count} words of {dim} numbers; expected at least one"
            )
        stream.seek(header.end())
        if _is_binary(head[header.end() :], dim):
            return read_binary(stream, path, count, dim, header.end())
        return read_text(stream, path, count, dim)


def save_word2vec(path: str | os.PathLike[str], vectors: WordVectors, binary: bool = False) -> None:
    """Writes a file in word2vec's format, which gensim and others read: whole or not at all.

    Args:
        path: The file; gzipped where its name ends in .gz. Its folder must exist.
        vectors: At least one word, and finite numbers.
        binary: Whether the numbers are written as bytes; as text they come back the same, too.

    Raises:
        ValueError: What the format cannot hold: no words, a word that is empty or has a space in it, a number that is
            not finite.
        OSError: The file cannot be written.
    """
    words, numbers = vectors.words, np.asarray(vectors.vectors, "<f4")
    if not numbers.size:
        raise ValueError(f"{path}: there are no vectors to write")
    for word in words:
        if not word or _SPACES.search(word):
            raise ValueError(
                f"{path}: word2vec's format has no room for the word {word!r}: empty, or with a space"
            )
    if not np.isfinite(numbers).all():
        raise ValueError(f"{path}: the vector of {words[first_bad(numbers)]!r} is not finite")
    write_rows = _write_binary_rows if binary else _write_text_rows
    rows = max(1, BLOCK // (16 * numbers.shape[1]))
    with replacing(path) as file, _compressed(file, path) as target:
        target.write(f"{len(words)} {numbers.shape[1]}\n".encode())
        for start in range(0, len(words), rows):
            write_rows(target, words[start : start + rows], numbers[start : start + rows])


def vocabulary_words(path: str | os.PathLike[str]) -> tuple[str, ...]:
    """Returns the words that a run of this project knows, or those of a file of word vectors, in their order.

    Args:
        path: A run's folder, of texts or of word vectors, or a file that `load_vectors` reads.

    Raises:
        FileNotFoundError: No such file or folder.
        ValueError: A folder without a run whose inputs are words, or a malformed file.
    """
    path = Path(path)
    if not path.is_dir():
        return load_vectors(path).words
    saved = path / "preprocessor.json"
    if not saved.is_file():
        raise ValueError(f"{path} is a folder without a run in it (preprocessor.json is missing)")
    try:
        content = json.loads(saved.read_text("utf-8"))
    except ValueError as error:
        raise ValueError(f"{saved}: not valid JSON ({error})") from error
    if "words" in content:
        return tuple(content["words"])
    if "tokenizer" not in content:
        raise ValueError(f"{path} holds a run whose inputs are no words ({content.get('format')!r})")
    ids = content["tokenizer"]["model"]["vocab"]
    return tuple(sorted(ids, key=ids.get))[2:]  # after padding and unknown


def extra_words(config: Any) -> tuple[str, ...]:
    """Returns the words that join the vocabulary of a task's texts, as its `config.data` asks for.

    Args:
        config: `config.data`: extra_vocabulary, what `vocabulary_words` reads, and max_extra_words, how many of its
            first words are taken, 0 for all; a config without these fields asks for none.

    Raises:
        FileNotFoundError: No such file or folder.
        ValueError: It holds no words; a negative limit.
    """
    source, limit = config.get("extra_vocabulary", ""), config.get("max_extra_words", 0)
    if limit < 0:
        raise ValueError(f"data.max_extra_words: expected 0 (no limit) or more, found {limit}")
    words = vocabulary_words(source) if source else ()
    return words[:limit] if limit else words


# --- Reading ---


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[io.BufferedIOBase]:
    """Opens a file, gzipped or not, from its beginning."""
    with open(path, "rb") as file:
        magic = file.read(2)
        file.seek(0)
        if magic != b"\x1f\x8b":
            yield file
            return
        try:
            with gzip.GzipFile(fileobj=file) as unpacked:
                yield io.BufferedReader(unpacked)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise ValueError(f"{path}: not a whole gzip file ({error})") from error


def _fields_of_first_line(head: bytes, path: Path) -> int:
    """Returns how many numbers follow the first word of a file without a header."""
    line, newline, _ = head.partition(b"\n")
    fields = line.split()
    if len(fields) < 2 or not is_number(fields[-1]) or (not newline and len(head) == 2**20):
        raise ValueError(
            f"{path}, line 1: unknown format: expected word2vec's header 'words dimensions', a word and its numbers, "
            f"or gensim's KeyedVectors; found {line[:40]!r}"
        )
    return len(fields) - 1


def _is_binary(start: bytes, dim: int) -> bool:
    """Returns whether what follows a header are bytes of numbers, and not their digits."""
    numbers = start.lstrip(b"\n").partition(b" ")[2][: 4 * dim]
    first_line = numbers.partition(b"\n")[0]
    if first_line.translate(None, _TEXT_BYTES):
        return True
    fields = start.partition(b"\n")[0].split()[1:]
    is_text = len(fields) == dim and all(map(is_number, fields))
    return not is_text and bool(numbers.translate(None, _TEXT_BYTES))


# --- Writing ---


@contextlib.contextmanager
def _compressed(file: io.BufferedIOBase, path: str | os.PathLike[str]) -> Iterator[io.BufferedIOBase]:
    """Gives what to write to: gzip into a file whose name ends in .gz, that file itself otherwise."""
    if Path(path).suffix != ".gz":
        yield file
        return
    with gzip.GzipFile(filename="", fileobj=file, mode="wb", compresslevel=6, mtime=0) as packed:
        yield packed


def _write_text_rows(
    target: io.BufferedIOBase, words: Sequence[str], vectors: Float32[np.ndarray, "n d"]
) -> None:
    import pyarrow
    import pyarrow.compute

    # Arrow writes the shortest digits that give the same float32, and is several times as fast as Python.
    digits = pyarrow.array(vectors.reshape(-1)).cast(pyarrow.string())
    ends = np.arange(0, vectors.size + 1, vectors.shape[1], dtype=np.int32)
    lines = pyarrow.compute.binary_join(pyarrow.ListArray.from_arrays(ends, digits), " ").to_pylist()
    text = "".join(f"{word} {line}\n" for word, line in zip(words, lines, strict=True))
    target.write(text.encode())


def _write_binary_rows(
    target: io.BufferedIOBase, words: Sequence[str], vectors: Float32[np.ndarray, "n d"]
) -> None:
    target.write(b"".join(f"{w} ".encode() + row.tobytes() for w, row in zip(words, vectors, strict=True)))
