"""Row-wise Adagrad: one sum of squares for every row of a matrix."""

from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float


def rowwise_adagrad(
    learning_rate: optax.Schedule, initial_accumulator_value: float = 0.1, eps: float = 1e-7
) -> optax.GradientTransformation:
    """Returns optax.adagrad with one sum for each row of a matrix, of its mean squares: −α g / √(Σ mean(g²) + ε).

    Vectors have a sum for every number. The usual optimiser of very large tables (Mudigere et al. 2022, section 4.1.4):
    its state is one number a row.

    Args:
      learning_rate: step, from 0 -> α.
      initial_accumulator_value: where sums start.
      eps: ε.
    """

    def init(params: Any) -> tuple[Any, Any]:
        def start(leaf: Float[Array, "..."]) -> Float[Array, "..."]:
            return jnp.full_like(leaf[..., :1] if leaf.ndim >= 2 else leaf, initial_accumulator_value)

        return jnp.int32(0), jax.tree.map(start, params)

    def update(grads: Any, state: tuple[Any, Any], params: Any = None) -> tuple[Any, tuple[Any, Any]]:
        del params
        step, sums = state

        def added(total: Float[Array, "..."], grad: Float[Array, "..."]) -> Float[Array, "..."]:
            square = grad**2
            return total + (jnp.mean(square, axis=-1, keepdims=True) if grad.ndim >= 2 else square)

        sums = jax.tree.map(added, sums, grads)
        rate = learning_rate(step)
        updates = jax.tree.map(
            lambda g, total: -rate * g * jnp.where(total > 0, 1 / jnp.sqrt(total + eps), 0), grads, sums
        )
        return updates, (step + 1, sums)

    return optax.GradientTransformation(init, update)
