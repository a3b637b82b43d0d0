"""Counts the words of a text and writes them as numbers to a folder, in bounded memory whatever the text's length."""

import hashlib
import json
import os
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import rich.console
import rich.progress
from jaxtyping import Int64

from data.atomic import write_text
from data.corpus_sources import Source
from data.corpus_vocabulary import CorpusVocabulary
from data.corpus_words import LINE_END, find_words

MAX_SENTENCE = 10_000  # gensim's: longer ones are cut
MAX_TYPES = 5_000_000  # distinct words that are counted at a time, about 0.7 GB

TOKENS_FILE = "tokens.int32"
ENDS_FILE = "ends.int64"
WORDS_FILE = "words.json"
META_FILE = "meta.json"

_UNKNOWN, _END = -1, -2


class _Rows(dict[str, int]):
    def __missing__(self, word: str) -> int:
        return _UNKNOWN


def build(source: Source, folder: Path, *, min_count: int, max_vocab: int) -> None:
    """Reads a text twice, to count its words and to number them, and writes the result.

    TOKENS_FILE holds the rows of the words that are in the vocabulary, int32 [N] in the machine's byte order;
    ENDS_FILE, int64 [sentences], the position after each sentence's last one; WORDS_FILE the vocabulary by row;
    META_FILE, written last, everything else.

    Args:
        source: The text.
        folder: An empty folder.
        min_count: Rarer words are left out.
        max_vocab: Largest vocabulary; 0 for no limit.

    Raises:
        ValueError: The text cannot be read, changed meanwhile, or holds nothing to learn from.
    """
    state = source.state()
    counts, pruned = _count(source)
    num_raw_words = counts.total() + pruned
    words = sorted((w for w in counts if counts[w] >= min_count), key=lambda word: (-counts[word], word))
    words = words[: max_vocab or None]
    _check_words(source.name, words, counts, num_raw_words, min_count)
    expected = [counts[word] for word in words]
    del counts
    rows = _Rows({word: row for row, word in enumerate(words)})
    rows[LINE_END] = _END
    found, num_sentences = _encode(source, rows, folder)
    if source.state() != state or not (pruned or np.array_equal(found, expected)):
        raise ValueError(f"{source.name}: changed while it was read; run again")
    if num_sentences == found.sum():
        raise ValueError(
            f"{source.name}: no line holds two words of the vocabulary (data.min_count={min_count}), so there is "
            f"nothing to learn; expected a sentence on each line"
        )
    if pruned:
        words, found = _reordered(words, found, folder / TOKENS_FILE)
    CorpusVocabulary(tuple(words), found).save(folder / WORDS_FILE)
    meta = {
        "state": state,
        "num_tokens": int(found.sum()),
        "num_sentences": num_sentences,
        "num_raw_words": num_raw_words,
        "digest": _digest(folder),
    }
    write_text(folder / META_FILE, json.dumps(meta))


def _count(source: Source) -> tuple[Counter[str], int]:
    """Returns how often each word occurs, and how many occurrences were forgotten.

    Where there are more than MAX_TYPES words, the rarest so far are forgotten, as in word2vec: a word that is rare in
    every part of a very long text may be missed, and one that comes back is counted anew.
    """
    counts: Counter[str] = Counter()
    pruned, floor = 0, 0
    for text in _shown(source, "counting the words"):
        counts.update(find_words(text))
        del counts[LINE_END]
        while len(counts) > MAX_TYPES:
            floor += 1
            kept = Counter({word: count for word, count in counts.items() if count > floor})
            pruned += counts.total() - kept.total()
            counts = kept
    return counts, pruned


