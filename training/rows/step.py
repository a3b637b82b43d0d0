"""One optimiser step that differentiates with respect to the rows a batch looks up, and writes no others."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from jaxtyping import Array, Float, Int

from models.row_tables import RowReader, RowTable

from .duplicates import sum_duplicates
from .optimizer import Clock, RowOptimizer, Rows

Loss = Callable[[nnx.State], tuple[Float[Array, ""], Any]]  # parameters -> loss, and what else comes with it


class RowState(NamedTuple):
    """The optimiser's state, but for what lies in the rows of the tables.

    Attributes:
      clock: of the rows.
      others: optax's state of the parameters that are no tables.
      slots: scratch of `sum_duplicates`, by name of the table.
    """

    clock: Clock
    others: Any
    slots: dict[str, Int[Array, " rows"]]


class Lookups(NamedTuple):
    """What a step reads of a table: ids, their rows, and the gradient of the loss with respect to their vectors."""

    ids: Int[Array, " n"]
    rows: Rows
    gradient: Float[Array, "n width"]


class Gradients(NamedTuple):
    """What `differentiate` returns: of the parameters that are no tables, and of what was looked up in each table."""

    others: nnx.State
    tables: dict[str, Lookups]


class _PackedRows(RowReader):
    """Reads the vectors of rows, and remembers what was looked up if a list is given for it."""

    def __init__(
        self,
        table: Float[Array, "rows packed"],
        optimizer: RowOptimizer,
        clock: Clock,
        found: list[tuple[Int[Array, " n"], Rows]] | None = None,
    ):
        self._table, self._optimizer, self._clock, self._found = table, optimizer, clock, found

    def look_up(self, ids: Int[Array, "*places"]) -> Float[Array, "*places width"]:
        flat = ids.reshape(-1)
        packed = self._table.at[flat].get(mode="promise_in_bounds")
        rows = self._optimizer.read(packed, self._clock)
        if self._found is not None:
            self._found.append((flat, rows))
        return rows.vectors.reshape(*ids.shape, -1)


class _GivenRows(RowReader):
    """Hands out vectors in the order in which they were looked up before."""

    def __init__(self, vectors: list[Array]):
        self._vectors = iter(vectors)

    def look_up(self, ids: Int[Array, "*places"]) -> Float[Array, "*places width"]:
        return next(self._vectors).reshape(*ids.shape, -1)


def pack(params: nnx.State, optimizer: RowOptimizer) -> nnx.State:
    """Returns parameters whose tables hold the optimiser's state beside every vector."""
    tables, others = nnx.split_state(params, RowTable, ...)
    return nnx.merge_state(jax.tree.map(optimizer.pack, tables), others)


def init_rows(
    params: nnx.State,
    optimizer: RowOptimizer,
    others: optax.GradientTransformation,
    learning_rate: Float[Array, ""] | float,
) -> RowState:
    """Returns the state before the first step of parameters, packed or not."""
    tables, rest = nnx.split_state(params, RowTable, ...)
    slots = {name: jnp.zeros(len(table), jnp.int32) for name, table in _by_name(tables).items()}
    return RowState(optimizer.start_clock(learning_rate), others.init(rest), slots)


def readable(params: nnx.State, state: RowState, optimizer: RowOptimizer) -> nnx.State:
    """Returns packed parameters as a model can read them."""
    return _with_tables(params, lambda _, table: _PackedRows(table, optimizer, state.clock))


def unpack(params: nnx.State, state: RowState, optimizer: RowOptimizer) -> nnx.State:
    """Returns packed parameters as arrays of vectors."""
    tables, others = nnx.split_state(params, RowTable, ...)
    return nnx.merge_state(
        jax.tree.map(lambda table: optimizer.read(table, state.clock).vectors, tables), others
    )


