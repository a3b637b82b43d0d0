"""Sums the gradients of places that look up the same row, without sorting."""

import jax.numpy as jnp
from jaxtyping import Array, Float, Int


def sum_duplicates(
    ids: Int[Array, " n"], gradients: Float[Array, "n width"], slot: Int[Array, " rows"]
) -> tuple[Int[Array, " n"], Float[Array, "n width"], Int[Array, " rows"]]:
    """Adds up gradients of equal rows at one place among them.

    Every place writes its number to its row's slot, where one of them stays; so all places of a row agree on that one,
    and add their gradients there. Sorting the ids, the usual way, takes longer than everything else in a step.

    Args:
      ids: of the rows, from 0 to `rows`; those that are `rows` stand for nothing.
      gradients: of each place.
      slot: scratch, whatever it holds.

    Returns:
      The ids, each once, the other places being `rows`; at those places the sums; and the scratch.
    """
    places = jnp.arange(len(ids), dtype=slot.dtype)
    slot = slot.at[ids].set(places, mode="drop")
    chosen = slot.at[ids].get(mode="clip")
    # What stands for nothing is added wherever the clipped row says, unless it is zero.
    summed = jnp.zeros_like(gradients).at[chosen].add(gradients, mode="promise_in_bounds")
    return jnp.where((chosen == places) & (ids < len(slot)), ids, len(slot)), summed, slot
