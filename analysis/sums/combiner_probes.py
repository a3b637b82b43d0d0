"""What each combiner keeps and loses: probes read the set, the counts and the order of the words from its output.

A combiner at its initial parameters, frozen, turns bags of n words into vectors; the words' embeddings are random,
x = embedding_mean + N(0, 1). A ridge and an MLP (`probe_training`) learn from some of the vectors and answer for the
others:

  set     which words are in the bag: the area under the ROC curve, averaged over words; chance 0.5
  counts  how often each is: R² = 1 − Σ (c − ĉ)² / Σ (c − c̄)² over words and bags, c̄ a word's mean count in training;
          0 is no better than that mean. And the share of bags of which all rounded counts are right
  order   accuracy of telling which of two words came first; chance 0.5

The words of set and counts are drawn with replacement. For order, the first quarter of the vocabulary are marks of one
sort (A), the second quarter of another (B); a bag has one of each, at two random places, among words of the other half.
Asked is whether A stands before B. Every bag that is asked about comes twice, the second time with A and B changing
places: who sees no order gives both the same answer, and is right once. Chance is exactly a half.

Seeds draw embeddings, combiner, bags and probes anew, and share them among combiners.
"""

import functools
import itertools
import os
import pathlib
from concurrent import futures
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Bool, Float, Int, UInt32
from scipy import stats
from threadpoolctl import threadpool_limits

from analysis.cells import measure_cells
from combiners import Combiner, combiner_class
from training.statistics import over_seeds

from .probe_expectations import check_expectations
from .probe_training import Training, fit_mlp, fit_ridge, fit_standardiser

MEASURES = ("set", "counts", "exact", "order")
PROBES = ("ridge", "mlp")


class Bags(NamedTuple):
    """The bags of all seeds: words of 0 to V − 1."""

    words: Int[np.ndarray, "seeds train_and_test n"]  # for set and counts
    ordered: Int[np.ndarray, "seeds train_and_test n"]  # for order; of the test bags, neighbours are pairs
    first: Bool[np.ndarray, "seeds train_and_test"]  # whether A stands before B in the ordered ones


def probe_combiners(config: Any, output: pathlib.Path) -> dict[str, Any]:
    """Probes every combiner for every number of vectors and width.

    Args:
      config: its field `probes` is read: combiners (names or 'module:Class'), numbers (n), dims, vocabulary, num_train,
        num_test, seeds, max_width (of the output; what is wider is left out, with the reason), hidden, steps, batch and
        learning_rate (of the MLP).
      output: folder of combiner_probes.json, which keeps what is finished.

    Returns:
      {"vocabulary", "num_train", "num_test", "seeds", "rows": [{"combiner", "n", "dim", "declared": {"loses",
      "permutation_invariant"}, and "width" and, of every measure, {"ridge", "mlp"}: {"per_seed", "mean", "ci95"}
      (Student's t over seeds), or the "reason" why not}], "expectations": of `check_expectations`}.

    Raises:
      ValueError: for an unknown combiner, sizes that cannot be, and results of other settings.
    """
    settings = config.probes
    check_probes(config)
    kept = {key: settings[key] for key in settings if key != "combiners"}
    cells = {name: functools.partial(_measure_all, name, settings) for name in settings.combiners}
    with threadpool_limits(
        limits=1
    ):  # matrices are small: threads would wait for each other longer than they work
        measured = measure_cells(output / "combiner_probes.json", kept, cells, "probes")
    rows = [
        {"combiner": name, "declared": _declared(combiner_class(name)), **row}
        for name, of_combiner in measured.items()
        for row in of_combiner
    ]
    shared = {key: kept[key] for key in ("vocabulary", "num_train", "num_test", "seeds")}
    return {**shared, "rows": rows, "expectations": check_expectations(rows, settings.vocabulary)}


def check_probes(config: Any) -> None:
    """Raises ValueError for an unknown combiner, and for sizes that cannot be."""
    settings = config.probes
    for name in settings.combiners:
        combiner_class(name)
    if settings.vocabulary < 4:
        raise ValueError(f"probes.vocabulary must be at least 4, got {settings.vocabulary}")
    if min(settings.numbers) < 2 or min(settings.dims) < 1 or not settings.seeds:
        raise ValueError(
            "probes.numbers must be at least 2, probes.dims positive and probes.seeds not empty, got "
            f"{tuple(settings.numbers)}, {tuple(settings.dims)}, {tuple(settings.seeds)}"
        )
    if settings.num_train < 2 or settings.num_test < 2 or settings.num_test % 2:
        raise ValueError(
            "probes.num_train and probes.num_test must be at least 2, the latter even, got "
            f"{settings.num_train} and {settings.num_test}"
        )


