"""Gives a function of one replica a leading replica axis."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool


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


def choice(mode: str) -> Callable[..., Any]:
    """Returns what is to be used for jax.lax.cond on the state of one replica, inside of `replicate` with a mode.

    One after the other, a replica that rests is skipped. Side by side none can be: there jax.lax.cond would take both
    ways as well, but give every replica a copy of the examples that it shares, and its own choice of a batch's width.
    """
    return jax.lax.cond if replica_mode(mode) == "map" else _select


def _select(
    condition: Bool[Array, ""], true: Callable[[Any], Any], false: Callable[[Any], Any], state: Any
) -> Any:
    return jax.tree.map(functools.partial(jnp.where, condition), true(state), false(state))


def replica_mode(mode: str) -> str:
    """Returns which of 'map' and 'vmap' a mode of `replicate` stands for on this device."""
    if mode != "auto":
        return mode
    return "map" if jax.default_backend() == "cpu" else "vmap"


def check_replica_mode(mode: str) -> None:
    """Raises ValueError unless `replicate` knows the mode."""
    if mode not in ("auto", "map", "vmap"):
        raise ValueError(f"engine.replicas must be auto, map or vmap, got {mode!r}")
