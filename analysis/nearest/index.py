"""Vectors to be searched: read block by block, at length one, in a lower precision where that is asked for."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float32, Float64, Int

_DTYPES: dict[str, Any] = {"float32": np.float32, "bfloat16": jnp.bfloat16, "float16": np.float16}
_ROUNDOFF = {"float32": 0.0, "bfloat16": 2.0**-8, "float16": 2.0**-11}  # what is float32 is not rounded
_LEAST, _GREATEST = 1e-20, 1e20  # squared lengths for which float32 neither overflows nor loses digits
_NUMBERS = 2**20  # prepared at once


@dataclasses.dataclass(frozen=True, eq=False)
class Index:
    """Vectors, and what every search of them would compute anew.

    Attributes:
      vectors: themselves, not a copy.
      dtype: of what is multiplied: 'float32', 'bfloat16' or 'float16'.
      inverse: 1 / length of each, 0 where float32 cannot say; None to compute it in every search.
      unit: all of them at length one in `dtype`, where the products are made; None to make them in every search.
    """

    vectors: Float32[np.ndarray, "V d"]
    dtype: str = "float32"
    inverse: Float32[np.ndarray, " V"] | None = None
    unit: np.ndarray | Array | None = None

    def __post_init__(self) -> None:
        if self.dtype not in _DTYPES:
            raise ValueError(f"dtype: expected one of {', '.join(_DTYPES)}, found {self.dtype!r}")
        if 0 in self.vectors.shape:
            raise ValueError(
                f"vectors: expected at least one, of at least one number, found {self.vectors.shape}"
            )

    @property
    def rounding_error(self) -> float:
        """How far a vector of length one moves at most when it is rounded to `dtype`."""
        # Below 2⁻¹⁴ the numbers of float16 no longer lie the closer the smaller they are.
        subnormal = 2.0**-25 * self.vectors.shape[1] ** 0.5 if self.dtype == "float16" else 0.0
        return _ROUNDOFF[self.dtype] + subnormal

    def read(
        self, start: int, stop: int
    ) -> tuple[Float32[np.ndarray, "B d"], Float32[np.ndarray, " B"] | None]:
        """Returns a block of rows to multiply, and by what to scale their products, None where that is one.

        Raises:
          ValueError: for a number that is not finite.
        """
        if isinstance(self.unit, np.ndarray):
            return self.unit[start:stop].astype(np.float32), None
        if self.dtype != "float32":
            return self.read_unit(start, stop).astype(np.float32), None
        return self._read_scaled(start, stop)

    def read_unit(self, start: int, stop: int) -> Float[np.ndarray, "B d"]:
        """Returns a block of rows at length one in `dtype`; raises as `read` does."""
        block, inverse = self._read_scaled(start, stop)
        return (block * inverse[:, None]).astype(_DTYPES[self.dtype])

    def _read_scaled(
        self, start: int, stop: int
    ) -> tuple[Float32[np.ndarray, "B d"], Float32[np.ndarray, " B"]]:
        block = np.asarray(self.vectors[start:stop])
        inverse = inverse_lengths(block) if self.inverse is None else self.inverse[start:stop]
        unknown = np.flatnonzero(inverse == 0)
        if len(unknown):
            block, inverse = block.copy(), inverse.copy()
            check_finite(block[unknown], unknown + start, "vectors")
            block[unknown] = scaled_to_unit(block[unknown])
            inverse[unknown] = 1
        return block, inverse


def make_index(vectors: Float32[np.ndarray, "V d"], dtype: str = "float32") -> Index:
    """Prepares vectors for more than one search.

    Args:
      vectors: of any length; may be a np.memmap.
      dtype: 'float32' keeps 4 bytes a vector, 'bfloat16' and 'float16' a copy of 2 d bytes: a search then reads half as
        much, and of vectors in a file only those that it measures again. On an accelerator every dtype keeps a copy.
        'bfloat16' is converted faster on a CPU; 'float16' is closer and leaves fewer to be measured again.

    Raises:
      ValueError: for an unknown dtype, no vectors, or a number that is not finite.
    """
    index = Index(vectors, dtype)
    number, dim = vectors.shape
    step = max(1, _NUMBERS // dim)
    starts = range(0, number, step)
    if dtype == "float32" and not has_accelerator():
        inverse = np.concatenate(
            [inverse_lengths(np.asarray(vectors[start : start + step])) for start in starts]
        )
        unknown = np.flatnonzero(inverse == 0)
        check_finite(vectors[unknown], unknown, "vectors")
        return dataclasses.replace(index, inverse=inverse)
    unit = np.empty(vectors.shape, _DTYPES[dtype])
    for start in starts:
        unit[start : start + step] = index.read_unit(start, start + step)
    return dataclasses.replace(index, unit=jax.device_put(unit) if has_accelerator() else unit)


def has_accelerator() -> bool:
    """Returns whether JAX computes on something else than the CPU."""
    return jax.default_backend() != "cpu"


def inverse_lengths(vectors: Float32[np.ndarray, "n d"]) -> Float32[np.ndarray, " n"]:
    """Returns 1 / length of each vector, or 0 where float32 cannot compute it: none is that long or short by itself."""
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        squares = np.vecdot(vectors, vectors)
        return np.where((squares > _LEAST) & (squares < _GREATEST), 1 / np.sqrt(squares), np.float32(0))


def scaled_to_unit(vectors: Float32[np.ndarray, "n d"]) -> Float64[np.ndarray, "n d"]:
    """Returns vectors of any length at length one, zeros as they are."""
    exact = vectors.astype(np.float64)
    length = np.sqrt(np.vecdot(exact, exact))
    return exact / np.where(length > 0, length, 1)[:, None]


def check_finite(vectors: Float32[np.ndarray, "n d"], rows: Int[np.ndarray, " n"], what: str) -> None:
    """Raises ValueError, with the row, if a number is not finite."""
    wrong = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if len(wrong):
        raise ValueError(f"{what}: expected finite numbers, row {rows[wrong[0]]} holds another")
