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

from .objectives import HIGHER_IS_BETTER, classification_metrics
from .optimizers import LearningRate

# One split: the model's inputs, "targets" and "bucket" (index into Program.widths), each with a leading example axis.
# A batch has "present" besides: 0 for examples that only fill it up.
Arrays = Mapping[str, Array]
_NOT_INPUTS = ("targets", "bucket", "present")


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
      combined_width: the width of the vector that its combiner makes.
      variable_length: whether it accepts examples with fewer slots than the longest.
    """

    graphdef: nnx.GraphDef
    init: Callable[[nnx.Rngs], Variables]
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
) -> tuple[Float[Array, ""], dict[str, Float[Array, ""]]]:
    """Returns the mean loss of a batch and the sum of every metric over it.

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
    metrics = classification_metrics(outputs, batch["targets"])
    sums = {name: jnp.sum(batch["present"] * values) for name, values in metrics.items()}
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
) -> tuple[nnx.State, Any, dict[str, Float[Array, ""]]]:
    """Takes one optimiser step on a batch trimmed to program.widths[width_index].

    Returns:
      Parameters, optimiser state and the batch's metric sums before the step.
    """
    differentiate = jax.value_and_grad(forward_with_loss, has_aux=True)

    def at_width(batch: Arrays) -> Any:
        return differentiate(params, fixed, batch, program.network, key)

    (_, sums), grads = _switch_width(at_width, batch, width_index, program)
    updates, opt_state = program.optimizer(learning_rate).update(grads, opt_state, params)
    return optax.apply_updates(params, updates), opt_state, sums


def train_epoch(
    state: TrainState, epoch: Int[Array, ""], train: Arrays, validation: Arrays, program: Program
) -> tuple[TrainState, dict[str, dict[str, Float[Array, ""]]]]:
    """Trains one replica for an epoch and measures it on validation.

    A replica that is not active comes back unchanged, with NaN for metrics.

    Args:
      state: of the replica.
      epoch: epochs done, the same for all active replicas; the order of the batches' widths depends on it alone.
      train: the training split.
      validation: the validation split.
      program: what is fixed.

    Returns:
      The state, and {"train": metrics, "validation": metrics}, each a mean over the split. Training metrics are those
      of the steps as they happened, dropout included.
    """

    def run(state: TrainState) -> tuple[TrainState, dict[str, dict[str, Float[Array, ""]]]]:
        num_examples = len(train["targets"])
        order_key, dropout_key = jax.random.split(
            jax.random.fold_in(jax.random.key(state.seed), 1 + state.epoch)
        )
        batches = batch_indices(train["bucket"], program.batch_size, order_key)
        # Every replica meets the widths in the same order, so that under vmap the choice of width stays a choice.
        turn = jax.random.permutation(jax.random.fold_in(jax.random.key(0), epoch), len(batches.rows))
        batches = jax.tree.map(lambda array: array[turn], batches)

        def step(carry: Any, scanned: Any) -> tuple[Any, dict[str, Float[Array, ""]]]:
            params, opt_state, step, diverged_step = carry
            batch, index = scanned
            params, opt_state, sums = train_step(
                params,
                state.fixed,
                opt_state,
                batch_at(train, batch),
                batch.width_index,
                jax.random.fold_in(dropout_key, index),
                state.learning_rate,
                program,
            )
            is_first_failure = ~jnp.isfinite(sums["loss"]) & (diverged_step < 0)
            diverged_step = jnp.where(is_first_failure, step, diverged_step)
            return (params, opt_state, step + 1, diverged_step), sums

        (params, opt_state, step, diverged_step), sums = jax.lax.scan(
            step,
            (state.params, state.opt_state, state.step, state.diverged_step),
            (batches, jnp.arange(len(turn))),
        )
        metrics = {
            "train": {name: jnp.sum(values) / num_examples for name, values in sums.items()},
            "validation": evaluate(Variables(params, state.fixed), validation, program),
        }
        # The last step's parameters show in no training loss, only here.
        failed_last = ~jnp.isfinite(metrics["validation"]["loss"]) & (diverged_step < 0)
        diverged_step = jnp.where(failed_last, step - 1, diverged_step)

        score = metrics["validation"][program.monitor] * (1 if HIGHER_IS_BETTER[program.monitor] else -1)
        is_best = (score > state.best_score) & (diverged_step < 0)
        done = state.epoch + 1
        return state._replace(
            step=step,
            epoch=done,
            params=params,
            opt_state=opt_state,
            best_params=jax.tree.map(
                lambda new, old: jnp.where(is_best, new, old), params, state.best_params
            ),
            best_score=jnp.where(is_best, score, state.best_score),
            best_epoch=jnp.where(is_best, done, state.best_epoch),
            diverged_step=diverged_step,
        ), metrics

    def rest(state: TrainState) -> tuple[TrainState, dict[str, dict[str, Float[Array, ""]]]]:
        nothing = {name: jnp.float32(jnp.nan) for name in HIGHER_IS_BETTER}
        return state, {"train": nothing, "validation": nothing}

    return jax.lax.cond(is_active(state, program), run, rest, state)


