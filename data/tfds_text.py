"""Finds any TFDS data set by name, and reads the texts and classes of one."""

import importlib
import importlib.util
from pathlib import Path
from typing import Any

import tensorflow_datasets as tfds

from data.examples import Examples, checked_examples
from data.nearest import nearest
from data.prepare import is_prepared, prepare, quiet, read

_INSTALL = "pip install -e '.[tfds]'"


@quiet()
def find_builder(name: str, folder: Path) -> tfds.core.DatasetBuilder:
    """Returns the builder of a data set whose data is on disk, in a format that is read without TensorFlow.

    Args:
        name: "NAME", "NAME/CONFIG" or "NAME/CONFIG:VERSION".
        folder: Looked into first, then TFDS's own data folder; what is in neither is prepared here.

    Raises:
        ValueError: TFDS knows no such name or configuration.
        ImportError: The data must be prepared, which takes TensorFlow, which is not installed.
        ConnectionError: The data could not be downloaded.
    """
    places = (folder, Path(tfds.core.constants.DATA_DIR).expanduser())
    found = [builder for place in places if (builder := _make_builder(name, place)) is not None]
    for builder in found:
        if is_prepared(builder) and _is_readable(builder):
            return builder
    if not found:
        known = tfds.list_builders(with_community_datasets=False)
        raise ValueError(f"tfds:{name}: TFDS has no such data set{nearest(name.split('/')[0], known)}")
    builder = found[0]
    if is_prepared(builder):
        raise ValueError(
            f"tfds:{name}: {builder.data_dir} is in format {builder.info.file_format.value}, expected array_record: "
            f"delete it to have it prepared again"
        )
    from_tfds = type(builder).__module__.startswith("tensorflow_datasets.")
    if from_tfds and not importlib.util.find_spec("tensorflow"):
        # Asked before the download: TFDS unpacks archives with TensorFlow and would fail only after it.
        raise ImportError(
            f"tfds:{name} is not prepared in ArrayRecord format yet, and preparing it needs TensorFlow: {_INSTALL}"
        )
    try:
        return prepare(lambda: _make_builder(name, folder), folder / "downloads")
    except ImportError as error:
        raise ImportError(f"tfds:{name}: preparing it needs {error.name or error}: {_INSTALL}") from error
    except OSError as error:  # requests' errors of the network are among them
        raise ConnectionError(f"tfds:{name}: could not be downloaded or written ({error})") from error


def tfds_splits(
    builder: tfds.core.DatasetBuilder, text_column: str, label_column: str, id_column: str
) -> tuple[dict[str, Examples], list[str]]:
    """Reads the labelled splits of a prepared data set.

    Args:
        builder: A prepared builder.
        text_column: The feature that holds the text; where it is the default "text" and there is none, the
            first of the builder's supervised keys.
        label_column: The same for "label" and the second key.
        id_column: The feature that names the examples; "" to number the rows from 0.

    Returns:
        Those of "train", "validation" and "test" that are there and labelled (TFDS marks examples without a label
        by -1), and the class names in index order, empty where the feature declares none.

    Raises:
        ValueError: No training split, or a feature is missing or of another kind.
    """
    features = builder.info.features
    keys = builder.info.supervised_keys
    defaults = keys if isinstance(keys, tuple) and all(isinstance(key, str) for key in keys) else (None, None)
    text = _feature(builder, text_column, "text", defaults[0])
    label = _feature(builder, label_column, "label", defaults[-1])
    if id_column and id_column not in features:
        _feature(builder, id_column, "", None)
    classes = getattr(features[label], "names", None) or []
    splits = {}
    for name in ("train", "validation", "test"):
        if name not in builder.info.splits:
            continue
        rows = read(builder, name)
        if classes and all(row[label] == -1 for row in rows):
            continue
        splits[name] = checked_examples(
            texts=[_plain(row[text]) for row in rows],
            labels=[
                classes[row[label]] if classes and row[label] >= 0 else _plain(row[label]) for row in rows
            ],
            ids=[_plain(row[id_column]) for row in rows] if id_column else None,
            weights=None,
            where=lambda i, name=name: f"tfds:{builder.name}, split {name!r}, row {i}",
        )
    if "train" not in splits:
        raise ValueError(
            f"tfds:{builder.name}: no labelled split 'train'; found {', '.join(sorted(builder.info.splits))}"
        )
    return splits, list(classes)


def _make_builder(name: str, folder: Path) -> tfds.core.DatasetBuilder | None:
    """Returns the builder, or None where TFDS has no code for it and `folder` no data."""
    # Builders of the older layout register when their module is imported, which TFDS puts off.
    for module in ("text", "structured", None):
        try:
            return tfds.builder(name, data_dir=folder)
        except tfds.core.DatasetNotFoundError:
            if module:
                importlib.import_module(f"tensorflow_datasets.{module}")
        except (AssertionError, ValueError) as error:
            raise ValueError(f"tfds:{name}: {' '.join(str(error).split())}") from error
        except ImportError as error:  # of code that asks for TensorFlow before there is anything to prepare
            raise ImportError(f"tfds:{name}: {' '.join(str(error).split())}: {_INSTALL}") from error
    return None


def _is_readable(builder: tfds.core.DatasetBuilder) -> bool:
    return builder.info.file_format in tfds.core.file_adapters.FileFormat.with_random_access()


def _feature(builder: tfds.core.DatasetBuilder, wanted: str, default: str, key: str | None) -> str:
    features = builder.info.features
    if wanted in features:
        return wanted
    if wanted == default and key in features:
        return key
    raise ValueError(
        f"tfds:{builder.name}: no feature {wanted!r}{nearest(wanted, features)}; "
        f"found {', '.join(map(repr, sorted(features)))} (set data.text_column, data.label_column, data.id_column)"
    )


def _plain(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else value
