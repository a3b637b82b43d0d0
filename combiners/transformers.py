"""Small transformers: self-attention and feed-forward layers, then a learned seed or the mean makes one vector."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Bool, Float

from . import reference
from .attention_blocks import attention_layer, checked_heads, mean_of_present, reference_attention
from .base import Combiner, Dim, at_least_float32, check_positive, each_vector


def _hidden_width(hidden: int | None, dim: int) -> int:
    """Returns the width inside a feed-forward layer, by default the 4·dim of Vaswani et al. 2017."""
    check_positive("hidden", hidden, optional=True)
    return 4 * dim if hidden is None else int(hidden)


def _feed_forward(dim: int, hidden: int, rngs: nnx.Rngs, *, silent: bool = False) -> nnx.Sequential:
    """Makes a map of each vector alone, relu(x W + b) V + c, which is zero at the start if it is to be silent."""
    kernel_init = nnx.initializers.zeros if silent else nnx.initializers.lecun_normal()
    return nnx.Sequential(
        nnx.Linear(dim, hidden, param_dtype=float, rngs=rngs),
        nnx.relu,
        nnx.Linear(hidden, dim, kernel_init=kernel_init, param_dtype=float, rngs=rngs),
    )


def _layer_norm(dim: int, rngs: nnx.Rngs) -> nnx.LayerNorm:
    # The fast variance E[x²] − E[x]² loses its digits where the mean is large.
    return nnx.LayerNorm(dim, use_fast_variance=False, param_dtype=float, rngs=rngs)


def _layer_size(dim: int, *, num_heads: int | None = None, hidden: int | None = None) -> int:
    """Returns the parameters of attention, one feed-forward layer and two normalisations."""
    checked_heads(num_heads, dim)
    hidden = _hidden_width(hidden, dim)
    return 4 * dim * dim + (2 * dim * hidden + hidden + dim) + 2 * 2 * dim


def _reference_feed_forward(layers: nnx.Sequential, vector: np.ndarray) -> np.ndarray:
    """Computes relu(x W + b) V + c."""
    inner, _, outer = layers.layers
    return reference.dense(outer, np.maximum(0, reference.dense(inner, vector)))


def _reference_layer_norm(layer: nnx.LayerNorm, vector: np.ndarray) -> np.ndarray:
    """Computes (x − mean) / √(variance + ε) · scale + bias."""
    scale, bias = (np.asarray(p[...], np.float64) for p in (layer.scale, layer.bias))
    return (vector - vector.mean()) / np.sqrt(vector.var() + layer.epsilon) * scale + bias


class _AttentionBlock(nnx.Module):
    """MAB(X, Z) = LN(H + FF(H)) with H = LN(X + MultiHead(X, Z, Z)), as Lee et al. 2019 call it."""

    def __init__(self, dim: int, num_heads: int, hidden: int, rngs: nnx.Rngs):
        self.attention = attention_layer(dim, num_heads, rngs)
        self.attention_norm = _layer_norm(dim, rngs)
        self.feed_forward = _feed_forward(dim, hidden, rngs)
        self.feed_forward_norm = _layer_norm(dim, rngs)

    def __call__(
        self,
        x: Float[Array, "*#batch q dim"],
        z: Float[Array, "*#batch n dim"],
        mask: Bool[Array, "*#batch n"],
    ) -> Float[Array, "*#batch q dim"]:
        """Lets every x_i attend to the z_j that are present."""
        h = self.attention_norm(x + self.attention(x, z, mask=mask[..., None, :]))
        return self.feed_forward_norm(h + each_vector(self.feed_forward, h))

    def numpy_reference(self, vector: np.ndarray, present: Sequence[np.ndarray]) -> np.ndarray:
        """Computes LN(h + FF(h)) with h = LN(x + MultiHead(x, Z, Z)) for one x, Z the vectors present."""
        found = reference_attention(self.attention, vector, present)
        h = _reference_layer_norm(self.attention_norm, vector + found)
        return _reference_layer_norm(
            self.feed_forward_norm, h + _reference_feed_forward(self.feed_forward, h)
        )


class SetTransformer(Combiner):
    """Set Transformer: self-attention among the vectors, then one learned seed attends to the result.

    y = MAB(s, Z) with Z = MAB(X, X), where MAB(X, Z) = LN(H + FF(H)) and H = LN(X + MultiHead(X, Z, Z)). Against the
    paper's usual model there is one self-attention block and not two, nothing after the pooling, and no second
    feed-forward layer between the two blocks; keys, queries and values have no biases.

    The seed starts at zero, where it attends to all alike and stands out of the way of what it pools. The last
    normalisation gives every output a variance of one at the start, whatever the scale of the vectors; with dim=1
    it leaves nothing but its bias.

    Options: `num_heads`, a divisor of dim (None takes the first of 4, 2, 1 that is one), and `hidden`, the width inside
    the feed-forward layers (None takes 4·dim).
    """

    name = "set_transformer"
    formula = "y = MAB(s, MAB(X, X)), MAB(X, Z) = LN(H + FF(H)), H = LN(X + MultiHead(X, Z, Z))"
    citation = "Lee et al. 2019, Set Transformer"
    permutation_invariant = True
    use_when = (
        "relations between the vectors of an unordered bag decide, and there are data enough to learn them"
    )
    loses = "order, number and most of the scale of the vectors"

    def __init__(
        self,
        *,
        num_vectors: int,
        dim: Dim,
        rngs: nnx.Rngs | None = None,
        num_heads: int | None = None,
        hidden: int | None = None,
    ):
        super().__init__(num_vectors=num_vectors, dim=dim, rngs=rngs, num_heads=num_heads, hidden=hidden)
        sizes = (self.dim, checked_heads(num_heads, self.dim)[0], _hidden_width(hidden, self.dim))
        self.encoder = _AttentionBlock(*sizes, rngs)
        self.seed = nnx.Param(jnp.zeros((self.dim,)))
        self.pooling = _AttentionBlock(*sizes, rngs)

    @classmethod
    def parameter_count(cls, num_vectors: int, dim: Dim, **options: Any) -> int:
        """Returns the seed's dim and two blocks of 4·dim² + 2·dim·hidden + hidden + 5·dim."""
        width = cls.output_width(num_vectors, dim, **options)
        return width + 2 * _layer_size(width, **options)

    def combine(
        self,
        x: Float[Array, "*batch n dim"],
        mask: Bool[Array, "*batch n"],
        weights: Float[Array, "*batch n"] | None,
    ) -> Float[Array, "*batch out"]:
        """Lets the vectors attend to each other, then the seed to them."""
        del weights
        x = at_least_float32(x)
        seed = jnp.expand_dims(self.seed[...], 0)
        return self.pooling(seed, self.encoder(x, x, mask), mask)[..., 0, :]

    def numpy_reference(
        self, x: Sequence[np.ndarray], mask: np.ndarray, weights: np.ndarray | None
    ) -> np.ndarray:
        """Computes MAB(s, MAB(X, X)), X the vectors present."""
        del weights
        if not mask.any():
            return np.zeros(self.out_dim)
        present = [x[i].astype(np.float64) for i in range(len(x)) if mask[i]]
        encoded = [self.encoder.numpy_reference(vector, present) for vector in present]
        return self.pooling.numpy_reference(np.asarray(self.seed[...], np.float64), encoded)


