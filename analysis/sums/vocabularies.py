"""Tables of embeddings of several kinds: random, orthogonal, sparse, and those of a finished run."""

import math
import pathlib

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

import training
from data.nearest import nearest
from data.vocabulary import UNKNOWN_ID
from models.embedding import Embedding

KINDS = ("random", "orthogonal", "sparse", "trained")


def make_vocabulary(
    kind: str,
    num_words: int,
    dim: int,
    rng: np.random.Generator | None = None,
    *,
    density: float = 0.1,
    trained: Float[np.ndarray, "rows width"] | None = None,
) -> Float[np.ndarray, "num_words dim"]:
    """Makes a table whose embeddings have the mean square length d, as normal ones of variance one have.

    - random: e_ij ~ N(0, 1), independent.
    - orthogonal: √d times the rows of a random orthonormal basis; beyond d words further bases, each drawn alone, so
      that words of one basis never resemble each other and words of two do as random ones.
    - sparse: max(1, round(density · d)) numbers of a row at random places are ±√(d / how many), the others zero. Where
      few such rows exist, two words may get the same.
    - trained: the first d numbers of the vectors of the most frequent words, all times one factor. Nothing tells one
      dimension of a summing model from another, so the first d are as good as any; but they were not trained to do
      without the rest.

    Args:
      kind: one of `KINDS`.
      num_words: V.
      dim: d.
      rng: draws the table; not needed for a trained one.
      density: share of the numbers of a sparse row that are not zero.
      trained: for that kind, what `trained_vectors` returns.

    Returns:
      [V, d] in float64.

    Raises:
      ValueError: for an unknown kind, a size or density that cannot be, and a trained table that is too small.
    """
    if kind not in KINDS:
        raise ValueError(
            f"unknown kind of embeddings {kind!r}{nearest(kind, KINDS)}; known are {', '.join(KINDS)}"
        )
    if min(num_words, dim) < 1:
        raise ValueError(f"a table needs at least one word and one dimension, got V={num_words}, d={dim}")
    if kind == "trained":
        if trained is None:
            raise ValueError("embeddings of the kind 'trained' need the vectors of a finished run")
        return _scaled_part(trained, num_words, dim)
    if rng is None:
        raise ValueError(f"embeddings of the kind {kind!r} are drawn: pass rng")
    if kind == "random":
        return rng.standard_normal((num_words, dim))
    return _orthogonal(num_words, dim, rng) if kind == "orthogonal" else _sparse(num_words, dim, rng, density)


def _orthogonal(num_words: int, dim: int, rng: np.random.Generator) -> Float[np.ndarray, "num_words dim"]:
    bases = []
    for _ in range(math.ceil(num_words / dim)):
        q, r = np.linalg.qr(rng.standard_normal((dim, dim)))
        # Uniform over all bases only once the signs that QR is free to choose are taken out (Mezzadri 2007).
        bases.append(q * np.sign(np.diagonal(r)))
    return math.sqrt(dim) * np.concatenate(bases)[:num_words]


def _sparse(
    num_words: int, dim: int, rng: np.random.Generator, density: float
) -> Float[np.ndarray, "num_words dim"]:
    if not 0 < density <= 1:
        raise ValueError(f"density must lie above 0 and not above 1, got {density}")
    present = max(1, round(density * dim))
    places = rng.permuted(np.tile(np.arange(dim), (num_words, 1)), axis=1)[:, :present]
    table = np.zeros((num_words, dim))
    signs = rng.choice([-1.0, 1.0], size=places.shape)
    np.put_along_axis(table, places, math.sqrt(dim / present) * signs, axis=1)
    return table


def _scaled_part(
    trained: Float[np.ndarray, "rows width"], num_words: int, dim: int
) -> Float[np.ndarray, "num_words dim"]:
    rows, width = trained.shape
    if num_words > rows or dim > width:
        raise ValueError(
            f"the trained run has {rows:,} words of width {width}, fewer than V={num_words}, d={dim}"
        )
    part = trained[:num_words, :dim].astype(np.float64)
    return part / math.sqrt(np.mean(part**2))


def trained_vectors(workdir: str | pathlib.Path) -> Float[np.ndarray, "rows width"]:
    """Returns the word vectors of a finished run, the most frequent word first, as its combiner gets them.

    They are those of the run's first seed that did not diverge. Padding and the unknown word are left out.

    Args:
      workdir: of a run that reads texts and in which all slots share one table.

    Raises:
      ValueError: if there is no finished run, and if it has no such table.
    """
    run = training.load(workdir)
    converged = [seed for seed in run.seeds if seed not in run.diverged]
    if not converged:
        raise ValueError(f"workdir {workdir}: all seeds of the run diverged, so it has no trained vectors")
    embedding = getattr(run.model(converged[0]), "embedding", None)
    if not isinstance(embedding, Embedding) or embedding.table_per_slot:
        raise ValueError(
            f"workdir {workdir} holds a run of task {run.config.task!r} without one table of words that all slots "
            "share; name a run of the tasks sentiment or order, with model.table_per_slot=False"
        )
    return np.asarray(embedding(jnp.arange(UNKNOWN_ID + 1, embedding.num_rows)))
