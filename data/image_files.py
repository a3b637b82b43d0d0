"""Checked grey images, centred in 32x32 pixels; reads a user's own from .npz files and folders of PNG files."""

import dataclasses
import io
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
from jaxtyping import Bool, Int64, UInt8

from data.nearest import nearest

SIDE = 32
_SIZES = ((28, 28), (32, 32))
_PNG = ".png"


@dataclasses.dataclass(frozen=True)
class Images:
    """N grey images.

    Attributes:
        pixels: uint8 [N, 32, 32]; smaller images are centred, with zeros around them.
        labels: N class names, or None where there are none.
        ids: N names of images: the path within a folder, else the row number.
        where: Index -> the image's place in its source, for error messages.
    """

    pixels: UInt8[np.ndarray, "N 32 32"]
    labels: Sequence[str] | None
    ids: Sequence[str]
    where: Callable[[int], str]

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, indices: Int64[np.ndarray, "n"]) -> "Images":
        """Returns the images at `indices`, int64 [n], in that order."""
        return Images(
            pixels=self.pixels[indices],
            labels=None if self.labels is None else [self.labels[i] for i in indices],
            ids=[self.ids[i] for i in indices],
            where=lambda i: self.where(int(indices[i])),
        )


def has_ink(pixels: UInt8[np.ndarray, "N 32 32"], margin: int) -> Bool[np.ndarray, "N"]:
    """Returns whether each image has a pixel other than 0 less than `margin` from an edge."""
    edges = np.ones((SIDE, SIDE), bool)
    edges[margin : SIDE - margin, margin : SIDE - margin] = False
    return pixels[:, edges].any(axis=1)


def centred(pixels: Any, where: str) -> UInt8[np.ndarray, "*n 32 32"]:
    """Checks whole numbers [..., 28, 28] or [..., 32, 32] and centres them in 32x32.

    Args:
        pixels: An array, or lists; a last axis of one channel may follow.
        where: What the pixels are, for error messages.

    Raises:
        ValueError: Another size, another type, or a number outside 0 to 255.
    """
    try:
        pixels = np.asarray(pixels)
    except ValueError:  # lists of different lengths
        raise ValueError(f"{where}: expected the rows of an image, all of one length") from None
    if pixels.ndim >= 3 and pixels.shape[-1] in (1, 3, 4) and pixels.shape[-3:-1] != (1, 1):
        if pixels.shape[-1] != 1:
            raise ValueError(f"{where}: found {pixels.shape[-1]} channels (colour), expected grey images")
        pixels = pixels[..., 0]
    if pixels.ndim < 2 or pixels.shape[-2:] not in _SIZES:
        found = "x".join(map(str, pixels.shape[-2:])) or "a single number"
        raise ValueError(f"{where}: found {found}, expected 28x28 or 32x32 pixels")
    if pixels.dtype.kind not in "iu":
        raise ValueError(f"{where}: found {pixels.dtype} pixels, expected uint8, whole numbers from 0 to 255")
    if pixels.dtype != np.uint8:
        if pixels.size and (pixels.min() < 0 or pixels.max() > 255):
            raise ValueError(
                f"{where}: found pixels from {pixels.min()} to {pixels.max()}, expected whole numbers from 0 to 255"
            )
        pixels = pixels.astype(np.uint8)
    margin = (SIDE - pixels.shape[-1]) // 2
    inside = slice(margin, SIDE - margin)
    whole = np.zeros((*pixels.shape[:-2], SIDE, SIDE), np.uint8)
    whole[..., inside, inside] = pixels
    return whole


def decode(
    file: Path | io.BytesIO, where: str, formats: Sequence[str] = ("PNG",)
) -> UInt8[np.ndarray, "32 32"]:
    """Decodes an image file of 8-bit grey (or black and white) pixels and centres it.

    Args:
        file: The file.
        where: What to call it in error messages.
        formats: What it may be.

    Raises:
        ValueError: It is damaged, in colour, or of another size.
    """
    try:
        with PIL.Image.open(file, formats=formats) as image:
            mode, size, content = image.mode, image.size, image.convert("L").tobytes()
    except (OSError, SyntaxError, ValueError, zlib.error, PIL.Image.DecompressionBombError) as error:
        raise ValueError(f"{where}: not a whole {' or '.join(formats)} file ({error})") from error
    if mode not in ("L", "1"):
        kind = "16-bit" if mode.startswith("I") else "colour or transparent"
        raise ValueError(f"{where}: a {kind} image (mode {mode}), expected 8-bit grey")
    return centred(np.frombuffer(content, np.uint8).reshape(size[1], size[0]), where)


