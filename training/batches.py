"""Which examples make a batch: of about equal length, in an order that depends on a key alone."""

from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, UInt32

# One split: the model's inputs, "targets" and "bucket" (index into step.Program.widths), each with a leading example
# axis. A batch has "present" besides: 0 for examples that only fill it up.
Arrays = Mapping[str, Array]


class Batches(NamedTuple):
    """Which examples make a batch, and how many slots they need; in a scan, one batch of them.

    Replicas differ in the rows alone, which are None in what they share.
    """

    rows: Int[Array, "*steps batch"] | None
    present: Float[Array, "*steps batch"]
    width_index: Int[Array, "*steps"]


class Chunk(NamedTuple):
    """Batches whose examples are gathered already: arrays [steps, batch, …]; in a scan, one batch."""

    arrays: Arrays
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


@jax.named_scope("batches")
def plan_epoch(
    order_key: Array, epoch: Int[Array, ""], bucket: Int[Array, " examples"], batch_size: int
) -> Batches:
    """Returns the batches of a replica's next epoch, in their order.

    Args:
      order_key: of the replica's epoch; see `epoch_keys`.
      epoch: epochs done, the same for all active replicas.
      bucket: of every example.
      batch_size: examples per batch.
    """
    batches = batch_indices(bucket, batch_size, order_key)
    # Every replica meets the widths in the same order, so that under vmap the choice of width stays a choice.
    turn = jax.random.permutation(jax.random.fold_in(jax.random.key(0), epoch), len(batches.rows))
    return jax.tree.map(lambda array: array[turn], batches)


def epoch_keys(seed: UInt32[Array, ""], epoch: Int[Array, ""]) -> tuple[Array, Array]:
    """Returns the random keys of a replica's epoch: of its order, and of its dropout."""
    order_key, dropout_key = jax.random.split(jax.random.fold_in(jax.random.key(seed), 1 + epoch))
    return order_key, dropout_key


@jax.named_scope("batches")
def batch_at(split: Arrays, batch: Batches) -> Arrays:
    """Gathers one batch from a split that lies in device memory."""
    rows = {name: array.at[batch.rows].get(mode="promise_in_bounds") for name, array in split.items()}
    return {**rows, "present": batch.present}
