"""Embedding tables for the slots of a bag: one table that all slots share, or one of its own for each."""

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Bool, Float, Int


class Embedding(nnx.Module):
    """Looks up one vector per slot: mean + table[id].

    The constant `mean` is kept out of the table, so that weight decay draws vectors towards it. For a product, whose
    embeddings live around one, decay towards zero would be decay towards a dead network.

    Attributes:
      num_rows: rows of one table, padding and unknown included.
      num_slots: the largest number of slots of an example.
      dim: the width of a vector; a tuple of one width per slot where they differ (needs a table per slot).
      table: [num_rows, dim] where the slots share it; [num_slots * num_rows, dim] where each has its own.
      tables: with unequal widths, one [num_rows, dim_i] per slot.
    """

    def __init__(
        self,
        *,
        num_rows: int,
        num_slots: int,
        dim: int | tuple[int, ...],
        table_per_slot: bool = False,
        mean: float = 0.0,
        scale: float = 1.0,
        dtype: jnp.dtype = jnp.float32,
        rngs: nnx.Rngs,
    ):
        """Draws the tables from a normal distribution.

        Args:
          num_rows: rows of one table.
          num_slots: the largest number of slots.
          dim: the width of a vector, or one width per slot.
          table_per_slot: whether each slot has its own table.
          mean: the constant part of every vector.
          scale: standard deviation of the initial tables, whose mean is zero.
          dtype: of the vectors that come out; the tables themselves are float32.
          rngs: the source of the initial values.

        Raises:
          ValueError: for unequal widths in a shared table.
        """
        if isinstance(dim, tuple) and not table_per_slot:
            raise ValueError(
                f"slots of different widths {dim} cannot share one table: set model.table_per_slot"
            )
        self.num_rows, self.num_slots, self.dim = num_rows, num_slots, dim
        self.table_per_slot = table_per_slot
        self.mean = mean
        self.dtype = dtype

        def draw(rows: int, width: int) -> Float[Array, "rows width"]:
            return scale * jax.random.normal(rngs.params(), (rows, width))

        if isinstance(dim, tuple):
            self.tables = nnx.List([nnx.Param(draw(num_rows, width)) for width in dim])
        else:
            self.table = nnx.Param(draw(num_rows * (num_slots if table_per_slot else 1), dim))

    def __call__(
        self, ids: Int[Array, "*batch n"]
    ) -> Float[Array, "*batch n dim"] | tuple[Float[Array, "*batch _"], ...]:
        """Returns the vector of each id: [..., n, dim], or n arrays [..., dim_i] where the widths differ.

        Ids are in range by construction, so no bounds are checked.
        """
        n = ids.shape[-1]
        if isinstance(self.dim, tuple):
            return tuple(self._vectors(self.tables[i][...], ids[..., i]) for i in range(n))
        if self.table_per_slot:
            ids = ids + self.num_rows * jnp.arange(n, dtype=ids.dtype)
        return self._vectors(self.table[...], ids)

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
            start = i * self.num_rows if self.table_per_slot else 0
            row = self._vectors(self.table[...], ids[..., i] + start)
            if weights is not None:
                row = row * weights[..., i, None]
            total += jnp.where(mask[..., i, None], row, 0)
        return total

    def _vectors(
        self, table: Float[Array, "rows dim"], ids: Int[Array, "*batch"]
    ) -> Float[Array, "*batch dim"]:
        rows = table.at[ids].get(mode="promise_in_bounds").astype(self.dtype)
        return rows + self.mean if self.mean else rows
