"""The compiled engine: whole epochs of all replicas in one program. Pure functions over pytrees.

A replica is one seed with one learning rate. Everything here is written for a single replica; `replicate` gives it a
leading replica axis. A replica's random numbers depend on its own seed alone, so it comes to the same result alone
and in company.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from jaxtyping import Array, Bool, Float, Int, UInt32

from .batches import Arrays, Batches, Chunk, batch_at, batch_indices
from .objectives import Objective
from .optimizers import LearningRate

_NOT_INPUTS = ("targets", "bucket", "present")
Sums = dict[str, Array]  # what the objective averages -> its sum over a batch
EpochMetrics = dict[str, dict[str, Array]]  # split -> metric -> value


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
    """

    graphdef: nnx.GraphDef
    init: Callable[[nnx.Rngs], Variables]
    objective: Objective
    combined_width: int
    variable_length: bool


@dataclasses.dataclass(frozen=True)
class Program:
    """What is fixed when the engine is compiled.

    Attributes:
      network: the model's structure and how its variables start.
      optimizer: learning rate -> optax optimiser.
      batch_size: examples per step.
      monitor: the validation metric that picks the best epoch.
      patience: epochs without a new best after which a replica stops.
      widths: numbers of slots, rising, that batches are trimmed to: a batch of short examples does not pay for the
        padding that the longest one needs. One width means no trimming.
    """

    network: Network
    optimizer: Callable[[LearningRate], optax.GradientTransformation]
    batch_size: int
    monitor: str
    patience: int
    widths: tuple[int, ...]


class TrainState(NamedTuple):
    """Everything that changes while one replica trains, and the two numbers that tell replicas apart."""

    seed: UInt32[Array, ""]
    learning_rate: Float[Array, ""]
    step: Int[Array, ""]
    epoch: Int[Array, ""]
    params: nnx.State
    fixed: nnx.State
    opt_state: Any
    best_params: nnx.State
    best_score: Float[Array, ""]  # of the monitored metric, its sign turned so that higher is better
    best_epoch: Int[Array, ""]  # counted from 1; 0 = none yet
    diverged_step: Int[Array, ""]  # the step whose loss was not finite; -1 = none


def init_state(seed: UInt32[Array, ""], learning_rate: Float[Array, ""], program: Program) -> TrainState:
    """Returns a replica before its first step."""
    params, fixed = program.network.init(nnx.Rngs(params=jax.random.fold_in(jax.random.key(seed), 0)))
    return TrainState(
        seed=seed,
        learning_rate=learning_rate,
        step=jnp.int32(0),
        epoch=jnp.int32(0),
        params=params,
        fixed=fixed,
        opt_state=program.optimizer(learning_rate).init(params),
        best_params=jax.tree.map(jnp.copy, params),
        best_score=jnp.float32(-jnp.inf),
        best_epoch=jnp.int32(0),
        diverged_step=jnp.int32(-1),
    )


def is_active(state: TrainState, program: Program) -> Bool[Array, "*replicas"]:
    """Returns whether a replica still trains: neither diverged nor out of patience."""
    return (state.diverged_step < 0) & (state.epoch - state.best_epoch < program.patience)


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
    differentiate = jax.value_and_grad(forward_with_loss, has_aux=True)

    def at_width(batch: Arrays) -> Any:
        return differentiate(params, fixed, batch, program.network, key)

    (_, sums), grads = _switch_width(at_width, batch, width_index, program)
    updates, opt_state = program.optimizer(learning_rate).update(grads, opt_state, params)
    return optax.apply_updates(params, updates), opt_state, sums