def read_images(path: str | Path, *, with_labels: bool = True) -> Images:
    """Reads a user's images; those without labels are accepted, it is for the caller to ask for them.

    Args:
        path: An .npz file with the arrays "images", whole numbers [N, 28, 28] or [N, 32, 32], and "labels", N whole
            numbers or texts; or a folder of 8-bit grey PNG files, either in one sub-folder per class, which gives its
            name to the class, or, without labels, in the folder itself.
        with_labels: Whether labels are looked at.

    Raises:
        FileNotFoundError: No such file or folder.
        ValueError: It holds something else; the message names the file and, of an array, the row.
    """
    path = Path(path)
    if path.is_dir():
        images = _read_folder(path)
        return images if with_labels else dataclasses.replace(images, labels=None)
    if not path.exists():
        siblings = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
        raise FileNotFoundError(f"{path}: no such file or folder{nearest(path.name, siblings)}")
    if path.suffix.lower() != ".npz":
        raise ValueError(
            f"{path}: expected an .npz file, or a folder with PNG files in one sub-folder per class"
        )
    return _read_npz(path, with_labels)


def class_names(labels: Any, count: int, where: str) -> list[str]:
    """Returns N labels, whole numbers or texts, as names of classes.

    Raises:
        ValueError: There are not `count` of them, or they are something else.
    """
    labels = np.asarray(labels)
    if labels.shape != (count,):
        raise ValueError(f"{where}: labels of shape {labels.shape} for {count} images, expected ({count},)")
    if labels.dtype.kind not in "iuU":
        raise ValueError(f"{where}: found labels of type {labels.dtype}, expected whole numbers or texts")
    return [str(label) for label in labels.tolist()]


def _read_npz(path: Path, with_labels: bool) -> Images:
    arrays = _arrays(path)
    if "images" not in arrays:
        found = ", ".join(map(repr, arrays)) or "none"
        raise ValueError(f"{path}: no array 'images'{nearest('images', arrays)}; found {found}")
    images = arrays["images"]
    if images.ndim not in (3, 4):
        raise ValueError(
            f"{path}: array 'images' has shape {images.shape}, expected [N, 28, 28] or [N, 32, 32]"
        )
    pixels = centred(images, f"{path}, array 'images'")
    if not len(pixels):
        raise ValueError(f"{path}: array 'images' is empty")
    labels = None
    if with_labels and "labels" in arrays:
        labels = class_names(arrays["labels"], len(pixels), f"{path}, array 'labels'")
    return Images(pixels, labels, [str(i) for i in range(len(pixels))], lambda i: f"{path}, row {i}")


def _arrays(path: Path) -> Mapping[str, np.ndarray]:
    try:
        # What is pickled may run code. Of a damaged file NumPy would leave its own handle open.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except (OSError, ValueError, EOFError, TypeError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"{path}: not an .npz file of numbers and texts ({error})") from error


def _read_folder(path: Path) -> Images:
    entries = sorted(entry for entry in path.iterdir() if not entry.name.startswith("."))
    folders = [entry for entry in entries if entry.is_dir()]
    loose = [entry for entry in entries if not entry.is_dir()]
    if folders and loose:
        raise ValueError(f"{loose[0]}: a file beside the folders of the classes; expected those alone")
    files = [file for folder in folders for file in _png_files(folder)] or _png_files(path)
    labels = [file.parent.name for file in files] if folders else None
    pixels = np.stack([decode(file, str(file)) for file in files])
    return Images(
        pixels, labels, [file.relative_to(path).as_posix() for file in files], lambda i: str(files[i])
    )


def _png_files(folder: Path) -> list[Path]:
    files = sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
    for file in files:
        if file.suffix.lower() != _PNG or file.is_dir():
            raise ValueError(f"{file}: expected a PNG file")
    if not files:
        raise ValueError(f"{folder}: the folder is empty, expected PNG files")
    return files
