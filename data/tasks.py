"""Which task's data is loaded by what, and which preprocessor a saved one is."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ml_collections

from data import images, order, table, text
from data.corpus_vocabulary import CorpusVocabulary
from data.dataset import Dataset, Preprocessor
from data.images import ImagePreprocessor
from data.nearest import nearest
from data.pairs import PairPreprocessor
from data.table_preprocessor import TablePreprocessor
from data.text_preprocessor import TextPreprocessor

LOADERS: dict[str, Callable[[ml_collections.ConfigDict], Dataset]] = {
    "categorical": table.load,
    "mnist": images.load,
    "order": order.load,
    "sentiment": text.load,
}
_PREPROCESSORS: dict[str, Any] = {
    cls.FORMAT: cls
    for cls in (CorpusVocabulary, ImagePreprocessor, PairPreprocessor, TablePreprocessor, TextPreprocessor)
}


def load(task: str, config: ml_collections.ConfigDict) -> Dataset:
    """Loads the data that a config names, for a task; the same config gives the same arrays.

    Args:
        task: A key of `LOADERS`.
        config: `config.data`.

    Raises:
        ValueError: An unknown task, or whatever its loader refuses.
    """
    if task not in LOADERS:
        raise ValueError(f"unknown task {task!r}{nearest(task, LOADERS)}; known are {', '.join(LOADERS)}")
    return LOADERS[task](config)


def load_preprocessor(path: str | os.PathLike[str]) -> Preprocessor | CorpusVocabulary:
    """Restores what the `save` of a preprocessor or a corpus's vocabulary wrote; it encodes the same, bit for bit.

    Raises:
        FileNotFoundError: No such file.
        ValueError: The file is something else.
    """
    try:
        content = json.loads(Path(path).read_text("utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: not a saved preprocessor ({error})") from error
    if not isinstance(content, dict) or content.get("format") not in _PREPROCESSORS:
        raise ValueError(f"{path}: not a saved preprocessor")
    return _PREPROCESSORS[content["format"]].from_dict(content)