def train_epoch(
    state: TrainState, epoch: Int[Array, ""], train: Arrays, validation: Arrays, program: Program
) -> tuple[TrainState, EpochMetrics]:
    """Trains one replica for an epoch on a split that lies in device memory, and measures it on validation.

    A replica that is not active comes back unchanged, with NaN for metrics.

    Args:
      state: of the replica.
      epoch: epochs done, the same for all active replicas; the order of the batches' widths depends on it alone.
      train: the training split.
      validation: the validation split.
      program: what is fixed.

    Returns:
      The state, and {"train": metrics, "validation": metrics}. Training metrics are those of the steps as they
      happened, dropout included.
    """

    def run(state: TrainState) -> tuple[TrainState, EpochMetrics]:
        batches = plan_epoch(state, epoch, train["bucket"], program)
        state, train_sums = take_steps(state, batches, 0, lambda batch: batch_at(train, batch), program)
        variables = Variables(state.params, state.fixed)
        sums = {"train": train_sums, "validation": evaluation_sums(variables, validation, program)}
        targets = {"train": train["targets"], "validation": validation["targets"]}
        return finish_epoch(state, sums, targets, program)

    return jax.lax.cond(is_active(state, program), run, lambda state: (state, no_metrics(program)), state)


def plan_epoch(
    state: TrainState, epoch: Int[Array, ""], bucket: Int[Array, " examples"], program: Program
) -> Batches:
    """Returns the batches of a replica's next epoch, in their order."""
    order_key, _ = _epoch_keys(state)
    batches = batch_indices(bucket, program.batch_size, order_key)
    # Every replica meets the widths in the same order, so that under vmap the choice of width stays a choice.
    turn = jax.random.permutation(jax.random.fold_in(jax.random.key(0), epoch), len(batches.rows))
    return jax.tree.map(lambda array: array[turn], batches)


def take_steps(
    state: TrainState,
    batches: Batches | Chunk,
    first: Int[Array, ""] | int,
    examples: Callable[[Any], Arrays],
    program: Program,
) -> tuple[TrainState, Sums]:
    """Takes one step per batch.

    Args:
      state: of the replica.
      batches: consecutive ones of its epoch.
      first: the place in the epoch of the first of them.
      examples: one batch of them -> its arrays, "present" included.
      program: what is fixed.

    Returns:
      The state, with step and diverged_step counted on, and every step's sums [steps].
    """
    _, dropout_key = _epoch_keys(state)

    def step(carry: Any, scanned: Any) -> tuple[Any, Sums]:
        params, opt_state, step, diverged_step = carry
        batch, index = scanned
        params, opt_state, sums = train_step(
            params,
            state.fixed,
            opt_state,
            examples(batch),
            batch.width_index,
            jax.random.fold_in(dropout_key, index),
            state.learning_rate,
            program,
        )
        is_first_failure = ~jnp.isfinite(sums["loss"]) & (diverged_step < 0)
        diverged_step = jnp.where(is_first_failure, step, diverged_step)
        return (params, opt_state, step + 1, diverged_step), sums

    carry = (state.params, state.opt_state, state.step, state.diverged_step)
    indices = first + jnp.arange(len(batches.width_index))
    (params, opt_state, steps, diverged_step), sums = jax.lax.scan(step, carry, (batches, indices))
    return state._replace(params=params, opt_state=opt_state, step=steps, diverged_step=diverged_step), sums


def finish_epoch(
    state: TrainState, sums: Mapping[str, Sums], targets: Mapping[str, Array], program: Program
) -> tuple[TrainState, EpochMetrics]:
    """Counts the epoch, and keeps the parameters if they are the best so far.

    Args:
      state: after the epoch's last step.
      sums: of "train" and "validation", each [steps].
      targets: of both splits, whole.
      program: what is fixed.
    """
    objective = program.network.objective
    metrics = {
        split: objective.summarise(
            {name: jnp.sum(values) / len(targets[split]) for name, values in sums[split].items()},
            targets[split],
        )
        for split in ("train", "validation")
    }
    # The last step's parameters show in no training loss, only here.
    failed_last = ~jnp.isfinite(metrics["validation"]["loss"]) & (state.diverged_step < 0)
    diverged_step = jnp.where(failed_last, state.step - 1, state.diverged_step)
    sign = 1 if objective.higher_is_better[program.monitor] else -1
    score = sign * metrics["validation"][program.monitor]
    is_best = (score > state.best_score) & (diverged_step < 0)
    done = state.epoch + 1
    return state._replace(
        epoch=done,
        best_params=jax.tree.map(
            lambda new, old: jnp.where(is_best, new, old), state.params, state.best_params
        ),
        best_score=jnp.where(is_best, score, state.best_score),
        best_epoch=jnp.where(is_best, done, state.best_epoch),
        diverged_step=diverged_step,
    ), metrics


