"""One table per slot, in one array where the widths are equal: a step then gathers and scatters once, not per slot."""

import itertools
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float, Float32, Int

from combiners import Dim

from .row_tables import RowTable, look_up


class FieldTables(nnx.Module):
    """Slot i has a table of num_rows[i] rows: looked up by a row's number, or multiplied by a number for every row.

    Attributes:
      num_rows: rows of each slot's table.
      dim: the width of a row; a tuple of one width per slot where they differ.
      table: [Σ num_rows, dim], the slots' tables below each other, where the widths are equal.
      tables: with unequal widths, one [num_rows[i], dim_i] per slot.
    """

    def __init__(
        self,
        *,
        num_rows: Sequence[int],
        num_zeros: Sequence[int],
        dim: Dim,
        scales: Sequence[float],
        looked_up: bool = True,
        dtype: jnp.dtype = jnp.float32,
        rngs: nnx.Rngs,
    ):
        """Draws the tables from normal distributions around zero.

        Args:
          num_rows: rows of each slot's table.
          num_zeros: how many rows at the head of each slot's table start at zero: those of missing and unseen
            categories, say, which tell nothing unless training teaches otherwise.
          dim: the width of a row, or one width per slot.
          scales: standard deviation of the other rows of each slot's table.
          looked_up: whether the tables are read by `look_up`; if not, by `multiply`.
          dtype: of what comes out; the tables themselves are float32.
          rngs: the source of the initial values.
        """
        self.num_rows, self.dim, self.dtype = tuple(num_rows), dim, dtype

        # One factor per row, so that all rows are drawn at once.
        factors = [
            np.where(np.arange(rows) < zeros, 0, scale).astype(np.float32)
            for rows, zeros, scale in zip(num_rows, num_zeros, scales, strict=True)
        ]

        def draw(factor: Float32[np.ndarray, "rows"], width: int) -> Float[Array, "rows width"]:
            return factor[:, None] * jax.random.normal(rngs.params(), (len(factor), width))

        variable = RowTable if looked_up else nnx.Param
        if isinstance(dim, tuple):
            tables = [draw(factor, width) for factor, width in zip(factors, dim, strict=True)]
            self.tables = nnx.List([variable(table) for table in tables])
        else:
            self.table = variable(draw(np.concatenate(factors), dim))

    def look_up(
        self, ids: Sequence[Int[Array, "batch _"]], *, one_by_one: bool = False
    ) -> tuple[Float[Array, "batch _ _"], ...]:
        """Returns the rows of each slot: [batch, m_i] -> [batch, m_i, dim_i].

        Ids are in range by construction, so no bounds are checked.

        Args:
          ids: row numbers, one array per slot.
          one_by_one: whether every slot is looked up for itself, which is slower, but lets XLA add up rows as it reads
            them: for a sum, in inference.
        """
        if isinstance(self.dim, tuple):
            return tuple(
                look_up(table, slot_ids).astype(self.dtype)
                for table, slot_ids in zip(self.tables, ids, strict=True)
            )
        shifted = [slot_ids + start for slot_ids, start in zip(ids, self._starts(), strict=True)]
        if one_by_one:
            return tuple(look_up(self.table, slot_ids).astype(self.dtype) for slot_ids in shifted)
        rows = look_up(self.table, jnp.concatenate(shifted, axis=1)).astype(self.dtype)
        return tuple(jnp.split(rows, np.cumsum([s.shape[1] for s in shifted])[:-1], axis=1))

    def multiply(self, features: Sequence[Float[Array, "batch _"]]) -> tuple[Float[Array, "batch _"], ...]:
        """Returns each slot's features times its table: [batch, num_rows[i]] -> [batch, dim_i]."""
        if isinstance(self.dim, tuple):
            tables = [table[...] for table in self.tables]
        else:
            tables = jnp.split(self.table[...], self._starts()[1:])
        return tuple(
            x.astype(self.dtype) @ table.astype(self.dtype) for x, table in zip(features, tables, strict=True)
        )

    def _starts(self) -> list[int]:
        return list(itertools.accumulate(self.num_rows, initial=0))[:-1]
