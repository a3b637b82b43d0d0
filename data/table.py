"""Loads a table to predict a column from others: `config.data` -> encoded splits."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import absl.logging
import ml_collections
import numpy as np

from data.dataset import Dataset
from data.examples import sorted_classes
from data.files import Table, read_table
from data.nearest import nearest
from data.prepare import cache_folder, prepare
from data.splits import random_splits, stratified_splits, take_fraction
from data.synthetic import NAMES as SYNTHETIC_NAMES
from data.synthetic import make_synthetic
from data.table_columns import Coded, Columns, read_columns
from data.table_preprocessor import TablePreprocessor, log_gaps
from data.table_roles import Roles, parse_vectors, resolve_roles

# What `config.data.name` may be beside "tfds:...".
OWN_NAMES = ("movielens_small", "diamonds", "flights")
NAMES = (*OWN_NAMES, *SYNTHETIC_NAMES)


@dataclasses.dataclass(frozen=True)
class _Source:
    """Tables as they come, "train" at least, what their columns are, and what is known of them beforehand."""

    name: str
    tables: Mapping[str, Table]
    roles: Roles
    references: Mapping[str, Mapping[str, Mapping[str, float]]] = dataclasses.field(default_factory=dict)


def load(config: ml_collections.ConfigDict) -> Dataset:
    """Loads the data that a config names; the same config gives the same arrays.

    Where the config leaves target, categorical, multi_valued, numeric or vectors empty, a data set of the project's own
    or one that is known of TFDS brings its own; 'none' says that there are none.

    Args:
        config: `config.data`: name, path, path_validation, path_test, target, target_type, target_transform,
            categorical, multi_valued, numeric, vectors, id_column, value_separator, min_count, num_bins, dir,
            split_seed, train_fraction; synthetic, where a synthetic table is named.

    Returns:
        Splits "train", "validation" and "test", all with targets. Those that the source lacks are cut out of its
        training rows at random (stratified, for classes), a tenth of the rows each. What was missing is in
        `preprocessor.gaps`.

    Raises:
        FileNotFoundError: A path does not exist.
        ValueError: A wrong name, column, cell or limit, or a wheel with another checksum.
        ConnectionError: Data could not be downloaded.
        ImportError: A TFDS data set must be prepared with TensorFlow, which is missing.
    """
    source = _read(config)
    roles = source.roles
    given = {split: read_columns(table, roles) for split, table in source.tables.items()}
    classes = sorted_classes(_labels(given["train"]), source.name) if roles.is_class else ()
    splits = _complete(given, config.split_seed, source.name)
    labels = _labels(splits["train"]) if roles.is_class else None
    kept = take_fraction(labels, len(splits["train"]), config.train_fraction, config.split_seed)
    train = splits["train"] = splits["train"].take(kept)
    preprocessor = TablePreprocessor.fit(
        train, roles, classes, min_count=config.min_count, num_bins=config.num_bins
    )
    gaps = {split: preprocessor.find_gaps(columns) for split, columns in splits.items()}
    for split, columns in gaps.items():
        log_gaps(f"{source.name}, {split} split", columns)
    _warn_of_names(train, source.name)
    return Dataset(
        name=source.name,
        splits={split: preprocessor.encode_columns(columns) for split, columns in splits.items()},
        spec=preprocessor.spec,
        preprocessor=dataclasses.replace(preprocessor, gaps=gaps),
        references=source.references,
    )


def _read(config: ml_collections.ConfigDict) -> _Source:
    if config.path:
        paths = {"train": config.path, "validation": config.path_validation, "test": config.path_test}
        tables = {split: read_table(path) for split, path in paths.items() if path}
        roles = resolve_roles(config, Roles(target=""), tables["train"])
        return _Source(Path(config.path).name, tables, roles)
    for field in ("path_validation", "path_test"):
        if config[field]:
            raise ValueError(f"data.{field}={config[field]} needs data.path, the file to train on")
    name = config.name
    if name.startswith("tfds:"):
        return _read_tfds(config)
    if name in SYNTHETIC_NAMES:
        made = make_synthetic(config)
        preset = Roles(
            target=made.target,
            categorical=made.categorical,
            multi_valued=made.multi_valued,
            numeric=made.numeric,
            vectors=parse_vectors(made.vectors),
        )
        return _Source(
            name, made.tables, resolve_roles(config, preset, made.tables["train"]), made.references
        )
    if not name:
        raise ValueError("data.path: expected the name of your file, or a data set in data.name")
    if name not in OWN_NAMES:
        raise ValueError(
            f"data.name: no data set {name!r}{nearest(name, NAMES)}; expected one of "
            f"{', '.join(map(repr, NAMES))}, tfds:NAME, or a file of your own in data.path"
        )
    return _read_own(config)


def _read_own(config: ml_collections.ConfigDict) -> _Source:
    from data.table_builder import header, read_rows  # imports TFDS

    folder = cache_folder(config.dir)
    builder_class, preset = _own_builder(config.name)
    builder = prepare(lambda: builder_class(data_dir=folder / "tfds"), folder / "wheels")
    roles = resolve_roles(config, preset, header(builder, config.name))
    table = read_rows(builder, roles.columns, config.name)
    return _Source(config.name, {"train": table}, roles)


def _own_builder(name: str) -> tuple[Any, Roles]:
    if name == "diamonds":
        from data.diamonds import ROLES, PlotnineDiamonds

        return PlotnineDiamonds, ROLES
    if name == "flights":
        from data.flights import ROLES, NycFlights

        return NycFlights, ROLES
    from data.movielens import ROLES, MovielensSmall

    return MovielensSmall, ROLES


def _read_tfds(config: ml_collections.ConfigDict) -> _Source:
    from data.tfds_tables import features_header, find_roles, read_splits
    from data.tfds_text import find_builder

    builder = find_builder(config.name.removeprefix("tfds:"), cache_folder(config.dir) / "tfds")
    roles = resolve_roles(config, find_roles(builder), features_header(builder))
    return _Source(config.name, read_splits(builder, roles.columns, roles.target), roles)


def _complete(given: Mapping[str, Columns], seed: int, source: str) -> dict[str, Columns]:
    """Cuts the splits that are not given out of the training split."""
    train = given["train"]
    absent = [split for split in ("test", "validation") if split not in given]
    if isinstance(train.target, Coded):
        parts: dict[str, np.ndarray] = stratified_splits(_labels(train), absent, seed, source)
    else:
        parts = random_splits(len(train), absent, seed, source)
    splits = {**given, **{split: train.take(indices) for split, indices in parts.items()}}
    return {split: splits[split] for split in ("train", "validation", "test")}


def _labels(columns: Columns) -> Sequence[str]:
    return [columns.target.values[code] for code in columns.target.codes]


def _warn_of_names(train: Columns, source: str) -> None:
    """Warns of columns that name each row: nothing learnt of one row's category helps with another row."""
    for name, coded in train.categorical.items():
        known = coded.codes[coded.codes >= 0]
        if len(known) == len(train) == len(np.unique(known)) > 1:
            absl.logging.warning(
                "%s: column %r (data.categorical) has as many values as training rows, %d: nothing can be learnt from "
                "it; is it an id (data.id_column) or a number (data.numeric)?",
                source,
                name,
                len(train),
            )
