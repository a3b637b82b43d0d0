"""Attention with projections and several heads: from learned queries, or among the vectors themselves."""

import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Bool, Float

from .base import Combiner, Dim, at_least_float32, check_positive


def checked_heads(num_heads: int | None, dim: int) -> tuple[int, int]:
    """Returns the number of heads and the width of one: as many as asked for, else 4, 2 or 1, what divides dim.

    Raises:
      ValueError: where the number is not a positive integer that divides dim.
    """
    check_positive("num_heads", num_heads, optional=True)
    if num_heads is None:
        num_heads = next(number for number in (4, 2, 1) if dim % number == 0)
    if dim % num_heads:
        raise ValueError(f"num_heads must divide dim={dim}, got {num_heads}")
    return int(num_heads), dim // int(num_heads)


def _attend(
    query: Float[Array, "*#batch q heads width"],
    key: Float[Array, "*#batch n heads width"],
    value: Float[Array, "*#batch n heads width"],
    *,
    mask: Bool[Array, "*#batch 1 n"],
    **_: Any,
) -> Float[Array, "*#batch q heads width"]:
    """Attends to the slots that are present, each head for itself, in the precision of what it is given.

    Takes the place of Flax's own attention in nnx.MultiHeadAttention, whose other arguments are about dropout: that
    computes the softmax in float32 even where everything else is float64.
    """
    scores = jnp.einsum("...qhd,...nhd->...hqn", query, key) / math.sqrt(query.shape[-1])
    mask = mask[..., None, :]
    # The least finite number, not -inf: its share is an exact zero, but a bag that is all masked has finite shares and
    # gradients, which the base class then selects away.
    scores = jnp.where(mask, scores, jnp.finfo(scores.dtype).min)
    shares = jax.nn.softmax(scores, axis=-1)
    return jnp.einsum("...hqn,...nhd->...qhd", shares, value)


def attention_layer(
    dim: int, num_heads: int, rngs: nnx.Rngs, *, silent: bool = False
) -> nnx.MultiHeadAttention:
    """Makes multi-head attention without biases, whose output is zero at the start if it is to be silent.

    A key bias shifts all scores of a query alike and would never get a gradient.
    """
    return nnx.MultiHeadAttention(
        num_heads,
        dim,
        use_bias=False,
        out_kernel_init=nnx.initializers.zeros if silent else None,
        attention_fn=_attend,
        decode=False,
        param_dtype=float,
        rngs=rngs,
    )


def mean_of_present(
    x: Float[Array, "*batch n dim"], mask: Bool[Array, "*batch n"]
) -> Float[Array, "*batch dim"]:
    """Returns the mean over the slots that are present, whatever the others hold."""
    total = jnp.sum(jnp.where(mask[..., None], x, 0), axis=-2)
    return total / jnp.maximum(1, jnp.sum(mask, axis=-1, keepdims=True))


def _reference_kernels(*layers: nnx.LinearGeneral) -> list[np.ndarray]:
    return [np.asarray(layer.kernel[...], np.float64) for layer in layers]


def _reference_heads(
    query: np.ndarray, present: Sequence[np.ndarray], key: np.ndarray, value: np.ndarray, out: np.ndarray
) -> np.ndarray:
    """Attends from one query [heads, width] to the vectors present, head by head, in float64."""
    y = np.zeros(out.shape[-1], np.float64)
    for head in range(query.shape[0]):
        scores = [
            float(query[head] @ (vector @ key[:, head])) / math.sqrt(query.shape[1]) for vector in present
        ]
        shares = [math.exp(score - max(scores)) for score in scores]
        for share, vector in zip(shares, present, strict=True):
            y += share / sum(shares) * ((vector @ value[:, head]) @ out[head])
    return y


def reference_attention(
    layer: nnx.MultiHeadAttention, vector: np.ndarray, present: Sequence[np.ndarray]
) -> np.ndarray:
    """Computes what an attention layer finds for one vector among those present, in float64 and plainly."""
    to_query, *kernels = _reference_kernels(layer.query, layer.key, layer.value, layer.out)
    return _reference_heads(np.einsum("d,dhw->hw", vector, to_query), present, *kernels)


