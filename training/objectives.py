"""What is minimised and what is measured: per-example losses and metrics of a batch of outputs."""

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int

HIGHER_IS_BETTER = {"accuracy": True, "loss": False}


def classification_metrics(
    logits: Float[Array, "*batch classes"], targets: Int[Array, "*batch"]
) -> dict[str, Float[Array, "*batch"]]:
    """Returns per-example metrics; their mean over a split is the split's metric.

    loss = −log softmax(logits)[target] in nats; accuracy = 1 where the largest logit is the target's. Where logits
    tie, the first class counts as the answer.
    """
    loss = optax.softmax_cross_entropy_with_integer_labels(logits, targets)
    accuracy = (jnp.argmax(logits, axis=-1) == targets).astype(jnp.float32)
    return {"loss": loss, "accuracy": accuracy}


def probabilities(logits: Float[Array, "*batch classes"]) -> Float[Array, "*batch classes"]:
    """Returns softmax(logits)."""
    return jax.nn.softmax(logits, axis=-1)
