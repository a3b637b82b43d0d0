"""One step of one replica: the loss of a batch, its gradients, the optimiser. Pure functions over pytrees."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from jaxtyping import Array, Float, Int

from . import rows
from .batches import Arrays
from .objectives import Objective
from .optimizers import LearningRate
from .precision import matmul_precision

_NOT_INPUTS = ("targets", "bucket", "present")
Sums = dict[str, Array]  # what the objective averages -> its sum over a batch


class Variables(NamedTuple):
    """The arrays of a model: those that are trained, and those that never change (a fixed random role, say)."""

    params: nnx.State
    fixed: nnx.State


@dataclasses.dataclass(frozen=True)
class Network:
    """A model without its arrays.

    Attributes:
      graphdef: the structure.
      init: rngs -> the variables of a new model.
      objective: what its outputs mean.
      combined_width: the width of the vector that its combiner makes.
      variable_length: whether it accepts examples with fewer slots than the longest.
      num_rows: of all its tables that are trained and looked up.
      precision: of matrix products; see training/precision.py.
    """

    graphdef: nnx.GraphDef
    init: Callable[[nnx.Rngs], Variables]
    objective: Objective
    combined_width: int
    variable_length: bool
    num_rows: int
    precision: str = "default"


@dataclasses.dataclass(frozen=True)
class Program:
    """What is fixed when the engine is compiled.

    Attributes:
      network: the model's structure and how its variables start.
      optimizer: learning rate -> optax optimiser; of all parameters, or of those that are no tables.
      rows: the optimiser of the tables, where a step touches the rows alone that its batch looks up.
      batch_size: examples per step.
      monitor: the validation metric that picks the best epoch.
      patience: epochs without a new best after which a replica stops.
      widths: numbers of slots, rising, that batches are trimmed to: a batch of short examples does not pay for the
        padding that the longest one needs. One width means no trimming.
      divide_batch: has a batch divided over devices, where there are several; see training/devices.py.
      choose: as jax.lax.cond: (whether a replica trains, its training, its rest, its state) -> the result of one of the
        two; see training/replication.py.
    """

    network: Network
    optimizer: Callable[[LearningRate], optax.GradientTransformation]
    rows: rows.RowOptimizer | None
    batch_size: int
    monitor: str
    patience: int
    widths: tuple[int, ...]
    divide_batch: Callable[[Arrays], Arrays] = lambda batch: batch
    choose: Callable[..., Any] = jax.lax.cond


def forward_with_loss(
    params: nnx.State, fixed: nnx.State, batch: Arrays, network: Network, key: Array | None = None
) -> tuple[Float[Array, ""], Sums]:
    """Returns the mean loss of a batch, and the sums over it of what the objective averages.

    Args:
      params: what is differentiated.
      fixed: the model's other arrays.
      batch: inputs, "targets" and "present".
      network: the model.
      key: of the dropout in training; None to evaluate.
    """
    model = nnx.merge(network.graphdef, params, fixed)
    inputs = {name: array for name, array in batch.items() if name not in _NOT_INPUTS}
    with matmul_precision(network.precision):
        outputs = model(inputs, rngs=None if key is None else nnx.Rngs(dropout=key))
    values = network.objective.per_example(outputs, batch["targets"])
    # Selected, not multiplied: what fills a batch up may be anything.
    sums = {name: jnp.sum(jnp.where(batch["present"] > 0, v, 0)) for name, v in values.items()}
    return sums["loss"] / jnp.sum(batch["present"]), sums


def train_step(
    params: nnx.State,
    fixed: nnx.State,
    opt_state: Any,
    batch: Arrays,
    width_index: Int[Array, ""],
    key: Array,
    learning_rate: LearningRate,
    program: Program,
) -> tuple[nnx.State, Any, Sums]:
    """Takes one optimiser step on a batch trimmed to program.widths[width_index].

    Returns:
      Parameters, optimiser state and the batch's sums before the step.
    """
    take = _dense_step if program.rows is None else _row_step
    return take(params, fixed, opt_state, batch, width_index, key, learning_rate, program)


def _dense_step(
    params: nnx.State,
    fixed: nnx.State,
    opt_state: Any,
    batch: Arrays,
    width_index: Int[Array, ""],
    key: Array,
    learning_rate: LearningRate,
    program: Program,
) -> tuple[nnx.State, Any, Sums]:
    """Takes a step that updates every parameter."""
    differentiate = jax.value_and_grad(forward_with_loss, has_aux=True)

    def at_width(batch: Arrays) -> Any:
        return differentiate(params, fixed, batch, program.network, key)

    (_, sums), grads = switch_width(at_width, batch, width_index, program)
    with jax.named_scope("optimiser"):
        updates, opt_state = program.optimizer(learning_rate).update(grads, opt_state, params)
        return optax.apply_updates(params, updates), opt_state, sums


def _row_step(
    params: nnx.State,
    fixed: nnx.State,
    opt_state: rows.RowState,
    batch: Arrays,
    width_index: Int[Array, ""],
    key: Array,
    learning_rate: LearningRate,
    program: Program,
) -> tuple[nnx.State, rows.RowState, Sums]:
    """Takes a step that updates, of tables, the rows alone that the batch looks up."""

    def loss(batch: Arrays, params: nnx.State) -> tuple[Float[Array, ""], Sums]:
        return forward_with_loss(params, fixed, batch, program.network, key)

    def at_width(batch: Arrays) -> tuple[Sums, rows.Gradients]:
        of_batch = functools.partial(loss, batch)
        return rows.differentiate(of_batch, params, opt_state, program.rows)

    def padded(batch: Arrays) -> tuple[Sums, rows.Gradients]:
        sums, gradients = at_width(batch)
        return sums, rows.pad(gradients, widest)

    _, widest = jax.eval_shape(at_width, batch)
    # The tables are written outside the choice of width: inside, they would be copied.
    sums, gradients = switch_width(padded, batch, width_index, program)
    with jax.named_scope("optimiser"):
        params, opt_state = rows.apply(
            gradients, params, opt_state, program.rows, program.optimizer(learning_rate), learning_rate
        )
    return params, opt_state, sums


def predict_batch(variables: Variables, inputs: Arrays, network: Network) -> Float[Array, "batch out"]:
    """Returns the outputs for one batch of inputs, in evaluation mode."""
    with matmul_precision(network.precision):
        return nnx.merge(network.graphdef, *variables)(inputs)


def switch_width(
    function: Callable[[Arrays], Any], batch: Arrays, width_index: Int[Array, ""], program: Program
) -> Any:
    """Applies a function to a batch whose inputs [batch, slots, …] are trimmed to the width that it needs."""
    if len(program.widths) == 1:
        return function(batch)

    def trimmed(width: int) -> Callable[[Arrays], Any]:
        return lambda batch: function(
            {name: array if name in _NOT_INPUTS else array[:, :width] for name, array in batch.items()}
        )

    return jax.lax.switch(width_index, [trimmed(width) for width in program.widths], batch)
