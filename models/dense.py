"""The dense layers between a combined vector and the outputs, the same for every task."""

import itertools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

_NARROW = 32  # outputs; wider layers gain nothing from `_narrow_dot_general`


class Bias(nnx.Module):
    """h + b: what is left of a dense layer whose matrix is folded into the tables."""

    def __init__(self, width: int):
        self.bias = nnx.Param(jnp.zeros(width))

    def __call__(self, h: Float[Array, "batch width"]) -> Float[Array, "batch width"]:
        """Returns h + b."""
        return h + self.bias[...].astype(h.dtype)


class Dense(nnx.Module):
    """outputs = W_k relu(… relu(W_1 h + b_1) …) + b_k; without hidden layers, one linear map.

    In training a unit of the input and of every hidden layer is dropped with probability `dropout`.

    Attributes:
      hidden: the layers before the last; the first layer of all is a `Bias` where the model is folded.
      output: the last layer.
    """

    def __init__(
        self,
        width_in: int,
        hidden: Sequence[int],
        num_outputs: int,
        *,
        dropout: float,
        dtype: jnp.dtype,
        folded: bool = False,
        rngs: nnx.Rngs,
    ):
        """Builds the layers.

        Args:
          width_in: of the vector that comes in.
          hidden: the widths of the hidden layers.
          num_outputs: of the last layer.
          dropout: of the input and of every hidden layer.
          dtype: of the computation; the parameters are float32.
          folded: whether W_1 is in the tables already (models/folding.py), so that b_1 alone is left of that layer.
          rngs: initialises the parameters.

        Raises:
          ValueError: for a dropout outside [0, 1), and a folded layer that would have to change the width.
        """
        widths = [width_in, *hidden, num_outputs]
        layers: list[nnx.Module] = [
            nnx.Linear(w_in, w_out, dtype=dtype, rngs=rngs) for w_in, w_out in itertools.pairwise(widths)
        ]
        if num_outputs <= _NARROW:
            layers[-1].dot_general = _narrow_dot_general
        if folded:
            if widths[0] != widths[1]:
                raise ValueError(f"a folded model combines to {widths[1]} numbers, not {widths[0]}")
            layers[0] = Bias(widths[1])
        self.hidden = nnx.List(layers[:-1])
        self.output = layers[-1]
        self.dropout = nnx.Dropout(check_probability("dropout", dropout))

    def __call__(
        self, h: Float[Array, "batch width"], rngs: nnx.Rngs | None = None
    ) -> Float[Array, "batch outputs"]:
        """Returns the outputs, float32; `rngs` with the stream "dropout" in training, None to evaluate."""
        h = self.dropout(h, deterministic=rngs is None, rngs=rngs)
        for layer in self.hidden:
            h = self.dropout(nnx.relu(layer(h)), deterministic=rngs is None, rngs=rngs)
        return self.output(h).astype(jnp.float32)


def _narrow_dot_general(
    h: Float[Array, "*batch width"], kernel: Float[Array, "width outputs"], *args: Any, **options: Any
) -> Float[Array, "*batch outputs"]:
    """Returns jax.lax.dot_general of the same arguments, whose gradient by the kernel is quick for few outputs.

    That gradient is hᵀ g, [width, outputs]; XLA on a CPU multiplies several times faster for gᵀ h, [outputs, width],
    but computes the former if it sees that the latter is only transposed. So the kernel is transposed out of its sight.
    """
    return jax.lax.dot_general(h, jax.lax.optimization_barrier(kernel.T).T, *args, **options)


def check_probability(field: str, value: float) -> float:
    """Returns the value of config.model.<field>; raises ValueError unless it lies in [0, 1)."""
    if not 0 <= value < 1:
        raise ValueError(f"model.{field} must lie in [0, 1), got {value}")
    return value


def parse_dtype(name: str) -> jnp.dtype:
    """Returns the dtype that config.model.dtype names; raises ValueError for another."""
    if name not in ("float32", "bfloat16"):
        raise ValueError(f"model.dtype must be float32 or bfloat16, got {name!r}")
    return jnp.dtype(name)
