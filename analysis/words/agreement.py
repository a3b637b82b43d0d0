"""Measures how well every way to score pairs of words agrees with people: ρ, intervals, paired tests, on one set."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float32, Float64

from analysis.report.resampling import percentile_interval
from analysis.report.statistics import SIGNIFICANCE, holm, student_interval
from data.word_pairs import PAIR_SOURCES, WordPairs, pair_rows

from .combining import Combination, interpolation
from .resampling import normal_p_values, rank_correlations, resampled_correlations
from .scoring import REFERENCE, WORD_CONTEXT, score_pairs

FEWEST_PAIRS = 10  # of a set that is measured at all; with fewer, no interval means anything
# Of which the claims speak, beside the differences from the word vectors alone.
CONTRASTS = (("concat", "sum"), ("centred sum", "centred word"))
_COMPARED_WITH_CONCAT = ("sum", "word", "context", "product", "hybrid", WORD_CONTEXT)


def measure_set(
    pairs: WordPairs,
    words: Mapping[str, int],
    centre: Float32[np.ndarray, "seeds vocabulary dim"],
    context: Float32[np.ndarray, "seeds vocabulary dim"],
    alphas: Sequence[float],
    tuned: Mapping[str, float],
    num_resamples: int,
) -> dict[str, Any]:
    """Measures all arms on one set of pairs.

    An arm is a way to score pairs. Its value is Spearman's ρ with people's scores, averaged over seeds. Intervals are
    of that mean, over pairs (seeds held fixed), beside Student's over seeds. Arms are compared on the same resamples of
    the pairs.

    Args:
      pairs: the set.
      words: word -> row.
      centre: word vectors of every seed.
      context: context vectors of every seed.
      alphas: the grid of αw + (1 − α)c.
      tuned: arms that were chosen on other pairs: {"raw" or "unit": alpha}.
      num_resamples: of the pairs.

    Returns:
      {"title", "measures", "pairs", "covered", "reason"}, and unless there is a reason why not
        "arms" {name: {"per_seed", "mean", "ci95", "seeds_ci95", "standing" (best, tied or below), "versus_word": None
          for the word vectors, else a difference with "p_adjusted" and "verdict"}},
        "tuned" {arm: alpha},
        "alphas" {"raw" and "unit": [{"alpha", "mean", "ci95", "per_seed"}]},
        "contrasts" {"a - b": a difference},
        "concat_agrees_with" {name: ρ of the two rankings},
        "cross_terms" {"share", "correlation"} of every seed.
      A difference is {"mean", "ci95", "per_seed", "seeds_ci95", "p_value"}.
    """
    rows, covered = pair_rows(pairs, words)
    known = PAIR_SOURCES.get(pairs.name)
    result: dict[str, Any] = {
        "title": known.title if known else pairs.name,
        "measures": known.measures if known else "",
        "pairs": len(pairs),
        "covered": len(covered),
        "reason": "",
    }
    human = pairs.scores[covered]
    if len(covered) < FEWEST_PAIRS:
        return result | {"reason": f"{len(covered)} of {len(pairs)} pairs covered, fewer than {FEWEST_PAIRS}"}
    if np.ptp(human) == 0:
        return result | {"reason": "people gave all covered pairs one score"}

    grid = [
        (kind, interpolation(float(alpha), kind == "unit")) for kind in ("raw", "unit") for alpha in alphas
    ]
    chosen = {_tuned_name(kind): interpolation(alpha, kind == "unit") for kind, alpha in tuned.items()}
    further = list(dict.fromkeys([combination for _, combination in grid] + list(chosen.values())))
    scores = [score_pairs(w, c, rows, further) for w, c in zip(centre, context, strict=True)]
    names = list(scores[0])
    stacked = np.stack([of_seed[name] for name in names for of_seed in scores])
    per_seed = rank_correlations(human, stacked).reshape(len(names), len(scores))
    resampled = resampled_correlations(human, stacked, num_resamples)
    means = resampled.reshape(num_resamples, len(names), len(scores)).mean(axis=2)
    values = {name: (per_seed[i], means[:, i]) for i, name in enumerate(names)}

    on_grid = {combination.name for combination in further}
    arms = {name: value for name, value in values.items() if name not in on_grid}
    arms |= {name: values[combination.name] for name, combination in chosen.items()}
    return result | {
        "arms": _arms(arms),
        "tuned": {_tuned_name(kind): alpha for kind, alpha in tuned.items()},
        "alphas": {kind: _curve(grid, kind, values) for kind in ("raw", "unit")},
        "contrasts": {f"{a} - {b}": difference_of(values[a], values[b]) for a, b in CONTRASTS},
        "concat_agrees_with": _concat_agreement(scores, num_resamples),
        "cross_terms": _cross_terms(scores),
    }


def best_alphas(measured: Mapping[str, Any]) -> dict[str, float]:
    """Returns {"raw" and "unit": the alpha of the highest mean ρ} of a measured set, {} where it was not measured."""
    if measured["reason"]:
        return {}
    return {
        kind: max(points, key=lambda point: point["mean"])["alpha"]
        for kind, points in measured["alphas"].items()
        if points
    }


def _tuned_name(kind: str) -> str:
    return "tuned α" if kind == "raw" else "unit tuned α"


Value = tuple[Float64[np.ndarray, " seeds"], Float64[np.ndarray, " resamples"]]


def difference_of(a: Value, b: Value) -> dict[str, Any]:
    """Returns a minus b: over seeds, and of their mean over the resamples of the pairs, which both share.

    Args:
      a: ρ of every seed, and the mean over seeds on every resample.
      b: of the other arm.
    """
    per_seed, resampled = a[0] - b[0], a[1] - b[1]
    mean = float(per_seed.mean())
    return {
        "mean": mean,
        "ci95": list(percentile_interval(resampled)),
        "per_seed": per_seed.tolist(),
        "seeds_ci95": _listed(student_interval(per_seed)),
        "p_value": float(normal_p_values(np.asarray([mean]), resampled[:, None])[0]),
    }


def _arms(values: Mapping[str, Value]) -> dict[str, Any]:
    versus_word = {
        name: difference_of(value, values[REFERENCE]) for name, value in values.items() if name != REFERENCE
    }
    twins = _twins(values)
    distinct = sorted({twins[name] for name in versus_word if twins[name] != twins[REFERENCE]})
    adjusted = dict(zip(distinct, holm([versus_word[name]["p_value"] for name in distinct]), strict=True))
    for name, difference in versus_word.items():
        p_adjusted = adjusted.get(twins[name], 1.0)
        different = p_adjusted < SIGNIFICANCE
        verdict = ("better" if difference["mean"] > 0 else "worse") if different else "tied"
        difference |= {"p_adjusted": p_adjusted, "verdict": verdict}
    standings = rank_arms(values)
    return {
        name: {
            "per_seed": per_seed.tolist(),
            "mean": float(per_seed.mean()),
            "ci95": list(percentile_interval(resampled)),
            "seeds_ci95": _listed(student_interval(per_seed)),
            "versus_word": versus_word.get(name),
            "standing": standings[name],
        }
        for name, (per_seed, resampled) in values.items()
    }


def rank_arms(values: Mapping[str, Value]) -> dict[str, str]:
    """Says which arm is best, which cannot be told from it, and which are below.

    The arm with the highest mean is "best" if it is better than every other by the paired test, with Holm's adjustment
    over all pairs of arms (it was picked by its results), apart from arms that rank every pair as it does. Otherwise it
    and those from which the test does not tell it apart are "tied". The others are "below".
    """
    twins = _twins(values)
    names = [name for name, first in twins.items() if name == first]
    means = np.asarray([values[name][0].mean() for name in names])
    resampled = np.stack([values[name][1] for name in names], axis=1)
    a, b = np.triu_indices(len(names), 1)
    p_values = np.ones((len(names), len(names)))
    differences = normal_p_values(means[a] - means[b], resampled[:, a] - resampled[:, b])
    p_values[a, b] = p_values[b, a] = holm(differences.tolist())
    leader = int(means.argmax())
    level = {name for name, p in zip(names, p_values[leader], strict=True) if p >= SIGNIFICANCE}
    word = "best" if level == {names[leader]} else "tied"
    return {name: word if twins[name] in level else "below" for name in values}


def _twins(values: Mapping[str, Value]) -> dict[str, str]:
    """Returns the first arm that ranks all pairs as an arm does, for every arm: to compare both is one comparison."""
    firsts: dict[bytes, str] = {}
    return {
        name: firsts.setdefault(per_seed.tobytes() + resampled.tobytes(), name)
        for name, (per_seed, resampled) in values.items()
    }


def _curve(
    grid: Sequence[tuple[str, Combination]], kind: str, values: Mapping[str, Value]
) -> list[dict[str, Any]]:
    return [
        {
            "alpha": combination.alpha,
            "mean": float(values[combination.name][0].mean()),
            "ci95": list(percentile_interval(values[combination.name][1])),
            "per_seed": values[combination.name][0].tolist(),
        }
        for of_kind, combination in grid
        if of_kind == kind
    ]


def _concat_agreement(
    scores: Sequence[Mapping[str, Float64[np.ndarray, " pairs"]]], num_resamples: int
) -> dict[str, Any]:
    """Returns ρ of the concatenation's ranking of the pairs with those of other arms, averaged over seeds."""
    others = [np.stack([of_seed[name] for name in _COMPARED_WITH_CONCAT]) for of_seed in scores]
    per_seed = np.stack(
        [rank_correlations(s["concat"], rows) for s, rows in zip(scores, others, strict=True)]
    )
    resampled = sum(
        resampled_correlations(s["concat"], rows, num_resamples)
        for s, rows in zip(scores, others, strict=True)
    ) / len(scores)
    return {
        name: {
            "mean": float(per_seed[:, i].mean()),
            "ci95": list(percentile_interval(resampled[:, i])),
            "per_seed": per_seed[:, i].tolist(),
        }
        for i, name in enumerate(_COMPARED_WITH_CONCAT)
    }


def _cross_terms(scores: Sequence[Mapping[str, Float64[np.ndarray, " pairs"]]]) -> dict[str, list[float]]:
    """Measures w_a·c_b + c_a·w_b, which the inner product of two sums has and that of two concatenations lacks.

    Returns:
      For every seed "share", Σ|cross terms| / Σ(|cross terms| + |w_a·w_b + c_a·c_b|) over the pairs, and
      "correlation", Pearson's of the two.
    """
    shares, correlations = [], []
    for of_seed in scores:
        crossed, rest = 2 * of_seed["dot word–context"], of_seed["dot concat"]
        total = np.abs(crossed).sum() + np.abs(rest).sum()
        shares.append(float(np.abs(crossed).sum() / total) if total > 0 else 0.0)
        spread = crossed.std() * rest.std()
        covariance = np.mean((crossed - crossed.mean()) * (rest - rest.mean()))
        correlations.append(float(covariance / spread) if spread > 0 else 0.0)
    return {"share": shares, "correlation": correlations}


def _listed(interval: tuple[float, float] | None) -> list[float] | None:
    return None if interval is None else list(interval)