class MultiHeadAttention(Combiner):
    """Multi-head attention with one learned query per head, over keys and values that are projections of the vectors.

    y = [h_1; …; h_H] W with h_k = Σ_i a_ki (x_i V_k) and a_k = softmax_i(q_k·(x_i K_k) / √width), width = dim / H.
    Every head attends to something else; a single head is the combiner `attention` followed by linear maps. Against
    the pooling of Lee et al. 2019 the learned query is taken as it is, without a seed and a map that would be one
    vector together, and the residual, the normalisation and the feed-forward layer around it are left out. A key map
    could be folded into its query too; it is kept as it is in the sources because it changes how the query learns.
    There are no biases: that of a key never gets a gradient, the others are left to what follows.

    The queries start at zero, where attention is the mean; K_k, V_k and W start with variance 1/dim, so that a mapped
    vector has the variance of the vector itself.

    Option `num_heads`: a divisor of dim; None takes the first of 4, 2, 1 that is one.
    """

    name = "multi_head_attention"
    formula = "y = [h_1; …; h_H] W, h_k = Σ_i a_ki x_i V_k, a_k = softmax_i(q_k·x_i K_k / √(dim/H))"
    citation = (
        "Vaswani et al. 2017, Attention Is All You Need; learned query: Lee et al. 2019, Set Transformer"
    )
    permutation_invariant = True
    use_when = "several different things in a bag matter, each to be found by a query of its own"
    loses = "order and number, and whatever no head attends to"

    def __init__(
        self, *, num_vectors: int, dim: Dim, rngs: nnx.Rngs | None = None, num_heads: int | None = None
    ):
        super().__init__(num_vectors=num_vectors, dim=dim, rngs=rngs, num_heads=num_heads)
        heads = checked_heads(num_heads, self.dim)
        self.query = nnx.Param(jnp.zeros(heads))
        self.key = nnx.LinearGeneral(self.dim, heads, use_bias=False, param_dtype=float, rngs=rngs)
        self.value = nnx.LinearGeneral(self.dim, heads, use_bias=False, param_dtype=float, rngs=rngs)
        self.out = nnx.LinearGeneral(
            heads, self.dim, axis=(-2, -1), use_bias=False, param_dtype=float, rngs=rngs
        )

    @classmethod
    def parameter_count(cls, num_vectors: int, dim: Dim, **options: Any) -> int:
        """Returns dim + 3·dim²: the queries, and the maps to keys, to values and to the output."""
        width = cls.output_width(num_vectors, dim, **options)
        checked_heads(options.get("num_heads"), width)
        return width + 3 * width * width

    def combine(
        self,
        x: Float[Array, "*batch n dim"],
        mask: Bool[Array, "*batch n"],
        weights: Float[Array, "*batch n"] | None,
    ) -> Float[Array, "*batch out"]:
        """Lets each head's query attend to the keys and maps what the heads found back to one vector."""
        del weights
        x = at_least_float32(x)
        found = _attend(
            jnp.expand_dims(self.query[...], 0), self.key(x), self.value(x), mask=mask[..., None, :]
        )
        return self.out(found)[..., 0, :]

    def numpy_reference(
        self, x: Sequence[np.ndarray], mask: np.ndarray, weights: np.ndarray | None
    ) -> np.ndarray:
        """Computes Σ_k Σ_i a_ki x_i V_k W_k over the slots present, W_k the rows of W that head k meets."""
        del weights
        present = [x[i].astype(np.float64) for i in range(len(x)) if mask[i]]
        kernels = _reference_kernels(self.key, self.value, self.out)
        return _reference_heads(np.asarray(self.query[...], np.float64), present, *kernels)


class SelfAttentionMean(Combiner):
    """Mean after one round of self-attention with a residual: y = mean_i (x_i + attention(x_i; x_1 … x_n)).

    Every vector first looks at all the others through multi-head attention without biases, so that what it adds to
    the mean depends on its company. The output map of the attention starts at zero: the combiner starts as the mean.

    Option `num_heads`: a divisor of dim; None takes the first of 4, 2, 1 that is one.
    """

    name = "self_attention_mean"
    formula = "y = mean_i (x_i + MultiHead(x_i, X, X))"
    citation = (
        "multi-head self-attention by Vaswani et al. 2017, Attention Is All You Need; mean: this project"
    )
    permutation_invariant = True
    use_when = "what one vector means depends on which others are in the bag"
    loses = "order and number: a bag and the same bag twice look alike"

    def __init__(
        self, *, num_vectors: int, dim: Dim, rngs: nnx.Rngs | None = None, num_heads: int | None = None
    ):
        super().__init__(num_vectors=num_vectors, dim=dim, rngs=rngs, num_heads=num_heads)
        self.attention = attention_layer(self.dim, checked_heads(num_heads, self.dim)[0], rngs, silent=True)

    @classmethod
    def parameter_count(cls, num_vectors: int, dim: Dim, **options: Any) -> int:
        """Returns 4·dim²: the maps to queries, keys, values and the output."""
        width = cls.output_width(num_vectors, dim, **options)
        checked_heads(options.get("num_heads"), width)
        return 4 * width * width

    def combine(
        self,
        x: Float[Array, "*batch n dim"],
        mask: Bool[Array, "*batch n"],
        weights: Float[Array, "*batch n"] | None,
    ) -> Float[Array, "*batch out"]:
        """Adds to each vector what it found in the bag and averages over those present."""
        del weights
        x = at_least_float32(x)
        return mean_of_present(x + self.attention(x, mask=mask[..., None, :]), mask)

    def numpy_reference(
        self, x: Sequence[np.ndarray], mask: np.ndarray, weights: np.ndarray | None
    ) -> np.ndarray:
        """Computes Σ_i (x_i + Σ_k Σ_j a_kij x_j V_k W_k) / n over the n slots present."""
        del weights
        present = [x[i].astype(np.float64) for i in range(len(x)) if mask[i]]
        total = np.zeros(self.out_dim, np.float64)
        for vector in present:
            total += vector + reference_attention(self.attention, vector, present)
        return total / max(1, len(present))