def _declared(cls: type[Combiner]) -> dict[str, Any]:
    return {"loses": cls.loses, "permutation_invariant": cls.permutation_invariant}


def _measure_all(combiner: str, settings: Any) -> list[dict[str, Any]]:
    """Returns a row for every n and d; most of the time goes into compiling, which leaves other threads alone."""
    with futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(
            pool.map(
                lambda place: {"n": place[0], "dim": place[1], **_measure(combiner, *place, settings)},
                itertools.product(settings.numbers, settings.dims),
            )
        )


def _measure(combiner: str, n: int, dim: int, settings: Any) -> dict[str, Any]:
    """Returns the width and the measures of one cell, or {"reason": …} where it cannot be probed."""
    cls = combiner_class(combiner)
    try:
        if cls.arity not in (None, n):
            raise ValueError(f"combines exactly {cls.arity} vectors")
        width = cls.output_width(n, dim)
        if width > settings.max_width:
            raise ValueError(f"output of {width:,} numbers, more than max_width={settings.max_width:,}")
        bags = draw_bags(n, settings.vocabulary, settings.num_train, settings.num_test, tuple(settings.seeds))
        ids = np.concatenate([bags.words, bags.ordered], axis=1)
        combined = combine_bags(cls, ids, dim, settings.vocabulary, tuple(settings.seeds))
        if not np.isfinite(combined).all():
            raise ValueError("overflows")
        training = Training(settings.hidden, settings.steps, settings.batch, settings.learning_rate)
        measures = measure_probes(
            *np.split(combined, 2, axis=1), bags, settings.vocabulary, settings.num_train, training
        )
    except ValueError as refusal:
        return {"reason": str(refusal)}
    return {"width": width, **measures}


def measure_probes(
    unordered: Float[np.ndarray, "seeds train_and_test out"],
    ordered: Float[np.ndarray, "seeds train_and_test out"],
    bags: Bags,
    num_words: int,
    num_train: int,
    training: Training,
) -> dict[str, dict[str, Any]]:
    """Trains ridge and MLP on the first `num_train` combined vectors and measures them on the others.

    Args:
      unordered: what the combiner made of `bags.words`.
      ordered: what it made of `bags.ordered`.
      bags: the words.
      num_words: V.
      num_train: how many are learnt from.
      training: of the MLP.

    Returns:
      {measure: {probe: {"per_seed", "mean", "ci95"}}}.
    """
    counts = _counts(bags.words, num_words)
    present = counts > 0
    found = _answers(unordered, np.concatenate([present, counts], axis=-1), num_train, training)
    orders = _answers(ordered, np.where(bags.first, 1, -1)[..., None], num_train, training)
    asked, mean = counts[:, num_train:], counts[:, :num_train].mean(axis=1, keepdims=True)
    result: dict[str, dict[str, Any]] = {measure: {} for measure in MEASURES}
    for probe in PROBES:
        scores, estimates = np.split(found[probe], 2, axis=-1)
        errors = np.sum((asked - estimates) ** 2, axis=(1, 2)) / np.sum((asked - mean) ** 2, axis=(1, 2))
        per_seed = {
            "set": [mean_auc(p, s) for p, s in zip(present[:, num_train:], scores, strict=True)],
            "counts": 1 - errors,
            "exact": np.mean(np.all(np.rint(estimates) == asked, axis=-1), axis=1),
            "order": np.mean((orders[probe][..., 0] > 0) == bags.first[:, num_train:], axis=1),
        }
        for measure, values in per_seed.items():
            result[measure][probe] = over_seeds([float(value) for value in values])
    return result


def _answers(
    vectors: Float[np.ndarray, "seeds train_and_test out"],
    targets: Int[np.ndarray, "seeds train_and_test targets"],
    num_train: int,
    training: Training,
) -> dict[str, Float[np.ndarray, "seeds test targets"]]:
    """Returns what each probe predicts for the vectors after the first `num_train`, from which it learnt."""
    vectors, wanted = vectors.astype(np.float64), targets[:, :num_train].astype(np.float64)
    standardise = fit_standardiser(vectors[:, :num_train])
    known, asked = np.split(standardise(vectors), [num_train], axis=1)
    ridge = fit_ridge(known, wanted)
    return {"ridge": ridge(asked), "mlp": fit_mlp(known, wanted, ridge, training)(asked)}


