"""Embedding tables for the slots of a bag: one table that all slots share, or one of its own for each."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Bool, Float, Int

from .row_tables import RowTable, look_up


class Frozen(nnx.Variable):
    """Numbers that are set once and not trained."""


def is_frozen(config: Any) -> bool:
    """Returns whether config.model asks for embeddings that are not trained; raises ValueError for what cannot be."""
    mode = config.get("pretrained_mode", "tuned")
    if mode not in ("tuned", "frozen"):
        raise ValueError(f"model.pretrained_mode must be tuned or frozen, got {mode!r}")
    if mode == "frozen" and not config.pretrained:
        raise ValueError(
            "model.pretrained_mode=frozen needs the vectors to keep: model.pretrained=RUN_OR_FILE"
        )
    return mode == "frozen"


class Embedding(nnx.Module):
    """Looks up one vector per slot: mean + table[id].

    The constant `mean` is kept out of the table, so that weight decay draws vectors towards it. For a product, whose
    embeddings live around one, decay towards zero would be decay towards a dead network.

    Rows at the end of a table that no training example looks up are no parameters: nothing would move them but weight
    decay. They are zero unless vectors from elsewhere are put there.

    Attributes:
      num_rows: rows of one table, padding and unknown included.
      num_extra: how many of them no training example looks up.
      num_slots: the largest number of slots of an example.
      dim: the width of a vector; a tuple of one width per slot where they differ (needs a table per slot).
      table: the rows without the extra ones, [rows, dim] where the slots share it; [num_slots * rows, dim] where each
        has its own.
      extra: the extra rows likewise, where there are any.
      tables: with unequal widths, one [num_rows, dim_i] per slot.
    """

    def __init__(
        self,
        *,
        num_rows: int,
        num_slots: int,
        num_extra: int = 0,
        dim: int | tuple[int, ...],
        table_per_slot: bool = False,
        mean: float = 0.0,
        scale: float = 1.0,
        frozen: bool = False,
        dtype: jnp.dtype = jnp.float32,
        rngs: nnx.Rngs,
    ):
        """Draws the tables from a normal distribution.

        Args:
          num_rows: rows of one table.
          num_slots: the largest number of slots.
          num_extra: rows at the end that no training example looks up.
          dim: the width of a vector, or one width per slot.
          table_per_slot: whether each slot has its own table.
          mean: the constant part of every vector.
          scale: standard deviation of the initial tables, whose mean is zero.
          frozen: whether the tables are no parameters, and stay as they are.
          dtype: of the vectors that come out; the tables themselves are float32.
          rngs: the source of the initial values.

        Raises:
          ValueError: for unequal widths in a shared table, or with extra rows.
        """
        if isinstance(dim, tuple) and not table_per_slot:
            raise ValueError(
                f"slots of different widths {dim} cannot share one table: set model.table_per_slot"
            )
        if isinstance(dim, tuple) and num_extra:
            raise ValueError(f"slots of different widths {dim} have no rows for data.extra_vocabulary")
        self.num_rows, self.num_slots, self.dim = num_rows, num_slots, dim
        self.num_extra = num_extra
        self.table_per_slot = table_per_slot
        self.mean = mean
        self.dtype = dtype

        variable = Frozen if frozen else RowTable

        def draw(rows: int, width: int) -> Float[Array, "rows width"]:
            return scale * jax.random.normal(rngs.params(), (rows, width))

        if isinstance(dim, tuple):
            self.tables = nnx.List([variable(draw(num_rows, width)) for width in dim])
        else:
            tables = num_slots if table_per_slot else 1
            self.table = variable(draw(tables * (num_rows - num_extra), dim))
            if num_extra:
                self.extra = Frozen(jnp.zeros((tables * num_extra, dim)))

    def __call__(
        self, ids: Int[Array, "*batch n"]
    ) -> Float[Array, "*batch n dim"] | tuple[Float[Array, "*batch _"], ...]:
        """Returns the vector of each id: [..., n, dim], or n arrays [..., dim_i] where the widths differ.

        Ids are in range by construction, so no bounds are checked.
        """
        n = ids.shape[-1]
        if isinstance(self.dim, tuple):
            return tuple(self._vectors(self.tables[i], ids[..., i]) for i in range(n))
        return self._looked_up(ids, jnp.arange(n, dtype=ids.dtype) if self.table_per_slot else 0)

    def summed(
        self,
        ids: Int[Array, "*batch n"],
        mask: Bool[Array, "*batch n"],
        weights: Float[Array, "*batch n"] | None = None,
    ) -> Float[Array, "*batch dim"]:
        """Returns Σ_i w_i (mean + table[id_i]) over the slots present, [..., dim]; w_i = 1 without weights.

        A lookup for every slot: XLA adds the rows as it reads them, where one lookup for all would write them down
        first. It is for inference, since the gradient is a scatter for every slot.
        """
        total = jnp.zeros((*ids.shape[:-1], self.dim), self.dtype)
        for i in range(ids.shape[-1]):
            row = self._looked_up(ids[..., i], i if self.table_per_slot else 0)
            if weights is not None:
                row = row * weights[..., i, None]
            total += jnp.where(mask[..., i, None], row, 0)
        return total

    def slot_table(self, slot: int) -> Float[Array, "num_rows dim"]:
        """Returns all rows of the table of a slot, without the mean."""
        if isinstance(self.dim, tuple):
            return self.tables[slot][...]
        parts = [self.table[...]] + ([self.extra[...]] if self.num_extra else [])
        if self.table_per_slot:
            parts = [jnp.split(part, self.num_slots)[slot] for part in parts]
        return jnp.concatenate(parts)

    def set_slot_tables(self, tables: Sequence[Float[np.ndarray, "num_rows dim"]]) -> None:
        """Sets all rows of the table of every slot, or of the one that they share."""
        trained = self.num_rows - self.num_extra
        self.table[...] = np.concatenate([table[:trained] for table in tables])
        if self.num_extra:
            self.extra[...] = np.concatenate([table[trained:] for table in tables])

    def _looked_up(
        self, ids: Int[Array, "*batch"], slot: Int[Array, " n"] | int
    ) -> Float[Array, "*batch dim"]:
        """Returns the vectors of ids in the tables of their slots."""
        trained = self.num_rows - self.num_extra
        if not self.num_extra:
            return self._vectors(self.table, ids + trained * slot)
        is_extra = ids >= trained
        rows = self._vectors(self.table, jnp.where(is_extra, 0, ids) + trained * slot)
        extra = jnp.where(is_extra, ids - trained, 0) + self.num_extra * slot
        return jnp.where(is_extra[..., None], self._vectors(self.extra, extra), rows)

    def _vectors(self, table: nnx.Variable, ids: Int[Array, "*batch"]) -> Float[Array, "*batch dim"]:
        rows = look_up(table, ids).astype(self.dtype)
        return rows + self.mean if self.mean else rows
