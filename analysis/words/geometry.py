"""Measures how a word's two vectors lie to each other, and identities between the cosines of combinations."""

import itertools
from typing import Any

import numpy as np
from jaxtyping import Float32, Float64

from analysis.report.statistics import student_interval

from .combining import COMBINATIONS, combine, scaled_to_unit
from .scoring import paired_cosines, paired_products

BANDS = (1_000, 10_000)  # where the frequent words end, and where the rare ones begin
_BINS = 80  # of the histogram, over cosines from −1 to 1
_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def measure_angles(
    centre: Float32[np.ndarray, "seeds vocabulary dim"], context: Float32[np.ndarray, "seeds vocabulary dim"]
) -> dict[str, Any]:
    """Measures cos(w_i, c_i) of every word beside cos(w_i, c_j) with the context vector of a random other word.

    Both also with the mean of each table taken away first: all word vectors of a skip-gram model lean one way and all
    context vectors another (Mimno and Thompson 2017, The Strange Geometry of Skip-Gram with Negative Sampling), which
    moves every cosine alike.

    Args:
      centre: word vectors of every seed, most frequent word first.
      context: context vectors of every seed.

    Returns:
      {"dim", "words", "edges" of the histogram's bins, "raw" and "centred": {"own" and "random": {"mean" over words and
      seeds, "ci95" (Student's over words, of each word's mean over seeds), "per_seed", "quantiles" {share: cosine},
      "counts" per bin}, "bands": [{"words": "1 to 1,000", "mean", "ci95"} of own, by frequency]}}.
    """
    num_words, dim = centre.shape[1:]
    shift = max(1, num_words // 2)  # of a random order, so that no word meets itself
    order = np.random.default_rng(0).permutation(num_words)
    partner = np.empty(num_words, np.int64)
    partner[order] = np.roll(order, shift)
    edges = np.linspace(-1, 1, _BINS + 1)
    result: dict[str, Any] = {"dim": dim, "words": num_words, "edges": edges.tolist()}
    for kind in ("raw", "centred"):
        tables = [
            (w, c) if kind == "raw" else (_centred(w), _centred(c))
            for w, c in zip(centre, context, strict=True)
        ]
        own = np.stack([paired_cosines(w, c) for w, c in tables])
        random = np.stack([paired_cosines(w, c[partner]) for w, c in tables])
        result[kind] = {
            "own": _distribution(own, edges),
            "random": _distribution(random, edges),
            "bands": _bands(own),
        }
    return result


def check_identities(
    centre: Float32[np.ndarray, "seeds vocabulary dim"],
    context: Float32[np.ndarray, "seeds vocabulary dim"],
    num_pairs: int,
) -> dict[str, float]:
    """Computes what follows from formulas on random pairs of words, as float32 vectors have it; the largest over seeds.

    Returns:
      {"sum_mean_cosine": max |cos of sums − cos of means|, "sum_mean_length": max ||w + c| / |½(w + c)| − 2|,
      "concat_cosine": max |cos of concatenations − the mean of the parts' cosines, weighted by the products of their
      lengths|, "unit_concat_cosine": max |cos of concatenations of ŵ and ĉ − ½(cos(w, w′) + cos(c, c′))|}.
    """
    rng = np.random.default_rng(0)
    worst = dict.fromkeys(("sum_mean_cosine", "sum_mean_length", "concat_cosine", "unit_concat_cosine"), 0.0)
    for w, c in zip(centre, context, strict=True):
        a, b = rng.integers(0, len(w), (2, num_pairs))
        made = {
            name: (combine(COMBINATIONS[name], w[a], c[a]), combine(COMBINATIONS[name], w[b], c[b]))
            for name in ("sum", "mean", "concat", "unit concat")
        }
        cosines = {name: paired_cosines(*sides) for name, sides in made.items()}
        cos_w, cos_c = paired_cosines(w[a], w[b]), paired_cosines(c[a], c[b])
        (w_a, w_b), (c_a, c_b) = ((_lengths(t[a]), _lengths(t[b])) for t in (w, c))
        whole = np.sqrt((w_a**2 + c_a**2) * (w_b**2 + c_b**2))
        weighted = (w_a * w_b * cos_w + c_a * c_b * cos_c) / np.where(whole > 0, whole, 1.0)
        of_sum, of_mean = _lengths(made["sum"][0]), _lengths(made["mean"][0])
        some = of_mean > 0
        both = (w_a > 0) & (c_a > 0) & (w_b > 0) & (c_b > 0)  # a vector of zeros has no unit length
        found = {
            "sum_mean_cosine": np.abs(cosines["sum"] - cosines["mean"]),
            "sum_mean_length": np.abs(of_sum[some] / of_mean[some] - 2),
            "concat_cosine": np.abs(cosines["concat"] - weighted),
            "unit_concat_cosine": np.abs(cosines["unit concat"] - 0.5 * (cos_w + cos_c))[both],
        }
        worst = {name: max(value, float(found[name].max(initial=0.0))) for name, value in worst.items()}
    return worst


def project(
    centre: Float32[np.ndarray, "vocabulary dim"],
    context: Float32[np.ndarray, "vocabulary dim"],
    rows: list[int],
) -> dict[str, Any]:
    """Projects the vectors of some words onto their two principal components, for the word vectors and for the sums.

    Vectors are scaled to unit length first, as cosines do; the sign of a component is such that its largest weight is
    positive.

    Args:
      centre: word vectors of one seed.
      context: context vectors of that seed.
      rows: of the words, at least one.

    Returns:
      {"word" and "sum": {"points": [[x, y] per word], "explained": [share of the variance, twice]}}.
    """
    return {
        name: _principal_components(
            scaled_to_unit(combine(COMBINATIONS[name], centre[rows], context[rows])).astype(np.float64)
        )
        for name in ("word", "sum")
    }


def _principal_components(vectors: Float64[np.ndarray, "n dim"]) -> dict[str, Any]:
    left, singular, right = np.linalg.svd(vectors - vectors.mean(axis=0), full_matrices=False)
    signs = np.where(right[np.arange(len(right)), np.abs(right).argmax(axis=1)] < 0, -1.0, 1.0)
    points = np.zeros((len(vectors), 2))
    shares = np.zeros(2)
    kept = min(2, len(singular))
    points[:, :kept] = (left * singular * signs)[:, :kept]
    total = (singular**2).sum()
    shares[:kept] = (singular**2)[:kept] / total if total > 0 else 0.0
    return {"points": points.tolist(), "explained": shares.tolist()}


def _centred(vectors: Float32[np.ndarray, "n dim"]) -> Float32[np.ndarray, "n dim"]:
    return vectors - vectors.mean(axis=0)


def _lengths(vectors: Float32[np.ndarray, "n dim"]) -> Float64[np.ndarray, " n"]:
    return np.sqrt(paired_products(vectors, vectors))


def _distribution(
    cosines: Float64[np.ndarray, "seeds vocabulary"], edges: Float64[np.ndarray, " edges"]
) -> dict[str, Any]:
    of_words = cosines.mean(axis=0)
    interval = student_interval(of_words)
    return {
        "mean": float(of_words.mean()),
        "ci95": None if interval is None else list(interval),
        "per_seed": cosines.mean(axis=1).tolist(),
        "quantiles": {f"{q:g}": float(np.quantile(cosines, q)) for q in _QUANTILES},
        "counts": np.histogram(cosines, edges)[0].tolist(),
    }


def _bands(cosines: Float64[np.ndarray, "seeds vocabulary"]) -> list[dict[str, Any]]:
    num_words = cosines.shape[1]
    ends = [0, *(end for end in BANDS if end < num_words), num_words]
    bands = []
    for start, stop in itertools.pairwise(ends):
        of_words = cosines[:, start:stop].mean(axis=0)
        interval = student_interval(of_words)
        bands.append(
            {
                "words": f"{start + 1:,} to {stop:,}",
                "mean": float(of_words.mean()),
                "ci95": None if interval is None else list(interval),
            }
        )
    return bands
