r"""Vector arithmetic in words: 'food - american + eat', 'blood * color', and the words nearest to what it comes to.

  sum      = product { ("+" | "-") product }        adds, subtracts
  product  = factor { ("*" | "&") factor }          u * v is u∘v, number by number; u & v the hybrid ½(u∘v + u + v)
  factor   = { "-" } [ number ] operand             0.5 king, -king, 2 (king - man)
  operand  = word | "(" sum ")"

Operators of one line are applied from left to right. Spaces or parentheses stand around an operator, since a word may
hold any other character: mother-in-law, don't and 3.5 are words. Where a number stands directly before a word or a
parenthesis it is a weight, anywhere else a word, so 1984 and `2 1984` both speak of the word 1984.

The hybrid is that of Mitchell & Lapata 2010 (Composition in Distributional Models of Semantics), as of `combiners`.
"""

import dataclasses
import pathlib
import re
from typing import Any

import numpy as np
from jaxtyping import Float32, Float64

import training
from data import nearest as names
from data.vector_files import load_vectors
from data.word_vectors import WordVectors

from .nearest import nearest
from .words.combining import combine, named_combination

_TOKEN = re.compile(r"[-+*&()]|[^\s()]+")  # an operator begins a token or is part of a word
_NUMBER = re.compile(r"\d*\.?\d+")
_SUGGESTED = 50_000  # most frequent words that a misspelt one is compared with, which takes a second


@dataclasses.dataclass(frozen=True, eq=False)
class Query:
    """What a query comes to.

    Attributes:
      text: as it was asked.
      vector: float32 [d].
      rows: of the words in it.
    """

    text: str
    vector: Float32[np.ndarray, " d"]
    rows: tuple[int, ...]


def answer_queries(config: Any) -> str:
    """Finds the words nearest to each query by cosine, those of the query itself excepted.

    Args:
      config: the fields of configs/nearest.py.

    Returns:
      A table with two columns per query: words, and their cosines.

    Raises:
      ValueError: for a query that cannot be read, and for vectors, a combination, a seed, k or dtype that cannot be.
    """
    texts = [text for text in map(str.strip, config.queries.split(";")) if text]
    if not texts:
        raise ValueError("queries: none; for example --config.queries='food - american + eat; blood * color'")
    words = _load(pathlib.Path(config.vectors), config.which, config.seed)
    queries = [evaluate(text, words, config.normalise) for text in texts]
    rows, cosines = nearest(
        np.stack([query.vector for query in queries]),
        words.vectors,
        config.k,
        dtype=config.dtype,
        exclude=[query.rows for query in queries],
    )
    columns = []
    for text, found, near in zip(texts, rows.tolist(), cosines.tolist(), strict=True):
        answers = [(words.words[row], cosine) for row, cosine in zip(found, near, strict=True) if row >= 0]
        width = max(len(word) for word, _ in answers) if answers else 0
        lines = [f"{word:<{width}}  {cosine:6.3f}" for word, cosine in answers]
        columns.append([text, *lines, *[""] * (config.k - len(lines))])
    widths = [max(map(len, column)) for column in columns]
    lines = ("   ".join(map(str.ljust, line, widths)).rstrip() for line in zip(*columns, strict=True))
    return "\n".join(lines).rstrip()


def evaluate(text: str, words: WordVectors, normalise: bool = True) -> Query:
    """Computes the vector of a query, in float64.

    Args:
      text: in the grammar above.
      words: all that may occur in it.
      normalise: whether each word's vector is first scaled to length √d. Its numbers are then about one, so that a
        product is neither tiny nor huge beside a sum; in a query without both, any other length would do as well.

    Raises:
      ValueError: for a query that is empty, not of the grammar, or names an unknown word, with its position; and for
        one that comes to zero, to which everything is equally near.
    """
    parser = _Parser(text, words, normalise)
    vector = parser.parse().astype(np.float32)
    if not vector.any():
        raise ValueError(f"query {text!r}: comes to a vector of zeros, to which everything is equally near")
    return Query(text, vector, tuple(dict.fromkeys(parser.rows)))