def evaluate(variables: Variables, split: Arrays, program: Program) -> dict[str, Float[Array, ""]]:
    """Returns the mean of every metric over a split."""
    num_examples = len(split["targets"])

    def step(_: None, batch: Batches) -> tuple[None, dict[str, Float[Array, ""]]]:
        def at_width(batch: Arrays) -> Any:
            return forward_with_loss(*variables, batch, program.network)

        return None, _switch_width(at_width, batch_at(split, batch), batch.width_index, program)[1]

    batches = batch_indices(split["bucket"], program.batch_size)
    _, sums = jax.lax.scan(step, None, batches)
    return {name: jnp.sum(values) / num_examples for name, values in sums.items()}


def predict_batch(variables: Variables, inputs: Arrays, network: Network) -> Float[Array, "batch out"]:
    """Returns the outputs for one batch of inputs, in evaluation mode."""
    return nnx.merge(network.graphdef, *variables)(inputs)


class Batches(NamedTuple):
    """Which examples make a batch, and how many slots they need; in a scan, one batch of them."""

    rows: Int[Array, "*steps batch"]
    present: Float[Array, "*steps batch"]
    width_index: Int[Array, "*steps"]


def batch_indices(bucket: Int[Array, " examples"], batch_size: int, key: Array | None = None) -> Batches:
    """Cuts examples into batches of about equal length, shortest first.

    Args:
      bucket: of every example.
      batch_size: examples per batch; the last batch is filled up with example 0, marked as not present.
      key: of the order within a bucket; None keeps that of the split. How many batches need which width does not
        depend on it.
    """
    num_examples = len(bucket)
    steps = -(-num_examples // batch_size)
    missing = steps * batch_size - num_examples
    # One sort groups and shuffles at once: sorting is most of what an epoch costs beside its steps.
    order_in_bucket = (
        jnp.zeros_like(bucket, jnp.uint32) if key is None else jax.random.bits(key, bucket.shape)
    )
    rows = jax.lax.sort((bucket, order_in_bucket, jnp.arange(num_examples)), num_keys=2)[-1]
    longest = jnp.pad(jnp.sort(bucket), (0, missing), mode="edge").reshape(steps, batch_size)[:, -1]
    present = jnp.arange(steps * batch_size) < num_examples
    return Batches(
        rows=jnp.pad(rows, (0, missing)).reshape(steps, batch_size),
        present=present.astype(jnp.float32).reshape(steps, batch_size),
        width_index=longest,
    )


def batch_at(split: Arrays, batch: Batches) -> Arrays:
    """Gathers one batch from a split that lies in device memory."""
    rows = {name: array.at[batch.rows].get(mode="promise_in_bounds") for name, array in split.items()}
    return {**rows, "present": batch.present}


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
    if mode == "auto":
        mode = "map" if jax.default_backend() == "cpu" else "vmap"
    if mode == "map":
        return lambda replicas, *shared: jax.lax.map(lambda replica: function(replica, *shared), replicas)
    return lambda replicas, *shared: jax.vmap(lambda replica: function(replica, *shared))(replicas)


def check_replica_mode(mode: str) -> None:
    """Raises ValueError unless `replicate` knows the mode."""
    if mode not in ("auto", "map", "vmap"):
        raise ValueError(f"engine.replicas must be auto, map or vmap, got {mode!r}")
