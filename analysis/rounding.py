"""How far identities between combiners hold in the arithmetic that models use: float64, float32 and bfloat16."""

import functools
import pathlib
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from combiners import make_combiner

from .cells import measure_cells

Vectors = Float[Array, "batch parts dim"]
Maps = Float[Array, "parts dim out"]
Sides = Callable[[Vectors, Maps], tuple[Array, Array]]


def _concatenation_is_a_sum(x: Vectors, maps: Maps) -> tuple[Array, Array]:
    batch, parts, dim = x.shape
    left = x.reshape(batch, parts * dim) @ maps.reshape(parts * dim, -1)
    return left, sum(x[:, i] @ maps[i] for i in range(parts))


def _padding(x: Vectors, maps: Maps) -> tuple[Array, Array]:
    del maps
    sizes = {"num_vectors": x.shape[1], "dim": x.shape[2]}
    return make_combiner("concat", **sizes)(x), make_combiner("padded_sum", **sizes)(x)


def _associativity(x: Vectors, maps: Maps) -> tuple[Array, Array]:
    table, ids = x.reshape(-1, x.shape[2]), jnp.arange(x.shape[0])[::-1]
    return table[ids] @ maps[0], (table @ maps[0])[ids]


def _folding(x: Vectors, maps: Maps) -> tuple[Array, Array]:
    """The rows of every slot's table are its vectors in the batch, looked up in another order for every slot."""
    batch, parts, dim = x.shape
    ids = [(jnp.arange(batch) * (2 * i + 1) + i) % batch for i in range(parts)]
    looked_up = jnp.stack([x[ids[i], i] for i in range(parts)], axis=1)
    left = looked_up.reshape(batch, parts * dim) @ maps.reshape(parts * dim, -1)
    return left, sum((x[:, i] @ maps[i])[ids[i]] for i in range(parts))


# formula -> both sides
ROUNDED: dict[str, Sides] = {
    "[x_1; …; x_n] W = Σ_i x_i W_i": _concatenation_is_a_sum,
    "[x_1; …; x_n] = Σ_i [0; …; x_i; …; 0]": _padding,
    "E[id] W = (E W)[id]": _associativity,
    "[E_1[id_1]; …; E_n[id_n]] W = Σ_i (E_i W_i)[id_i]": _folding,
}
DTYPES = ("float64", "float32", "bfloat16")


def measure_rounding(config: Any, output: pathlib.Path) -> dict[str, dict[str, float]]:
    """Computes both sides of every identity on random vectors, in every dtype and shape.

    Args:
      config: `rounding` of configs/equivalences.py: `shapes` (parts, dim, out), `batch` and `seeds`.
      output: folder of rounding.json, in which finished cells are kept.

    Returns:
      "<formula> | <parts>x<dim>→<out> | <dtype>" -> {"error": the largest |left − right| as a fraction of the largest
      |left|, the most of all seeds; "eps": that of the dtype}.
    """
    settings = config.rounding
    cells = {
        f"{formula} | {parts}x{dim}→{out} | {dtype}": functools.partial(
            _measure, sides, (parts, dim, out), dtype, settings
        )
        for formula, sides in ROUNDED.items()
        for parts, dim, out in settings.shapes
        for dtype in DTYPES
    }
    return measure_cells(output / "rounding.json", settings.to_dict(), cells, "identities")


def _measure(sides: Sides, shape: tuple[int, int, int], dtype: str, settings: Any) -> dict[str, float]:
    parts, dim, out = shape
    largest = 0.0
    with jax.enable_x64(dtype == "float64"):
        both = jax.jit(sides)
        for seed in settings.seeds:
            rng = np.random.default_rng(seed)
            x = rng.standard_normal((settings.batch, parts, dim))
            maps = rng.standard_normal((parts, dim, out)) / np.sqrt(parts * dim)
            left, right = both(jnp.asarray(x, dtype), jnp.asarray(maps, dtype))
            left, right = np.asarray(left, np.float64), np.asarray(right, np.float64)
            largest = max(largest, float(np.abs(left - right).max() / np.abs(left).max()))
    return {"error": largest, "eps": float(jnp.finfo(dtype).eps)}
