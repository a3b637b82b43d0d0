"""Loads a text classification data set: `config.data` -> encoded splits."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ml_collections
import numpy as np

from data.dataset import Dataset
from data.examples import Examples, sorted_classes
from data.files import read_table
from data.nearest import nearest
from data.prepare import cache_folder, prepare
from data.splits import stratified_splits, take_fraction
from data.text_preprocessor import TextPreprocessor, table_examples
from data.vector_files import extra_words

# Our own builders: what `config.data.name` may be beside "tfds:...".
NAMES = ("rotten_tomatoes", "tweets", "tweets/binary", "tweets/three_classes")


def load(config: ml_collections.ConfigDict) -> Dataset:
    """Loads the data that a config names; the same config gives the same arrays.

    Args:
        config: `config.data`: name, path, path_validation, path_test, text_column, label_column, id_column, dir,
            min_count, max_vocab, max_length, weights, split_seed, train_fraction; perhaps extra_vocabulary and
            max_extra_words.

    Returns:
        Splits "train", "validation" and "test", all labelled. Those that the source lacks are cut out of its
        training rows, stratified, a tenth of the rows each.

    Raises:
        FileNotFoundError: A path does not exist.
        ValueError: A wrong name, column, cell or limit, or a wheel with another checksum.
        ConnectionError: Data could not be downloaded.
        ImportError: A TFDS data set must be prepared with TensorFlow, which is missing.
    """
    columns = {"text_column": config.text_column, "label_column": config.label_column}
    id_column = config.id_column
    if config.path:
        name = Path(config.path).name
        splits, classes = _read_files(config)
    else:
        for field in ("path_validation", "path_test"):
            if config[field]:
                raise ValueError(f"data.{field}={config[field]} needs data.path, the file to train on")
        name = config.name
        if config.weights not in ("", "idf"):
            raise ValueError(
                f"data.weights: expected '' or 'idf' for {name!r}, found {config.weights!r}: a column of weights "
                f"comes with a file of your own (data.path)"
            )
        splits, classes = _read_builder(config)
        if not name.startswith("tfds:"):
            columns, id_column = {"text_column": "text", "label_column": "label"}, ""
    train = splits["train"]
    kept = take_fraction(train.labels, len(train), config.train_fraction, config.split_seed)
    splits["train"] = train.take(kept)
    preprocessor = TextPreprocessor.fit(
        splits["train"],
        classes,
        min_count=config.min_count,
        max_vocab=config.max_vocab,
        max_length=config.max_length,
        weights=config.weights,
        id_column=id_column,
        extra_words=extra_words(config),
        **columns,
    )
    encoded = {split: preprocessor.encode_examples(examples) for split, examples in splits.items()}
    return Dataset(name, encoded, preprocessor.spec, preprocessor)


def _read_files(config: ml_collections.ConfigDict) -> tuple[dict[str, Examples], tuple[str, ...]]:
    paths = {"train": config.path, "validation": config.path_validation, "test": config.path_test}
    given = {
        split: table_examples(
            read_table(path),
            text_column=config.text_column,
            label_column=config.label_column,
            id_column=config.id_column,
            weights_column="" if config.weights == "idf" else config.weights,
        )
        for split, path in paths.items()
        if path
    }
    classes = sorted_classes(given["train"].labels, config.path)
    return _complete(given, config.split_seed, config.path), classes


def _read_builder(config: ml_collections.ConfigDict) -> tuple[dict[str, Examples], tuple[str, ...]]:
    folder = cache_folder(config.dir)
    is_own = not config.name.startswith("tfds:")
    if is_own and config.name not in NAMES:
        raise ValueError(
            f"data.name: no data set {config.name!r}{nearest(config.name, NAMES)}; expected one of "
            f"{', '.join(map(repr, NAMES))}, tfds:NAME, or a file of your own in data.path"
        )
    from data.tfds_text import find_builder, tfds_splits  # imports TFDS

    if is_own:
        builder = prepare(lambda: _own_builder(config.name, folder / "tfds"), folder / "wheels")
        splits, classes = tfds_splits(builder, "text", "label", "id")
    else:
        builder = find_builder(config.name.removeprefix("tfds:"), folder / "tfds")
        splits, classes = tfds_splits(builder, config.text_column, config.label_column, config.id_column)
    classes = tuple(classes) or sorted_classes(splits["train"].labels, config.name)
    return _complete(splits, config.split_seed, config.name), classes


def _own_builder(name: str, folder: Path) -> Any:
    dataset, _, variant = name.partition("/")
    if dataset == "tweets":
        from data.tweets import Tweets

        return Tweets(config=variant or "binary", data_dir=folder)
    from data.rotten_tomatoes import RottenTomatoes

    return RottenTomatoes(data_dir=folder)


def _complete(given: Mapping[str, Examples], seed: int, source: str) -> dict[str, Examples]:
    """Cuts the splits that are not given out of the training split."""
    absent = [split for split in ("test", "validation") if split not in given]
    parts: dict[str, np.ndarray] = stratified_splits(given["train"].labels, absent, seed, source)
    splits = {**given, **{split: given["train"].take(indices) for split, indices in parts.items()}}
    return {split: splits[split] for split in ("train", "validation", "test")}
