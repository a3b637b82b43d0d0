"""Trained word vectors of every seed, as a run keeps them."""

import dataclasses
import pathlib
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import jax
import ml_collections
import numpy as np
from jaxtyping import Float32, Int64

import data
from data.word_vectors import WordVectors

from .. import workdir as files
from ..checkpoints import restore_best


@dataclasses.dataclass(frozen=True, eq=False)
class TrainedWords:
    """V words with a vector as centre and one as context, by S seeds.

    Attributes:
        config: Of the run.
        words: Most frequent first.
        counts: int64 [V], how often each occurs in the corpus.
        seeds: In the order of the leading axis; without those that diverged.
        centre: float32 [S, V, d], the vectors w that word2vec publishes.
        context: float32 [S, V, c], the vectors c; c = d but for CBOW with a combiner of another width.
    """

    config: Any
    words: tuple[str, ...]
    counts: Int64[np.ndarray, "V"]
    seeds: tuple[int, ...]
    centre: Float32[np.ndarray, "S V d"]
    context: Float32[np.ndarray, "S V c"]

    def vectors(self, index: int = 0) -> WordVectors:
        """Returns the vectors w of a seed, by its place in `seeds`."""
        return WordVectors(self.words, self.centre[index])


def load_words(workdir: str | pathlib.Path) -> TrainedWords:
    """Restores the word vectors of a finished run; the corpus is not needed.

    Raises:
      ValueError: if there is no finished run of word vectors.
    """
    workdir = pathlib.Path(workdir)
    needed = (files.CONFIG_FILE, files.PREPROCESSOR_FILE, files.RESULTS_FILE, "checkpoints/best")
    if missing := [name for name in needed if not (workdir / name).exists()]:
        raise ValueError(
            f"workdir {workdir} holds no finished run ({', '.join(missing)} missing): train it with train.py first"
        )
    config = ml_collections.ConfigDict(files.read_json(workdir / files.CONFIG_FILE))
    if config.task != "skip_gram":
        raise ValueError(f"workdir {workdir} holds a run of the task {config.task!r}, not of word vectors")
    vocabulary = data.load_preprocessor(workdir / files.PREPROCESSOR_FILE)
    results = files.read_json(workdir / files.RESULTS_FILE)
    widths = {"words": config.model.dim, "contexts": results["combined_width"]}
    tables = {
        name: jax.ShapeDtypeStruct((len(config.seeds), len(vocabulary.words), width), np.float32)
        for name, width in widths.items()
    }
    return trained_words(config, vocabulary, restore_best(workdir, tables), results["diverged"])


def trained_words(
    config: Any, vocabulary: data.CorpusVocabulary, tables: Mapping[str, jax.Array], diverged: Collection[Any]
) -> TrainedWords:
    """Returns the tables "words" [seeds, V, d] and "contexts" [seeds, V, c], without those of seeds that diverged.

    Raises:
      ValueError: if all seeds diverged.
    """
    kept = [index for index, seed in enumerate(config.seeds) if str(seed) not in map(str, diverged)]
    if not kept:
        raise ValueError(
            f"all seeds diverged: {', '.join(map(str, config.seeds))}; lower optimizer.learning_rate"
        )
    return TrainedWords(
        config=config,
        words=tuple(vocabulary.words),
        counts=np.asarray(vocabulary.counts, np.int64),
        seeds=tuple(config.seeds[index] for index in kept),
        centre=_of_seeds(tables["words"], kept),
        context=_of_seeds(tables["contexts"], kept),
    )


def _of_seeds(table: jax.Array, kept: Sequence[int]) -> np.ndarray:
    array = np.asarray(table)
    return array if len(kept) == len(array) else array[kept]  # no copy where all are there