def mean_auc(present: Bool[np.ndarray, "N V"], scores: Float[np.ndarray, "N V"]) -> float:
    """Returns the area under the ROC curve averaged over words: the chance that a bag with it scores above one without.

    From the sum R of the ranks of the bags with the word (Mann & Whitney 1947): (R − N₁ (N₁ + 1)/2) / (N₁ N₀), ties
    counting half. Words that are in no bag, or in all, are left out.

    Args:
      present: whether each word is in each bag.
      scores: higher = more likely.

    Raises:
      ValueError: where every word is in no bag, or in all.
    """
    ranks = stats.rankdata(scores, axis=0)
    positive = present.sum(axis=0)
    pairs = positive * (len(present) - positive)
    if not pairs.any():
        raise ValueError("all bags hold the same words")
    areas = (np.where(present, ranks, 0).sum(axis=0) - positive * (positive + 1) / 2)[pairs > 0]
    return float(np.mean(areas / pairs[pairs > 0]))


def combine_bags(
    cls: type[Combiner],
    ids: Int[np.ndarray, "seeds bags n"],
    dim: int,
    num_words: int,
    seeds: tuple[int, ...],
) -> Float[np.ndarray, "seeds bags out"]:
    """Returns what a freshly made combiner makes of bags of random embeddings, each seed with its own of both.

    Args:
      cls: the combiner.
      ids: words.
      dim: d, width of an embedding.
      num_words: V.
      seeds: of parameters and embeddings.

    Raises:
      ValueError: for what the combiner refuses.
    """
    n, made = ids.shape[-1], []

    # Compiled in haste, since it runs but once for each seed.
    @functools.partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})
    def init(seed: UInt32[Array, ""]) -> tuple[nnx.GraphDef, nnx.State]:
        return nnx.split(cls(num_vectors=n, dim=dim, rngs=nnx.Rngs(jax.random.key(seed))))

    @functools.partial(jax.jit, static_argnames="graphdef")
    def combine(
        graphdef: nnx.GraphDef,
        state: nnx.State,
        table: Float[Array, "V dim"],
        ids: Int[Array, "bags n"],
        mask: Bool[Array, "bags n"],
    ) -> Float[Array, "bags out"]:
        return nnx.merge(graphdef, state)(table[ids], mask)

    # An argument and not a constant, with which the compiler would begin to compute.
    mask = jnp.ones(ids.shape[1:], bool)
    for seed, of_seed in zip(seeds, ids, strict=True):
        rng = np.random.default_rng([seed, num_words, dim])
        table = cls.embedding_mean + rng.standard_normal((num_words, dim))
        vectors = combine(*init(jnp.uint32(seed)), jnp.float32(table), jnp.int32(of_seed), mask)
        made.append(np.asarray(vectors))
    return np.stack(made)


@functools.lru_cache(maxsize=8)
def draw_bags(n: int, num_words: int, num_train: int, num_test: int, seeds: tuple[int, ...]) -> Bags:
    """Draws the bags of every seed.

    Args:
      n: words of a bag, at least 2.
      num_words: V, at least 4.
      num_train: bags to learn from, of each of the two kinds.
      num_test: bags to be asked about; even, since the ordered ones come in pairs.
      seeds: one stream of random numbers each.
    """
    of_seeds = [
        _draw_bags(np.random.default_rng([seed, n]), n, num_words, num_train, num_test) for seed in seeds
    ]
    return Bags(*(np.stack(arrays) for arrays in zip(*of_seeds, strict=True)))


def _draw_bags(rng: np.random.Generator, n: int, num_words: int, num_train: int, num_test: int) -> Bags:
    words = rng.integers(num_words, size=(num_train + num_test, n))
    num_ordered, marks = num_train + num_test // 2, num_words // 4
    ordered = rng.integers(2 * marks, num_words, size=(num_ordered, n))
    places = rng.permuted(np.tile(np.arange(n), (num_ordered, 1)), axis=1)[:, :2]
    sorts = rng.integers([0, marks], [marks, 2 * marks], size=(num_ordered, 2))
    swapped = ordered.copy()
    np.put_along_axis(ordered, places, sorts, axis=1)
    np.put_along_axis(swapped, places, sorts[:, ::-1], axis=1)
    first = places[:, 0] < places[:, 1]
    pairs = np.stack([ordered[num_train:], swapped[num_train:]], axis=1).reshape(-1, n)
    return Bags(
        words=words,
        ordered=np.concatenate([ordered[:num_train], pairs]),
        first=np.concatenate([first[:num_train], np.stack([first, ~first], axis=1)[num_train:].reshape(-1)]),
    )


def _counts(ids: Int[np.ndarray, "seeds bags n"], num_words: int) -> Int[np.ndarray, "seeds bags V"]:
    return np.sum(ids[..., None] == np.arange(num_words), axis=2)
