"""Reads what gensim's KeyedVectors.save wrote, without gensim: of a pickle, only what cannot run code.

A pickle calls whatever functions it names. Here the few names that such a file needs stand for the plain classes below,
and any other is refused.
"""

import io
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Shaped

from data.word_vectors import WordVectors


class _Object:
    """Any object of gensim's: its attributes, and no behaviour."""

    def __setstate__(self, state: Any) -> None:
        if not isinstance(state, dict):
            raise pickle.UnpicklingError(f"expected attributes, found a {type(state).__name__}")
        self.attributes = state


class _Dtype:
    """A type of numbers; None for any other, such as that of attributes that a user gave the words."""

    def __init__(self, name: str, *_: Any):
        is_number = name.lstrip("<>|=")[:1] in ("b", "i", "u", "f")
        self.dtype = np.dtype(name) if is_number else None

    def __setstate__(self, state: Any) -> None:
        if self.dtype is not None and state[1] in ("<", ">"):
            self.dtype = self.dtype.newbyteorder(state[1])


class _Array:
    """An array of numbers, as NumPy pickles it."""

    def __init__(self, *_: Any):
        self.values = np.zeros(0)

    def __setstate__(self, state: Any) -> None:
        _, shape, dtype, column_major, content = state
        self.values = _from_bytes(content, dtype, shape, "F" if column_major else "C")


def _from_bytes(content: Any, dtype: Any, shape: Any, order: str = "C") -> Shaped[np.ndarray, "..."]:
    if not isinstance(dtype, _Dtype):
        raise pickle.UnpicklingError("an array without a type")
    if dtype.dtype is None:
        return np.zeros(0)
    return np.frombuffer(content, dtype.dtype).reshape(shape, order=order)


def _array(content: Any, dtype: Any, shape: Any, order: str = "C") -> _Array:
    array = _Array()
    array.values = _from_bytes(content, dtype, shape, order)
    return array


def _latin1(text: str, encoding: str) -> bytes:
    """Stands for codecs.encode, with which older pickles spell bytes."""
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"bytes spelt in {encoding!r}")
    return text.encode("latin1")


_KEYED_VECTORS = "gensim.models.keyedvectors"
_NAMES: dict[tuple[str, str], Any] = {
    **{
        (_KEYED_VECTORS, name): _Object
        for name in ("KeyedVectors", "Word2VecKeyedVectors", "EuclideanKeyedVectors", "CompatVocab", "Vocab")
    },
    **{
        (f"numpy.{core}.multiarray", name): stand_in
        for core in ("core", "_core")
        for name, stand_in in (("_reconstruct", _Array), ("scalar", lambda *_: None))
    },
    **{(f"numpy.{core}.numeric", "_frombuffer"): _array for core in ("core", "_core")},
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Dtype,
    ("_codecs", "encode"): _latin1,
    **{
        (module, name): stand_in
        for module in ("builtins", "__builtin__")
        for name, stand_in in (("set", set), ("frozenset", frozenset))
    },
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        """Returns what stands for a name; raises UnpicklingError for one that such a file does not need."""
        if (module, name) not in _NAMES:
            raise pickle.UnpicklingError(f"it names {module}.{name}, which is not called here")
        return _NAMES[module, name]


def read_keyed_vectors(stream: io.BufferedIOBase, path: str | os.PathLike[str]) -> WordVectors:
    """Reads the words and vectors of gensim's KeyedVectors, of gensim 4 and 3.

    Args:
        stream: The pickle, from its beginning.
        path: Where it lies: arrays that gensim saved apart are path.vectors.npy.

    Raises:
        ValueError: Not such a pickle; it names something else than KeyedVectors need; an array is missing.
    """
    try:
        loaded = _Unpickler(stream).load()
    # A malformed pickle may end in any of these.
    except (
        pickle.UnpicklingError,
        EOFError,
        ValueError,
        TypeError,
        KeyError,
        IndexError,
        AttributeError,
    ) as error:
        raise ValueError(
            f"{path}: a pickle that does not hold gensim's KeyedVectors ({error}); of a gensim model save model.wv, or "
            "write model.wv.save_word2vec_format"
        ) from error
    state = getattr(loaded, "attributes", None)
    if not isinstance(loaded, _Object) or state is None:
        raise ValueError(f"{path}: a pickle, but not of gensim's KeyedVectors")
    words = state.get("index_to_key", state.get("index2word"))
    if not isinstance(words, list) or not words or not all(isinstance(word, str) for word in words):
        raise ValueError(f"{path}: expected KeyedVectors of one word at least, whose keys are words")
    vectors = _vectors(state, Path(path))
    if vectors.ndim != 2 or len(vectors) < len(words) or vectors.dtype.kind != "f":
        raise ValueError(
            f"{path}: expected {len(words):,} vectors of floating-point numbers, found an array {vectors.dtype} "
            f"{list(vectors.shape)}"
        )
    vectors = np.ascontiguousarray(vectors[: len(words)], np.float32)
    finite = np.isfinite(vectors).all(axis=1)
    if not finite.all():
        raise ValueError(f"{path}: the vector of {words[int(np.argmin(finite))]!r} is not finite")
    return WordVectors(tuple(words), vectors)


def _vectors(state: dict[str, Any], path: Path) -> Shaped[np.ndarray, "..."]:
    if isinstance(state.get("vectors"), _Array):
        return state["vectors"].values
    beside = Path(f"{path}.vectors.npy")
    if not beside.is_file():
        raise ValueError(f"{path}: its vectors lie in {beside.name}, which is not beside it")
    try:
        return np.load(beside, allow_pickle=False, mmap_mode="r")
    except (ValueError, EOFError) as error:
        raise ValueError(f"{beside}: not a whole .npy file of numbers ({error})") from error