class _Parser:
    """Reads a query from left to right, computing as it goes; a method per rule of the grammar."""

    def __init__(self, text: str, words: WordVectors, normalise: bool) -> None:
        self.text, self.words, self.normalise = text, words, normalise
        self.rows: list[int] = []
        matches = list(_TOKEN.finditer(text))
        self.tokens = [match[0] for match in matches] + [""]  # an end that is no token
        self.positions = [match.start() + 1 for match in matches] + [len(text) + 1]
        self.at = 0

    def parse(self) -> Float64[np.ndarray, " d"]:
        if len(self.tokens) == 1:
            raise ValueError("empty query: expected words such as 'food - american + eat'")
        vector = self.sum()
        if self.token:
            raise self.error("a '(' before this" if self.token == ")" else "an operator (+, -, * or &)")
        return vector

    def sum(self) -> Float64[np.ndarray, " d"]:
        vector = self.product()
        while self.token in ("+", "-"):
            vector = vector + self.product() if self.take() == "+" else vector - self.product()
        return vector

    def product(self) -> Float64[np.ndarray, " d"]:
        vector = self.factor()
        while self.token in ("*", "&"):
            operator, other = self.take(), self.factor()
            product = vector * other
            vector = product if operator == "*" else 0.5 * (product + vector + other)
        return vector

    def factor(self) -> Float64[np.ndarray, " d"]:
        weight = 1.0
        while self.token == "-":
            self.take()
            weight = -weight
        following = self.tokens[self.at + 1] if self.token else ""
        if _NUMBER.fullmatch(self.token) and following not in ("", "+", "-", "*", "&", ")"):
            weight *= float(self.take())
        return weight * self.operand()

    def operand(self) -> Float64[np.ndarray, " d"]:
        if self.token == "(":
            opened = self.positions[self.at]
            self.take()
            vector = self.sum()
            if self.token != ")":
                raise self.error(f"an operator, or ')' for the '(' at position {opened}")
            self.take()
            return vector
        if self.token in ("", "+", "*", "&", ")"):
            raise self.error("a word or '('")
        return self.word()

    def word(self) -> Float64[np.ndarray, " d"]:
        row = self.words.rows.get(self.token)
        if row is None:
            hint = names.nearest(self.token, self.words.words[:_SUGGESTED])
            if _NUMBER.fullmatch(self.token):
                hint += "; a weight stands directly before what it weighs: 0.5 king"
            elif re.search(r"[-+*&]", self.token):
                hint += "; spaces stand around an operator: king - man"
            raise ValueError(f"{self.place()}: unknown word {self.token!r}{hint}")
        self.take()
        self.rows.append(row)
        vector = self.words.vectors[row].astype(np.float64)
        length = np.linalg.norm(vector)
        return vector * (np.sqrt(len(vector)) / length) if self.normalise and length else vector

    @property
    def token(self) -> str:
        return self.tokens[self.at]

    def take(self) -> str:
        self.at += 1
        return self.tokens[self.at - 1]

    def place(self) -> str:
        return f"query {self.text!r}, position {self.positions[self.at]}"

    def error(self, expected: str) -> ValueError:
        found = repr(self.token) if self.token else "the end"
        return ValueError(f"{self.place()}: expected {expected}, found {found}")


def _load(path: pathlib.Path, which: str, seed: int) -> WordVectors:
    """Reads vectors from a file, or makes them of those of a run."""
    if not path.is_dir():
        if which != "word":
            raise ValueError(
                f"which={which!r} needs a run's folder: a file such as {path} holds one vector a word"
            )
        return load_vectors(path)
    run = training.load_words(path)
    if seed not in run.seeds:
        raise ValueError(f"seed: the run in {path} has {', '.join(map(str, run.seeds))}, found {seed}")
    centre, context = (table[run.seeds.index(seed)] for table in (run.centre, run.context))
    combination = named_combination(which)
    if which in ("word", "context"):
        return WordVectors(run.words, centre if which == "word" else context)
    if centre.shape != context.shape:
        raise ValueError(
            f"which={which!r} needs word and context vectors of one size, those in {path} have "
            f"{centre.shape[1]} and {context.shape[1]} numbers: ask for word or context"
        )
    return WordVectors(run.words, combine(combination, centre, context))