def no_metrics(program: Program) -> EpochMetrics:
    """Returns NaN for every metric: of a replica that rests."""
    nothing = {name: jnp.float32(jnp.nan) for name in program.network.objective.higher_is_better}
    return {"train": nothing, "validation": nothing}


def evaluation_sums(variables: Variables, split: Arrays, program: Program) -> Sums:
    """Returns the sums over every batch [steps] of a split that lies in device memory."""
    batches = batch_indices(split["bucket"], program.batch_size)
    return evaluate_steps(variables, batches, lambda batch: batch_at(split, batch), program)


def evaluate_steps(
    variables: Variables, batches: Batches | Chunk, examples: Callable[[Any], Arrays], program: Program
) -> Sums:
    """Returns the sums over each of some batches [steps]; see `take_steps`."""

    def step(_: None, batch: Any) -> tuple[None, Sums]:
        def at_width(arrays: Arrays) -> Any:
            return forward_with_loss(*variables, arrays, program.network)

        return None, _switch_width(at_width, examples(batch), batch.width_index, program)[1]

    return jax.lax.scan(step, None, batches)[1]


def _epoch_keys(state: TrainState) -> tuple[Array, Array]:
    """Returns the random keys of a replica's epoch: of its order, and of its dropout."""
    order_key, dropout_key = jax.random.split(jax.random.fold_in(jax.random.key(state.seed), 1 + state.epoch))
    return order_key, dropout_key


def predict_batch(variables: Variables, inputs: Arrays, network: Network) -> Float[Array, "batch out"]:
    """Returns the outputs for one batch of inputs, in evaluation mode."""
    return nnx.merge(network.graphdef, *variables)(inputs)


def _switch_width(
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


def replicate(function: Callable[..., Any], mode: str) -> Callable[..., Any]:
    """Gives a function of (replica, *shared arguments) a leading replica axis on its first argument and its results.

    Args:
      function: of one replica.
      mode: 'vmap' runs the replicas side by side in every operation, which fills a GPU; 'map' runs one after the
        other inside the same program, which on a CPU keeps each replica's tables in cache; 'auto' chooses by device.

    Raises:
      ValueError: for another mode.
    """
    check_replica_mode(mode)
    if replica_mode(mode) == "map":
        return lambda replicas, *shared: _map(lambda replica: function(replica, *shared), replicas)
    return lambda replicas, *shared: jax.vmap(lambda replica: function(replica, *shared))(replicas)


def _map(function: Callable[[Any], Any], replicas: Any) -> Any:
    if len(jax.tree.leaves(replicas)[0]) > 1:
        return jax.lax.map(function, replicas)
    # A loop's carry is a copy of the replica, and its output another; alone, it is updated in place.
    alone = function(jax.tree.map(lambda leaf: leaf[0], replicas))
    return jax.tree.map(lambda leaf: leaf[None], alone)


def replica_mode(mode: str) -> str:
    """Returns which of 'map' and 'vmap' a mode of `replicate` stands for on this device."""
    if mode != "auto":
        return mode
    return "map" if jax.default_backend() == "cpu" else "vmap"


def check_replica_mode(mode: str) -> None:
    """Raises ValueError unless `replicate` knows the mode."""
    if mode not in ("auto", "map", "vmap"):
        raise ValueError(f"engine.replicas must be auto, map or vmap, got {mode!r}")
