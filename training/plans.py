"""The program that plans an epoch's batches for all replicas: the same for all models, and compiled once for them.

A fifth of what an epoch's program took to compile was this part of it, most of that for sorting.
"""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int, UInt32

from .batches import Batches, epoch_keys, plan_epoch
from .devices import Layout

# (seed and epochs done of every replica [replicas], epochs done of the training, bucket [examples]) -> the batches; of
# these, rows have a replica axis.
Plan = Callable[[Array, Array, Int[Array, ""], Array], Batches]


@functools.lru_cache(maxsize=16)  # a process of many trainings keeps the last ones' programs
def compile_plan(layout: Layout, num_replicas: int, num_examples: int, batch_size: int) -> Plan:
    """Returns the compiled planning of an epoch.

    Args:
      layout: of the replicas.
      num_replicas: that train together.
      num_examples: of the training split.
      batch_size: examples per step.
    """

    def plan_one(
        replica: tuple[UInt32[Array, ""], Int[Array, ""]],
        epoch: Int[Array, ""],
        bucket: Int[Array, " examples"],
    ) -> Batches:
        order_key, _ = epoch_keys(*replica)
        return plan_epoch(order_key, epoch, bucket, batch_size)

    def plan(seeds: Array, epochs: Array, epoch: Array, bucket: Array) -> Batches:
        batches = layout.replicate(plan_one)((seeds, epochs), epoch, bucket)
        return batches._replace(present=batches.present[0], width_index=batches.width_index[0])

    def everywhere(shape: tuple[int, ...], dtype: type) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct(shape, dtype, sharding=layout.everywhere)

    return (
        layout.jit(plan, Batches(layout.by_replica, layout.everywhere, layout.everywhere))
        .lower(
            everywhere((num_replicas,), jnp.uint32),
            everywhere((num_replicas,), jnp.int32),
            everywhere((), jnp.int32),
            everywhere((num_examples,), jnp.int32),
        )
        .compile()
    )
