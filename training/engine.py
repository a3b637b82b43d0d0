"""The compiled engine: whole epochs of all replicas in one program. Pure functions over pytrees.

A replica is one seed with one learning rate. Everything here is written for a single replica; `replicate` gives it a
leading replica axis. A replica's random numbers depend on its own seed alone, so it comes to the same result alone
and in company.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Bool, Float, Int, UInt32

from . import rows
from .batches import Arrays, Batches, Chunk, batch_at, batch_indices, epoch_keys
from .step import Program, Sums, Variables, forward_with_loss, switch_width, train_step

EpochMetrics = dict[str, dict[str, Array]]  # split -> metric -> value


class TrainState(NamedTuple):
    """Everything that changes while one replica trains, and the two numbers that tell replicas apart.

    Where tables are updated by row, the rows of `params` hold the optimiser's state besides (rows.RowOptimizer).
    """

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
    return begin(draw_variables(seed, program), seed, learning_rate, program)


def draw_variables(seed: UInt32[Array, ""], program: Program) -> Variables:
    """Returns the variables that a replica starts from."""
    return program.network.init(nnx.Rngs(params=jax.random.fold_in(jax.random.key(seed), 0)))


def begin(
    variables: Variables, seed: UInt32[Array, ""], learning_rate: Float[Array, ""], program: Program
) -> TrainState:
    """Returns a replica before its first step that starts from some variables."""
    params, fixed = variables
    optimizer = program.optimizer(learning_rate)
    return TrainState(
        seed=seed,
        learning_rate=learning_rate,
        step=jnp.int32(0),
        epoch=jnp.int32(0),
        params=params if program.rows is None else rows.pack(params, program.rows),
        fixed=fixed,
        opt_state=optimizer.init(params)
        if program.rows is None
        else rows.init_rows(params, program.rows, optimizer, learning_rate),
        best_params=jax.tree.map(jnp.copy, params),
        best_score=jnp.float32(-jnp.inf),
        best_epoch=jnp.int32(0),
        diverged_step=jnp.int32(-1),
    )


def start_from(state: TrainState, params: nnx.State, program: Program) -> TrainState:
    """Returns a replica before its first step that starts from other parameters."""
    trained = params if program.rows is None else rows.pack(params, program.rows)
    return state._replace(params=trained, best_params=jax.tree.map(jnp.copy, params))


def is_active(state: TrainState, program: Program) -> Bool[Array, "*replicas"]:
    """Returns whether a replica still trains: neither diverged nor out of patience."""
    return (state.diverged_step < 0) & (state.epoch - state.best_epoch < program.patience)


def train_epoch(
    replica: tuple[TrainState, Int[Array, "steps batch"]],
    shared: Batches,
    train: Arrays,
    validation: Arrays,
    program: Program,
) -> tuple[TrainState, EpochMetrics]:
    """Trains one replica for an epoch on a split that lies in device memory, and measures it on validation.

    A replica that is not active comes back unchanged, with NaN for metrics.

    Args:
      replica: its state, and the rows of its batches; see training/plans.py.
      shared: of its batches, what is the same for all replicas.
      train: the training split.
      validation: the validation split.
      program: what is fixed.

    Returns:
      The state, and {"train": metrics, "validation": metrics}. Training metrics are those of the steps as they
      happened, dropout included.
    """
    state, rows_of_batches = replica
    batches = shared._replace(rows=rows_of_batches)

    def run(state: TrainState) -> tuple[TrainState, EpochMetrics]:
        state, train_sums = take_steps(state, batches, 0, lambda batch: batch_at(train, batch), program)
        variables = current_variables(state, program)
        sums = {"train": train_sums, "validation": evaluation_sums(variables, validation, program)}
        targets = {"train": train["targets"], "validation": validation["targets"]}
        return finish_epoch(state, sums, targets, program)

    return program.choose(is_active(state, program), run, lambda state: (state, no_metrics(program)), state)


def current_variables(state: TrainState, program: Program) -> Variables:
    """Returns what a replica's model reads as it is now."""
    params = state.params
    if program.rows is not None:
        params = rows.readable(params, state.opt_state, program.rows)
    return Variables(params, state.fixed)


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
    _, dropout_key = epoch_keys(state.seed, state.epoch)

    def step(carry: Any, scanned: Any) -> tuple[Any, Sums]:
        params, opt_state, step, diverged_step = carry
        batch, index = scanned
        params, opt_state, sums = train_step(
            params,
            state.fixed,
            opt_state,
            program.divide_batch(examples(batch)),
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


@jax.named_scope("validation")
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
    if program.rows is None:
        best = jax.tree.map(lambda new, old: jnp.where(is_best, new, old), state.params, state.best_params)
    else:
        best = jax.lax.cond(
            is_best,
            lambda: rows.unpack(state.params, state.opt_state, program.rows),
            lambda: state.best_params,
        )
    return state._replace(
        epoch=done,
        best_params=best,
        best_score=jnp.where(is_best, score, state.best_score),
        best_epoch=jnp.where(is_best, done, state.best_epoch),
        diverged_step=diverged_step,
    ), metrics


def no_metrics(program: Program) -> EpochMetrics:
    """Returns NaN for every metric: of a replica that rests."""
    nothing = {name: jnp.float32(jnp.nan) for name in program.network.objective.higher_is_better}
    return {"train": nothing, "validation": nothing}


@jax.named_scope("validation")
def evaluation_sums(variables: Variables, split: Arrays, program: Program) -> Sums:
    """Returns the sums over every batch [steps] of a split that lies in device memory."""
    batches = batch_indices(split["bucket"], program.batch_size)
    return evaluate_steps(variables, batches, lambda batch: batch_at(split, batch), program)


@jax.named_scope("validation")
def evaluate_steps(
    variables: Variables, batches: Batches | Chunk, examples: Callable[[Any], Arrays], program: Program
) -> Sums:
    """Returns the sums over each of some batches [steps]; see `take_steps`."""

    def step(_: None, batch: Any) -> tuple[None, Sums]:
        def at_width(arrays: Arrays) -> Any:
            return forward_with_loss(*variables, arrays, program.network)

        arrays = program.divide_batch(examples(batch))
        return None, switch_width(at_width, arrays, batch.width_index, program)[1]

    return jax.lax.scan(step, None, batches)[1]
