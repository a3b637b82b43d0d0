"""Word vectors from wherever they are: a run of skip-grams, a run on texts, or a file."""

import functools
import pathlib
from typing import Any

import numpy as np

import data
from data.nearest import nearest
from data.vector_files import load_vectors
from data.word_vectors import WordVectors

from . import workdir as files
from .trained import load

WHICH = ("word", "context", "sum", "concat")
_CORPUS_FORMAT = "combiner-ablations corpus vocabulary"


def load_source(source: str, which: str = "word") -> WordVectors:
    """Reads word vectors from wherever they are.

    Args:
      source: the folder of a finished run, or a file that data.vector_files reads. Of the seeds of a run that have not
        diverged, the first counts. A run on texts gives its embedding table, without the constant that its combiner
        puts the vectors around.
      which: of a run of skip-grams: each word's own vector w, the one c that it has as the context of others, w + c, or
        (w, c) one after the other. All others have only 'word'.

    Raises:
      FileNotFoundError: for a source that does not exist.
      ValueError: for a malformed file, a folder without a finished run, one whose words have no vectors, and an unknown
        or impossible `which`.
    """
    if which not in WHICH:
        raise ValueError(
            f"unknown word vectors {which!r}{nearest(which, WHICH)}; known are {', '.join(WHICH)}"
        )
    path = pathlib.Path(source)
    of = path / files.RESULTS_FILE if path.is_dir() else path
    stamp = (of.stat().st_mtime_ns, of.stat().st_size) if of.exists() else None
    return _load_source(path, which, stamp)


@functools.lru_cache(maxsize=1)  # all arms of a sweep start from the same
def _load_source(path: pathlib.Path, which: str, stamp: Any) -> WordVectors:
    del stamp  # of the file: another one is another source
    if path.is_dir() and _is_run_of_words(path):
        from . import load_words

        trained = load_words(path)
        word, context = trained.centre[0], trained.context[0]
        if which == "sum" and word.shape != context.shape:
            raise ValueError(
                f"{path}: vectors of {word.shape[1]} numbers and contexts of {context.shape[1]} have no sum; "
                "expected word, context or concat"
            )
        table = {
            "word": lambda: word,
            "context": lambda: context,
            "sum": lambda: word + context,
            "concat": lambda: np.concatenate([word, context], axis=1),
        }[which]()
        return WordVectors(tuple(trained.words), np.asarray(table, np.float32))
    if which != "word":
        raise ValueError(
            f"{path} has one vector for a word, not {which!r}: only runs of skip-grams have contexts, too"
        )
    return _of_text_run(path) if path.is_dir() else load_vectors(path)


def _is_run_of_words(path: pathlib.Path) -> bool:
    saved = path / files.PREPROCESSOR_FILE
    if not saved.exists():
        raise ValueError(f"{path} is a folder without a run in it ({saved.name} is missing)")
    return str(files.read_json(saved).get("format")).startswith(_CORPUS_FORMAT)


def _of_text_run(path: pathlib.Path) -> WordVectors:
    trained = load(path)
    if not isinstance(trained.preprocessor.spec, data.TextSpec):
        raise ValueError(f"{path} holds a run of the task {trained.config.task!r}, whose inputs are no words")
    seeds = [seed for seed in trained.seeds if seed not in trained.diverged]
    if not seeds:
        raise ValueError(f"every seed of the run in {path} diverged: it has no vectors")
    embedding = trained.model(seeds[0]).embedding
    if embedding.table_per_slot:
        raise ValueError(f"the run in {path} has a table for every slot, so that a word has many vectors")
    return WordVectors(vocabulary(trained.preprocessor), np.asarray(embedding.slot_table(0))[2:])


def vocabulary(preprocessor: Any) -> tuple[str, ...]:
    """Returns the words of a text preprocessor by their rows, from row 2 on: before them are padding and unknown."""
    return tuple(map(preprocessor.tokenizer.id_to_token, range(2, preprocessor.spec.vocab_size)))
