"""Tables of which a step reads a few rows, and the one way that models read them in training."""

import abc
from typing import Any

from flax import nnx
from jaxtyping import Array, Float, Int


class RowTable(nnx.Param):
    """A table [rows, width] that training may touch in the rows alone that a batch looks up.

    A model with such a table reads it by `look_up`, and in no other way while it is trained.
    """


class RowReader(abc.ABC):
    """What may stand in a `RowTable` instead of an array, where rows are not just read from one."""

    @abc.abstractmethod
    def look_up(self, ids: Int[Array, "*places"]) -> Float[Array, "*places width"]:
        """Returns the rows of ids."""

    def __getitem__(self, index: Any) -> Array:
        raise TypeError(
            "a RowTable whose rows are trained one batch at a time is read by models.row_tables.look_up alone; "
            "optimizer.sparse=off trains it whole"
        )


def look_up(table: nnx.Variable, ids: Int[Array, "*places"]) -> Float[Array, "*places width"]:
    """Returns table[ids], the last axis being the table's.

    Args:
      table: a `RowTable`, or another variable that holds a table.
      ids: rows, in range by construction: no bounds are checked.
    """
    value = table.get_value()
    if isinstance(value, RowReader):
        return value.look_up(ids)
    return value.at[ids].get(mode="promise_in_bounds")
