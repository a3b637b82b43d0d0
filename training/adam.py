"""Adam with its bias corrections folded into two scalars: optax.adam's numbers to rounding, in fewer passes.

Dense Adam on an embedding table is most of a training step, and on a CPU it is bound by the divisions and the memory
that it goes through. With t counting from 1, β̂ᵢ = 1 − βᵢᵗ, optax computes

  −α (m / β̂₁) / (√(v / β̂₂) + ε)  =  −(α √β̂₂ / β̂₁) · m / (√v + ε √β̂₂),

whose right-hand side has one division per parameter instead of three.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Int


class AdamState(NamedTuple):
    """Steps taken, and the running means of the gradient and of its square."""

    step: Int[Array, ""]
    mean: Any
    square: Any


def adam(
    learning_rate: optax.Schedule, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8
) -> optax.GradientTransformation:
    """Returns Adam (Kingma & Ba 2015) with optax.adam's defaults.

    Args:
      learning_rate: step, from 0 -> α.
      b1: decay of the mean.
      b2: decay of the mean square.
      eps: added to the root of the corrected mean square.
    """

    def init(params: Any) -> AdamState:
        return AdamState(
            jnp.int32(0), jax.tree.map(jnp.zeros_like, params), jax.tree.map(jnp.zeros_like, params)
        )

    def update(grads: Any, state: AdamState, params: Any = None) -> tuple[Any, AdamState]:
        del params
        step = state.step + 1
        root = jnp.sqrt(1 - b2**step)
        scale = learning_rate(state.step) * root / (1 - b1**step)
        mean = jax.tree.map(lambda m, g: b1 * m + (1 - b1) * g, state.mean, grads)
        square = jax.tree.map(lambda v, g: b2 * v + (1 - b2) * g**2, state.square, grads)
        updates = jax.tree.map(lambda m, v: -scale * m / (jnp.sqrt(v) + eps * root), mean, square)
        return updates, AdamState(step, mean, square)

    return optax.GradientTransformation(init, update)
