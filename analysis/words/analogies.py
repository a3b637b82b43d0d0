"""Answers analogies by vector arithmetic, a is to b as c is to ?, and counts the right answers by section."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, Int64

from data.analogies import Analogies
from training.statistics import over_seeds

from .combining import Combination, combine, scaled_to_unit

METHODS = ("3CosAdd", "3CosMul")
EPSILON = 1e-3  # of 3CosMul, against division by zero
_MOST_NUMBERS = 60_000_000  # cosines held at a time, at most


def question_rows(
    analogies: Analogies, words: Mapping[str, int], limit: int
) -> tuple[Int64[np.ndarray, "questions 4"], Int64[np.ndarray, " questions"]]:
    """Returns the rows of a, b, c and d of every covered question, and which questions those are.

    Args:
      analogies: the questions.
      words: word -> row, most frequent first.
      limit: a question is covered if its four words are among so many most frequent ones; 0 for all.
    """
    known = {word: row for word, row in words.items() if limit == 0 or row < limit}
    found = [
        [*(known[word] for word in question), index]
        for index, question in enumerate(analogies.questions)
        if all(word in known for word in question)
    ]
    table = np.asarray(found, np.int64).reshape(-1, 5)
    return table[:, :4], table[:, 4]


def answer(
    vectors: Float32[np.ndarray, "words dim"], rows: Int64[np.ndarray, "questions 4"]
) -> dict[str, Bool[np.ndarray, " questions"]]:
    """Returns, for each of `METHODS`, which questions are answered rightly.

    3CosAdd (Mikolov et al. 2013, Linguistic Regularities in Continuous Space Word Representations):
    argmax_x cos(x, b) − cos(x, a) + cos(x, c). 3CosMul (Levy and Goldberg 2014, Linguistic Regularities in Sparse and
    Explicit Word Representations): argmax_x s(x, b) s(x, c) / (s(x, a) + ε) with s = (cos + 1) / 2. The answer is
    none of a, b and c; the first row of equal ones.

    The cosines of the few distinct words of many questions with all others are one matrix product, whose rows every
    question adds up; memory is bounded by the number of questions taken at once.

    Args:
      vectors: of all words that an answer may be, their rows those of the questions.
      rows: of a, b, c and d.
    """
    right = {method: np.zeros(len(rows), bool) for method in METHODS}
    unit = scaled_to_unit(vectors)
    scores = np.empty(len(vectors), np.float32)
    size = max(1, _MOST_NUMBERS // (3 * len(vectors)))
    for start in range(0, len(rows), size):
        asked, local = np.unique(rows[start : start + size, :3], return_inverse=True)
        cosines = unit[asked] @ unit.T
        shifted = cosines + 1  # 2s: constant factors do not change the answer
        inverse = 1 / (shifted + 2 * EPSILON)
        for number, (a, b, c) in enumerate(local.reshape(-1, 3), start):
            np.subtract(cosines[b], cosines[a], out=scores)
            scores += cosines[c]
            scores[rows[number, :3]] = -np.inf
            right["3CosAdd"][number] = scores.argmax() == rows[number, 3]
            np.multiply(shifted[b], shifted[c], out=scores)
            scores *= inverse[a]
            scores[rows[number, :3]] = -np.inf
            right["3CosMul"][number] = scores.argmax() == rows[number, 3]
    return right


def measure_analogies(
    analogies: Analogies,
    words: Mapping[str, int],
    centre: Float32[np.ndarray, "seeds vocabulary dim"],
    context: Float32[np.ndarray, "seeds vocabulary dim"],
    combination: Combination,
    limit: int,
) -> dict[str, Any]:
    """Measures the share of right answers of one combination.

    Returns:
      {"questions", "covered", "3CosAdd" and "3CosMul": {section, and "semantic", "syntactic" and "all" over the
      questions of sections: {"per_seed", "mean", "ci95" (Student's over seeds)}}, "sections" {name: {"questions",
      "covered"}}}. What has no covered question is left out.
    """
    rows, covered = question_rows(analogies, words, limit)
    size = limit or centre.shape[1]
    sections = np.asarray(analogies.sections)
    groups = _groups(analogies.section_names, sections)
    result: dict[str, Any] = {
        "questions": len(analogies),
        "covered": len(covered),
        "sections": {
            name: {"questions": int(of_group.sum()), "covered": int(of_group[covered].sum())}
            for name, of_group in groups.items()
        },
    }
    if not len(covered):
        return result | {method: {} for method in METHODS}
    answers = [
        answer(combine(combination, w[:size], c[:size]), rows) for w, c in zip(centre, context, strict=True)
    ]
    for method in METHODS:
        right = np.stack([of_seed[method] for of_seed in answers])
        result[method] = {
            name: over_seeds(right[:, of_group[covered]].mean(axis=1).tolist())
            for name, of_group in groups.items()
            if of_group[covered].any()
        }
    return result


def _groups(names: Sequence[str], sections: np.ndarray) -> dict[str, Bool[np.ndarray, " questions"]]:
    """Returns which questions belong to every section, and to the sections of either kind, and to any."""
    syntactic = np.char.startswith(sections, "gram")
    return {
        **{name: sections == name for name in names},
        "semantic": ~syntactic,
        "syntactic": syntactic,
        "all": np.ones(len(sections), bool),
    }