def differentiate(
    loss: Loss, params: nnx.State, state: RowState, optimizer: RowOptimizer
) -> tuple[Any, Gradients]:
    """Returns what comes with the loss, and its gradient by the rows that it looks up and by all other parameters."""
    tables, others = nnx.split_state(params, RowTable, ...)
    found: dict[str, list[tuple[Int[Array, " n"], Rows]]] = {name: [] for name in _by_name(tables)}
    # Only what it looks up is used of this first call; the compiler drops the rest.
    loss(_with_tables(params, lambda name, table: _PackedRows(table, optimizer, state.clock, found[name])))
    vectors = {name: [rows.vectors for _, rows in lookups] for name, lookups in found.items()}

    def loss_of(vectors: dict[str, list[Array]], others: nnx.State) -> tuple[Float[Array, ""], Any]:
        readers = _with_tables(tables, lambda name, _: _GivenRows(vectors[name]))
        return loss(nnx.merge_state(readers, others))

    (_, besides), (gradients, gradient_of_others) = jax.value_and_grad(loss_of, argnums=(0, 1), has_aux=True)(
        vectors, others
    )
    lookups = {
        name: Lookups(
            jnp.concatenate([ids for ids, _ in of_table]),
            jax.tree.map(lambda *parts: jnp.concatenate(parts), *[rows for _, rows in of_table]),
            jnp.concatenate(gradients[name]),
        )
        for name, of_table in found.items()
        if of_table
    }
    return besides, Gradients(gradient_of_others, lookups)


def pad(gradients: Gradients, like: Gradients) -> Gradients:
    """Returns gradients of a shorter batch with as many places as those of a longer one."""

    def padded(short: Lookups, long: Lookups) -> Lookups:
        missing = len(long.ids) - len(short.ids)
        nothing = jnp.iinfo(jnp.int32).max
        return Lookups(
            jnp.pad(short.ids, (0, missing), constant_values=nothing),
            *jax.tree.map(lambda array: jnp.pad(array, ((0, missing), (0, 0))), short[1:]),
        )

    tables = {name: padded(lookups, like.tables[name]) for name, lookups in gradients.tables.items()}
    return gradients._replace(tables=tables)


def apply(
    gradients: Gradients,
    params: nnx.State,
    state: RowState,
    optimizer: RowOptimizer,
    others: optax.GradientTransformation,
    learning_rate: Float[Array, ""] | float,
) -> tuple[nnx.State, RowState]:
    """Returns packed parameters and the state after a step.

    Args:
      gradients: of `differentiate`.
      params: before the step, packed.
      state: before the step.
      optimizer: of the rows.
      others: of all other parameters.
      learning_rate: the peak.
    """
    summed, slots = {}, dict(state.slots)
    for name, lookups in gradients.tables.items():
        ids, gradient, slots[name] = sum_duplicates(lookups.ids, lookups.gradient, slots[name])
        summed[name] = lookups._replace(ids=ids, gradient=gradient)
    rest = gradients.others
    if optimizer.clip_norm is not None:
        norm = optax.tree.norm((rest, [lookups.gradient for lookups in summed.values()]))
        factor = jnp.where(norm < optimizer.clip_norm, 1.0, optimizer.clip_norm / norm)
        rest = jax.tree.map(lambda g: factor * g, rest)
        summed = {name: one._replace(gradient=factor * one.gradient) for name, one in summed.items()}

    after = optimizer.advance(state.clock, learning_rate)

    def written(name: str, table: Float[Array, "rows packed"]) -> Float[Array, "rows packed"]:
        if name not in summed:
            return table
        ids, rows, gradient = summed[name]
        packed = optimizer.update(rows, gradient, state.clock, after, learning_rate)
        return table.at[ids].set(packed, mode="drop", unique_indices=True)

    _, params_of_others = nnx.split_state(params, RowTable, ...)
    updates, state_of_others = others.update(rest, state.others, params_of_others)
    params_of_others = optax.apply_updates(params_of_others, updates)
    tables, _ = nnx.split_state(_with_tables(params, written), RowTable, ...)
    return nnx.merge_state(tables, params_of_others), RowState(after, state_of_others, slots)


def _by_name(tables: nnx.State) -> dict[str, Array]:
    """Returns the tables of some parameters by their names."""
    flat = dict(nnx.to_flat_state(tables))
    return {_name(path): leaf.get_value() for path, leaf in flat.items() if isinstance(leaf, RowTable)}


def _with_tables(params: nnx.State, replace: Callable[[str, Any], Any]) -> nnx.State:
    """Returns parameters with something else in place of each table."""
    flat: Mapping[Any, nnx.Variable] = dict(nnx.to_flat_state(params))
    return nnx.from_flat_state(
        {
            path: leaf.replace(replace(_name(path), leaf.get_value())) if isinstance(leaf, RowTable) else leaf
            for path, leaf in flat.items()
        }
    )


def _name(path: tuple[Any, ...]) -> str:
    return "/".join(str(key) for key in path)