class Transformer(Combiner):
    """One transformer encoder layer over the vectors and their learned positions, then the mean.

    With h_i = x_i + p_i: first h_i += MultiHead(LN(h)_i, LN(h), LN(h)), then h_i += FF(LN(h_i)), and y = mean_i h_i.
    The normalisation comes before each part (Xiong et al. 2020), which leaves a straight path from the vectors to the
    mean. A mean of x_i + p_i would still be blind to order; what comes between lets a vector and its place interact.

    What attention and feed-forward layer add starts at zero, and the positions start small (deviation 0.02, as all
    weights of Radford et al. 2018 do): the combiner starts as the mean of x_i + p_i. That is close to the mean of the
    vectors where these have variance one (2 % off), but not where they are as small as the positions (19 % off at
    deviation 0.1, 65 % at 0.03). Keys, queries and values have no biases.

    Options: `num_heads`, a divisor of dim (None takes the first of 4, 2, 1 that is one), and `hidden`, the width inside
    the feed-forward layer (None takes 4·dim).
    """

    name = "transformer"
    formula = "y = mean_i h_i, h = g + FF(LN(g)), g = X + P + MultiHead(LN(X + P))"
    citation = (
        "Vaswani et al. 2017, Attention Is All You Need; normalised first as in Xiong et al. 2020, "
        "On Layer Normalization in the Transformer Architecture"
    )
    permutation_invariant = False
    use_when = "order and relations between the vectors both matter, and there are data enough to learn them"
    loses = "number, and whatever order the attention did not write into the vectors"

    def __init__(
        self,
        *,
        num_vectors: int,
        dim: Dim,
        rngs: nnx.Rngs | None = None,
        num_heads: int | None = None,
        hidden: int | None = None,
    ):
        super().__init__(num_vectors=num_vectors, dim=dim, rngs=rngs, num_heads=num_heads, hidden=hidden)
        heads, hidden = checked_heads(num_heads, self.dim)[0], _hidden_width(hidden, self.dim)
        positions = 0.02 * jax.random.normal(rngs.params(), (self.num_vectors, self.dim))
        self.positions = nnx.Param(positions)
        self.attention_norm = _layer_norm(self.dim, rngs)
        self.attention = attention_layer(self.dim, heads, rngs, silent=True)
        self.feed_forward_norm = _layer_norm(self.dim, rngs)
        self.feed_forward = _feed_forward(self.dim, hidden, rngs, silent=True)

    @classmethod
    def parameter_count(cls, num_vectors: int, dim: Dim, **options: Any) -> int:
        """Returns n·dim for the positions and 4·dim² + 2·dim·hidden + hidden + 5·dim for the layer."""
        width = cls.output_width(num_vectors, dim, **options)
        return num_vectors * width + _layer_size(width, **options)

    def combine(
        self,
        x: Float[Array, "*batch n dim"],
        mask: Bool[Array, "*batch n"],
        weights: Float[Array, "*batch n"] | None,
    ) -> Float[Array, "*batch out"]:
        """Sends the vectors and their positions through the layer and averages over those present."""
        del weights
        h = at_least_float32(x) + self.positions[: x.shape[-2]]
        h = h + self.attention(self.attention_norm(h), mask=mask[..., None, :])
        h = h + each_vector(self.feed_forward, self.feed_forward_norm(h))
        return mean_of_present(h, mask)

    def numpy_reference(
        self, x: Sequence[np.ndarray], mask: np.ndarray, weights: np.ndarray | None
    ) -> np.ndarray:
        """Computes mean_i (g_i + FF(LN(g_i))) with g_i = h_i + MultiHead(LN(h_i), LN(H)), H the x_i + p_i present."""
        del weights
        positions = np.asarray(self.positions[...], np.float64)
        present = [x[i].astype(np.float64) + positions[i] for i in range(len(x)) if mask[i]]
        normalised = [_reference_layer_norm(self.attention_norm, h) for h in present]
        total = np.zeros(self.out_dim, np.float64)
        for h, query in zip(present, normalised, strict=True):
            g = h + reference_attention(self.attention, query, normalised)
            ff_input = _reference_layer_norm(self.feed_forward_norm, g)
            total += g + _reference_feed_forward(self.feed_forward, ff_input)
        return total / max(1, len(present))
