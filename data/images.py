"""Loads an image classification data set: `config.data` -> 32x32 grey images and their classes."""

import dataclasses
import io
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import ml_collections
import numpy as np
from jaxtyping import Int32

from data.atomic import write_text
from data.dataset import Dataset, Spec, Split
from data.examples import sorted_classes
from data.image_files import SIDE, Images, centred, class_names, decode, has_ink, read_images
from data.nearest import nearest
from data.prepare import cache_folder, prepare
from data.splits import stratified_splits, take_fraction

# Our own builders: what `config.data.name` may be beside "tfds:...".
NAMES = ("mnist",)
_TFDS_FILES = ("PNG", "JPEG")
_MARGIN = 2  # around an image of 28x28
_MOST = 5000  # images that a cut split holds: of MNIST's 60,000, that many validate


@dataclasses.dataclass(frozen=True, kw_only=True)
class ImageSpec(Spec):
    """Grey images: "pixels" uint8 [N, height, width], 0 where a smaller image does not reach.

    Attributes:
        height: In pixels.
        width: In pixels.
        margin: So many pixels along every edge are 0 in all images, which are smaller and stand in the middle.
    """

    height: int = SIDE
    width: int = SIDE
    margin: int = 0

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> "ImageSpec":
        """Builds an ImageSpec from `to_dict`'s answer."""
        return cls(**{**fields, "classes": tuple(fields["classes"])})


