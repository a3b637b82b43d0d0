"""Reads the rows of any TFDS data set by name, as a table whose columns are its features."""

import functools
import operator
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from data.files import Table
from data.table_roles import Roles

_PRESETS = {
    "movielens": Roles(target="user_rating", categorical=("user_id", "movie_id")),
    "diamonds": Roles(
        target="price",
        target_transform="log",
        categorical=("cut", "color", "clarity"),
        numeric=("carat", "depth", "table", "x", "y", "z"),
    ),
}
_Path = tuple[str, ...]


def find_roles(builder: tfds.core.DatasetBuilder) -> Roles:
    """Returns the roles that are known of a data set; without a target where none are."""
    return _PRESETS.get(builder.name, Roles(target=""))


def features_header(builder: tfds.core.DatasetBuilder) -> Table:
    """Returns the names of the columns that a data set has, as a table without rows.

    A column is a feature that holds one value or a list of them; its name is that within the dictionary it is in,
    or, where two have it, the whole way to it: "features/carat".
    """
    return Table(f"tfds:{builder.name}", dict.fromkeys(_columns(builder), ()), (), "row")


def read_splits(builder: tfds.core.DatasetBuilder, wanted: Sequence[str], target: str) -> dict[str, Table]:
    """Reads some columns of a prepared data set.

    Args:
        builder: A prepared builder.
        wanted: Names of columns; those of classes hold their names.
        target: The one of them that is to be predicted.

    Returns:
        Those of "train", "validation" and "test" that are there and in which not all targets are missing.

    Raises:
        ValueError: There is no such training split.
    """
    leaves = {name: leaf for name, leaf in _columns(builder).items() if name in wanted}
    # Decoding takes time by the feature, and few of many are read. (tfds.decode.PartialDecoding needs TensorFlow.)
    features = tfds.features.FeaturesDict(_nested(leaves.values()))
    tables = {}
    for split in ("train", "validation", "test"):
        if split not in builder.info.splits:
            continue
        source = builder.as_data_source(split, deserialize_method=tfds.decode.DeserializeMethod.RAW_BYTES)
        records = source.__getitems__(range(len(source))) if len(source) else []
        rows = [features.deserialize_example_np(record) for record in records]
        columns = {
            name: _cells([functools.reduce(operator.getitem, path, row) for row in rows], feature)
            for name, (path, feature) in leaves.items()
        }
        if any(cell is not None for cell in columns[target]):
            tables[split] = Table(f"tfds:{builder.name}, split {split!r}", columns, range(len(rows)), "row")
    if "train" not in tables:
        raise ValueError(
            f"tfds:{builder.name}: no split 'train' with targets {target!r}; "
            f"found {', '.join(sorted(builder.info.splits))}"
        )
    return tables


def _columns(builder: tfds.core.DatasetBuilder) -> dict[str, tuple[_Path, Any]]:
    leaves = list(_leaves(builder.info.features, ()))
    names = [path[-1] for path, _ in leaves]
    return {
        path[-1] if names.count(path[-1]) == 1 else "/".join(path): (path, feature)
        for path, feature in leaves
    }


def _leaves(features: Any, path: _Path) -> Iterator[tuple[_Path, Any]]:
    for name, feature in features.items():
        if isinstance(feature, tfds.features.FeaturesDict):
            yield from _leaves(feature, (*path, name))
        elif isinstance(feature.shape, tuple) and len(feature.shape) <= 1:
            yield (*path, name), feature


def _nested(leaves: Iterable[tuple[_Path, Any]]) -> dict[str, Any]:
    """Returns {"features": {"carat": feature}} for the path ("features", "carat")."""
    tree: dict[str, Any] = {}
    for path, feature in leaves:
        folder = tree
        for name in path[:-1]:
            folder = folder.setdefault(name, {})
        folder[path[-1]] = feature
    return tree


def _cells(values: Sequence[Any], feature: Any) -> list[Any]:
    names = getattr(feature, "names", None)  # also of a list of classes

    def plain(value: Any) -> Any:
        if names:
            return names[value] if value >= 0 else None  # TFDS marks an unknown class by -1
        return value.decode() or None if isinstance(value, bytes) else value

    if feature.shape:
        return [[plain(value) for value in np.asarray(cell).tolist()] for cell in values]
    return [plain(value) for value in values]
