"""Exports the word vectors of a run in word2vec's format, which gensim and others load."""

import pathlib
from typing import Any

from data.nearest import nearest
from data.vector_files import save_word2vec
from training.vector_sources import load_source

FORMATS = ("text", "binary")


def export_vectors(config: Any) -> str:
    """Writes the vectors of a run's words to a file.

    Args:
      config: the fields of configs/export_vectors.py.

    Returns:
      What was written, for the terminal.

    Raises:
      ValueError: for a folder without a finished run, one whose words have no such vectors, or an unknown format.
      FileNotFoundError: if the run, or the folder of the file, does not exist.
    """
    if not config.run:
        raise ValueError("the vectors of which run? for example --config.run=runs/skip_gram")
    if config.format not in FORMATS:
        raise ValueError(
            f"unknown format {config.format!r}{nearest(config.format, FORMATS)}; known are {', '.join(FORMATS)}"
        )
    path = pathlib.Path(config.path)
    if path.is_dir():
        raise IsADirectoryError(f"path={path} is a folder; expected the name of a file")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"path={path}: there is no folder {path.parent}")
    vectors = load_source(config.run, config.which)
    save_word2vec(path, vectors, binary=config.format == "binary")
    count, dim = vectors.vectors.shape
    binary = ", binary=True" if config.format == "binary" else ""
    return (
        f"written: {path}: {count:,} words of {dim} numbers; "
        f"gensim reads it with KeyedVectors.load_word2vec_format({str(path)!r}{binary})"
    )