@dataclasses.dataclass(frozen=True)
class ImagePreprocessor:
    """Centres images in 32x32 pixels and numbers their classes.

    Attributes:
        spec: The size and the classes.
    """

    FORMAT: ClassVar[str] = "combiner-ablations image preprocessor 1"

    spec: ImageSpec

    @property
    def target_column(self) -> str:
        """The array of an .npz file that holds the classes."""
        return "labels"

    def encode(self, rows: Sequence[Any], *, with_targets: bool = True) -> Split:
        """Encodes new images.

        Args:
            rows: Each an image, whole numbers from 0 to 255, [28, 28] or [32, 32]; or a mapping with an "image" and,
                for every row or for none, a "label". Other keys are ignored.
            with_targets: Whether labels are looked at.

        Raises:
            ValueError: An image or a label is missing or wrong; the message names the row, counting from 0.
        """
        mappings = [row if isinstance(row, Mapping) else {"image": row} for row in rows]
        pixels = np.zeros((len(mappings), SIDE, SIDE), np.uint8)
        for i, row in enumerate(mappings):
            if "image" not in row:
                raise ValueError(f"row {i}: no 'image'; found {', '.join(map(repr, row))}")
            image = centred(row["image"], f"row {i}")
            if image.ndim != 2:
                raise ValueError(f"row {i}: found {len(image)} images, expected one of 28x28 or 32x32 pixels")
            pixels[i] = image
        labels = None
        if with_targets and any("label" in row for row in mappings):
            labels = []
            for i, row in enumerate(mappings):
                if row.get("label") is None:
                    raise ValueError(f"row {i}: the label is missing")
                labels += class_names([row["label"]], 1, f"row {i}")
        return self.encode_images(
            Images(pixels, labels, [str(i) for i in range(len(mappings))], lambda i: f"row {i}")
        )

    def encode_images(self, images: Images) -> Split:
        """Encodes N checked images; see `encode`."""
        margin = self.spec.margin
        inked = np.flatnonzero(has_ink(images.pixels, margin)) if margin else ()
        if len(inked):
            inside = "x".join(str(side - 2 * margin) for side in (self.spec.height, self.spec.width))
            raise ValueError(
                f"{images.where(int(inked[0]))}: found ink less than {margin} pixels from the edge, where no image of "
                f"the training data has any; expected {inside} pixels, or zeros around them"
            )
        return Split(
            inputs={"pixels": images.pixels},
            targets=None if images.labels is None else self._targets(images),
            ids=images.ids,
        )

    def _targets(self, images: Images) -> Int32[np.ndarray, "N"]:
        classes = self.spec.classes
        index = {name: i for i, name in enumerate(classes)}
        for i, label in enumerate(images.labels):
            if label not in index:
                raise ValueError(
                    f"{images.where(i)}: label {label!r} is not a class of the training set{nearest(label, classes)}; "
                    f"expected one of {', '.join(map(repr, classes))}"
                )
        return np.array([index[label] for label in images.labels], np.int32)

    def read(self, path: str | os.PathLike[str], columns: Mapping[str, str]) -> Split:
        """Reads and encodes a user's .npz file or folder of PNG files; it has no targets where it holds no labels.

        Args:
            path: See `data.image_files.read_images`.
            columns: Nothing, as arrays and folders have no columns to name.

        Raises:
            FileNotFoundError: No such file or folder.
            ValueError: An image or a label is wrong.
        """
        del columns
        return self.encode_images(read_images(path))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes one JSON file, at once or not at all."""
        write_text(path, json.dumps({"format": self.FORMAT, "spec": self.spec.to_dict()}))

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "ImagePreprocessor":
        """Restores what `save` wrote."""
        return cls(ImageSpec.from_dict(content["spec"]))


def load(config: ml_collections.ConfigDict) -> Dataset:
    """Loads the data that a config names; the same config gives the same arrays.

    Args:
        config: `config.data`: name, path, path_validation, path_test, dir, split_seed, train_fraction.

    Returns:
        Splits "train", "validation" and "test", all labelled. Those that the source lacks are cut out of its
        training images, stratified: a tenth of them each, 5,000 at most.

    Raises:
        FileNotFoundError: A path does not exist.
        ValueError: A wrong name, image or label, or a wheel with another checksum.
        ConnectionError: Data could not be downloaded.
        ImportError: A TFDS data set must be prepared with TensorFlow, which is missing.
    """
    if config.path:
        name = Path(config.path).name
        given = _read_files(config)
        classes = sorted_classes(given["train"].labels, config.path)
    else:
        for field in ("path_validation", "path_test"):
            if config[field]:
                raise ValueError(f"data.{field}={config[field]} needs data.path, the images to train on")
        name = config.name
        given, classes = _read_builder(config)
    margin = 0 if any(has_ink(images.pixels, _MARGIN).any() for images in given.values()) else _MARGIN
    splits = _complete(given, config.split_seed, config.path or name)
    train = splits["train"]
    splits["train"] = train.take(
        take_fraction(train.labels, len(train), config.train_fraction, config.split_seed)
    )
    preprocessor = ImagePreprocessor(ImageSpec(classes=classes, margin=margin))
    encoded = {split: preprocessor.encode_images(images) for split, images in splits.items()}
    return Dataset(name, encoded, preprocessor.spec, preprocessor)


def _read_files(config: ml_collections.ConfigDict) -> dict[str, Images]:
    paths = {"train": config.path, "validation": config.path_validation, "test": config.path_test}
    splits = {split: read_images(path) for split, path in paths.items() if path}
    for split, images in splits.items():
        if images.labels is None:
            wanted = (
                "PNG files in one sub-folder per class"
                if Path(paths[split]).is_dir()
                else "an array 'labels'"
            )
            raise ValueError(f"{paths[split]}: the images have no labels, expected {wanted}")
    return splits


def _read_builder(config: ml_collections.ConfigDict) -> tuple[dict[str, Images], tuple[str, ...]]:
    folder = cache_folder(config.dir)
    if config.name.startswith("tfds:"):
        from data.tfds_text import find_builder  # imports TFDS

        return _read_tfds(find_builder(config.name.removeprefix("tfds:"), folder / "tfds"))
    if config.name not in NAMES:
        raise ValueError(
            f"data.name: no data set {config.name!r}{nearest(config.name, NAMES)}; expected one of "
            f"{', '.join(map(repr, NAMES))}, tfds:NAME, or images of your own in data.path"
        )
    from data.mnist import MnistBlocks, read_mnist  # imports TFDS

    builder = prepare(lambda: MnistBlocks(data_dir=folder / "tfds"), folder / "wheels")
    splits = {}
    for split in ("train", "test"):
        pixels, labels = read_mnist(builder, split)
        splits[split] = Images(
            pixels=centred(pixels, f"{config.name}, split {split!r}"),
            labels=[str(label) for label in labels.tolist()],
            ids=[str(i) for i in range(len(labels))],
            where=lambda i, split=split: f"{config.name}, split {split!r}, row {i}",
        )
    return splits, tuple(map(str, range(10)))


def _read_tfds(builder: Any) -> tuple[dict[str, Images], tuple[str, ...]]:
    """Reads the labelled splits of a prepared TFDS data set that has an image and a class for every example."""
    import tensorflow_datasets as tfds

    source = f"tfds:{builder.name}"
    image = _feature(source, builder.info, "image", 0, tfds.features.Image)
    label = _feature(source, builder.info, "label", -1, tfds.features.ClassLabel)
    channels = builder.info.features[image].shape[-1]
    if channels not in (1, None):
        raise ValueError(f"{source}: found {channels} channels (colour), expected grey images")
    classes = tuple(builder.info.features[label].names)
    splits = {}
    for split in ("train", "validation", "test"):
        if split not in builder.info.splits:
            continue
        # TFDS would decode the files as well, in twice the time and with a warning.
        files = builder.as_data_source(split, decoders={image: tfds.decode.SkipDecoding()})
        rows = files.__getitems__(range(len(files)))
        if all(row[label] == -1 for row in rows):  # TFDS's mark of an example without a label
            continue
        place = f"{source}, split {split!r}, row"
        for i, row in enumerate(rows):
            if row[label] < 0:
                raise ValueError(f"{place} {i}: no label, where other rows of the split have one")
        splits[split] = Images(
            pixels=np.stack(
                [decode(io.BytesIO(row[image]), f"{place} {i}", _TFDS_FILES) for i, row in enumerate(rows)]
            ),
            labels=[classes[row[label]] for row in rows],
            ids=[str(i) for i in range(len(rows))],
            where=lambda i, place=place: f"{place} {i}",
        )
    if "train" not in splits:
        raise ValueError(
            f"{source}: no labelled split 'train'; found {', '.join(sorted(builder.info.splits))}"
        )
    return splits, classes


def _feature(source: str, info: Any, name: str, key: int, kind: type) -> str:
    """Returns the feature of a name, else the one that the data set declares to be input (or target), if it is one."""
    keys = info.supervised_keys
    for candidate in (name, keys[key] if isinstance(keys, tuple) else None):
        if candidate in info.features and isinstance(info.features[candidate], kind):
            return candidate
    found = ", ".join(
        f"{feature!r} ({type(info.features[feature]).__name__})" for feature in sorted(info.features)
    )
    raise ValueError(f"{source}: expected a feature {name!r} of kind {kind.__name__}; found {found}")


def _complete(given: Mapping[str, Images], seed: int, source: str) -> dict[str, Images]:
    """Cuts the splits that are not given out of the training split."""
    absent = [split for split in ("test", "validation") if split not in given]
    parts = stratified_splits(given["train"].labels, absent, seed, source, most=_MOST)
    splits = {**given, **{split: given["train"].take(indices) for split, indices in parts.items()}}
    return {split: splits[split] for split in ("train", "validation", "test")}