def _check_words(name: str, words: list[str], counts: Counter[str], total: int, min_count: int) -> None:
    if not total:
        raise ValueError(f"{name}: no word in it; expected text, one sentence a line")
    if len(counts) == 1:
        raise ValueError(f"{name}: one distinct word, {next(iter(counts))!r}, so there is nothing to learn")
    if not words:
        word, count = counts.most_common(1)[0]
        raise ValueError(
            f"data.min_count: no word of {name} occurs {min_count} times; the most frequent is {word!r}, {count} times"
        )
    if len(words) == 1:
        raise ValueError(
            f"data.min_count: of the words of {name} {words[0]!r} alone occurs {min_count} times, so there is nothing "
            f"to learn"
        )


def _encode(source: Source, rows: _Rows, folder: Path) -> tuple[Int64[np.ndarray, "V"], int]:
    """Writes the rows of the known words and the ends of the sentences; returns each row's count and their number."""
    found = np.zeros(len(rows) - 1, np.int64)
    num_tokens = num_sentences = start = 0  # start: of the sentence that a piece of text begins within
    with (folder / TOKENS_FILE).open("wb") as tokens_file, (folder / ENDS_FILE).open("wb") as ends_file:
        for text in _shown(source, "numbering the words"):
            words = find_words(text)
            ids = np.fromiter(map(rows.__getitem__, words), np.int32, len(words))
            ids = ids[ids != _UNKNOWN]
            is_end = ids == _END
            tokens = ids[~is_end]
            positions = np.flatnonzero(is_end)
            ends = num_tokens + positions - np.arange(len(positions))
            ends = _sentence_ends(start, ends)
            tokens.tofile(tokens_file)
            ends.tofile(ends_file)
            found += np.bincount(tokens, minlength=len(found))
            num_tokens += len(tokens)
            num_sentences += len(ends)
            start = int(ends[-1]) if len(ends) else start
        for file in (tokens_file, ends_file):
            file.flush()
            os.fsync(file.fileno())
    return found, num_sentences


def _sentence_ends(start: int, line_ends: Int64[np.ndarray, "lines"]) -> Int64[np.ndarray, "sentences"]:
    """Returns where sentences end: those of lines with words; long ones are cut into MAX_SENTENCE words and a rest."""
    ends = line_ends[np.diff(line_ends, prepend=start) > 0]
    starts = np.concatenate([[start], ends[:-1]])
    cuts = [
        np.arange(starts[i], ends[i], MAX_SENTENCE)[1:] for i in np.flatnonzero(ends - starts > MAX_SENTENCE)
    ]
    return np.sort(np.concatenate([ends, *cuts]))


def _reordered(
    words: list[str], found: Int64[np.ndarray, "V"], tokens_path: Path
) -> tuple[list[str], Int64[np.ndarray, "V"]]:
    """Sorts the vocabulary anew, by counts that are exact where the first ones had missed occurrences."""
    order = sorted(range(len(words)), key=lambda row: (-found[row], words[row]))
    new_rows = np.empty(len(words), np.int32)
    new_rows[order] = np.arange(len(words), dtype=np.int32)
    tokens = np.memmap(tokens_path, np.int32, "r+")
    for begin in range(0, len(tokens), 2**20):
        piece = slice(begin, begin + 2**20)
        tokens[piece] = new_rows[tokens[piece]]
    tokens.flush()
    return [words[row] for row in order], found[order]


def _shown(source: Source, doing: str) -> Iterator[str]:
    """Yields the pieces of the text while a bar on the terminal shows how much has been read."""
    progress = rich.progress.Progress(
        rich.progress.TextColumn("{task.description}"),
        rich.progress.BarColumn(),
        rich.progress.TaskProgressColumn(),
        rich.progress.TimeElapsedColumn(),
        rich.progress.TimeRemainingColumn(),
        console=rich.console.Console(stderr=True),
        transient=True,
        disable=not sys.stderr.isatty(),  # a log is no place for a moving bar
    )
    with progress:
        task = progress.add_task(f"{source.name}: {doing}", total=source.total)
        for text, done in source.read():
            yield text
            progress.update(task, completed=done)


def _digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for name in (WORDS_FILE, TOKENS_FILE, ENDS_FILE):
        with (folder / name).open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()
