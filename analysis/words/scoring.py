"""Scores pairs of words by their vectors: cosines and inner products of combinations, and of w with c."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float32, Float64, Int64

from .combining import COMBINATIONS, Combination, combine

REFERENCE = "word"  # the arm with which all others are compared


@dataclasses.dataclass(frozen=True)
class Score:
    """A way to score a pair of words a and b that is no cosine of combined vectors.

    Attributes:
      name: in tables and results.
      formula: what is computed, cos for a cosine.
    """

    name: str
    formula: str


WORD_CONTEXT = "word–context"
SCORES: tuple[Score, ...] = (
    Score("word→context", "cos(w_a, c_b)"),
    Score("context→word", "cos(c_a, w_b)"),
    Score(WORD_CONTEXT, "½(cos(w_a, c_b) + cos(c_a, w_b))"),
    Score("word + word–context", "½ cos(w_a, w_b) + ¼(cos(w_a, c_b) + cos(c_a, w_b))"),
    Score("dot word", "w_a·w_b"),
    Score("dot context", "c_a·c_b"),
    Score("dot sum", "(w_a + c_a)·(w_b + c_b)"),
    Score("dot concat", "w_a·w_b + c_a·c_b"),
    Score("dot word–context", "½(w_a·c_b + c_a·w_b)"),
)
# Of vectors less the mean of their table: a control, since a sum of two tables that lean opposite ways is centred, too.
CENTRED = ("word", "context", "sum", "concat")


def score_pairs(
    centre: Float32[np.ndarray, "n dim"],
    context: Float32[np.ndarray, "n dim"],
    rows: Int64[np.ndarray, "pairs 2"],
    further: Sequence[Combination] = (),
) -> dict[str, Float64[np.ndarray, " pairs"]]:
    """Returns the scores of pairs of words, by every combination's cosine and by every one of `SCORES` and `CENTRED`.

    In float64; a cosine with a vector of zeros is 0.

    Args:
      centre: word vectors of the whole vocabulary.
      context: context vectors of the same words.
      rows: of both words of every pair.
      further: combinations beside `COMBINATIONS`.
    """
    used, rows = np.unique(rows, return_inverse=True)
    rows = rows.reshape(-1, 2)
    means = centre.mean(axis=0), context.mean(axis=0)
    centre, context = centre[used], context[used]

    def cosines(
        combination: Combination, *tables: Float32[np.ndarray, "used dim"]
    ) -> Float64[np.ndarray, " pairs"]:
        vectors = combine(combination, *tables)
        return paired_cosines(vectors[rows[:, 0]], vectors[rows[:, 1]])

    scores = {c.name: cosines(c, centre, context) for c in (*COMBINATIONS.values(), *further)}
    centred = [table - mean for table, mean in zip((centre, context), means, strict=True)]
    return (
        scores
        | _scores(centre, context, rows, scores)
        | {f"centred {name}": cosines(COMBINATIONS[name], *centred) for name in CENTRED}
    )


def paired_products(
    a: Float32[np.ndarray, "n dim"], b: Float32[np.ndarray, "n dim"]
) -> Float64[np.ndarray, " n"]:
    """Returns the inner products of the rows of two tables, in float64."""
    return np.einsum("nd,nd->n", a.astype(np.float64), b.astype(np.float64))


def paired_cosines(
    a: Float32[np.ndarray, "n dim"], b: Float32[np.ndarray, "n dim"]
) -> Float64[np.ndarray, " n"]:
    """Returns the cosines of the rows of two tables, in float64; 0 with a vector of zeros."""
    squares = paired_products(a, a) * paired_products(b, b)
    # The root of the product, not the product of roots: a word with itself then has exactly 1, a tie as it should be.
    return paired_products(a, b) / np.sqrt(np.where(squares > 0, squares, 1.0))


def _scores(
    centre: Float32[np.ndarray, "n dim"],
    context: Float32[np.ndarray, "n dim"],
    rows: Int64[np.ndarray, "pairs 2"],
    cosines: Mapping[str, Float64[np.ndarray, " pairs"]],
) -> dict[str, Float64[np.ndarray, " pairs"]]:
    """Returns what `SCORES` name."""
    (w_a, w_b), (c_a, c_b) = ([table[rows[:, side]] for side in (0, 1)] for table in (centre, context))
    forward, backward = paired_cosines(w_a, c_b), paired_cosines(c_a, w_b)
    between = 0.5 * (forward + backward)
    words, contexts = paired_products(w_a, w_b), paired_products(c_a, c_b)
    crossed = paired_products(w_a, c_b) + paired_products(c_a, w_b)
    values = (
        forward,
        backward,
        between,
        0.5 * (cosines[REFERENCE] + between),
        words,
        contexts,
        words + contexts + crossed,
        words + contexts,
        0.5 * crossed,
    )
    return {score.name: value for score, value in zip(SCORES, values, strict=True)}


def formula_of(name: str) -> str:
    """Returns what an arm computes, for tables; the cosine of a combination is meant where its vector is given."""
    if name in COMBINATIONS:
        return f"cos of {COMBINATIONS[name].formula}"
    if name.startswith("centred "):
        return f"{formula_of(name.removeprefix('centred '))}, each table less its mean"
    return next((score.formula for score in SCORES if score.name == name), "")
