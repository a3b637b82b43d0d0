"""Word vectors: skip-gram and CBOW over blocks of consecutive words, with negative sampling or a full softmax.

Mikolov et al. 2013, "Distributed representations of words and phrases and their compositionality". Every word has a
vector w as a centre and a vector c as a context. With j over the words up to b_i places from word i of its sentence:

  skip-gram   L = Σ_i Σ_j [ −log σ(w_i·c_j) − (N/K) Σ_k log σ(−w_i·c_k) ]
  CBOW        L = Σ_i     [ −log σ(h_i·c_i) − (N/K) Σ_k log σ(−h_i·c_k) ],   h_i = combine({w_j})

The K noise words k are shared by the words of some blocks and stand for N per pair, so that the sums over k are one
matrix product for those blocks. The full softmax, for small vocabularies, puts −log softmax(C w_i)_j in the bracket:
the textbook's network whose hidden layer is a row of the embedding and whose output weights are the context vectors.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Bool, Float, Int

from combiners import make_combiner

from .row_tables import RowTable

OBJECTIVES = ("skip_gram", "cbow")
LOSSES = ("negative_sampling", "softmax")


class Blocks(NamedTuple):
    """G blocks of B consecutive words, and what is drawn for them.

    Attributes:
      words: ids.
      sentence: equal within a sentence, which no window leaves; negative for what only fills a block up.
      window: b, how far a word looks to either side.
      noise: ids of K words that the words of G/H consecutive blocks are told apart from.
    """

    words: Int[Array, "G B"]
    sentence: Int[Array, "G B"]
    window: Int[Array, "G B"]
    noise: Int[Array, "H K"]


class LossSums(NamedTuple):
    """The loss of some blocks, and the number of positives that it is the sum over."""

    loss: Float[Array, ""]
    count: Float[Array, ""]


class Rows(NamedTuple):
    """The rows of the tables that some blocks read.

    Attributes:
      words: the vectors w of blocks.words.
      contexts: their vectors c.
      noise: the vectors c of blocks.noise; for the softmax, of all words.
    """

    words: Float[Array, "G B dim"]
    contexts: Float[Array, "G B width"]
    noise: Float[Array, "H K width"] | Float[Array, "V width"]


class SkipGram(nnx.Module):
    """The two tables, and for CBOW the combiner between them.

    Attributes:
      words: the vectors w [V, dim].
      contexts: the vectors c [V, width], as wide as what they are multiplied with.
      combiner: of the bag, for CBOW; None for skip-gram.
    """

    def __init__(self, config: Any, vocab_size: int, *, rngs: nnx.Rngs):
        """Draws the vectors w from [−1, 1] / (2 dim), as word2vec does, and sets all c to zero.

        Args:
          config: config.model: objective, loss, dim, window, negatives; for CBOW combiner and combiner_options.
          vocab_size: words.
          rngs: initialises the vectors and the combiner.

        Raises:
          ValueError: for whatever the combiner refuses.
        """
        self.radius, self.negatives = config.window, config.negatives
        self.is_softmax = config.loss == "softmax"
        if config.objective == "cbow":
            options = dict(config.combiner_options)
            self.combiner = make_combiner(
                config.combiner, num_vectors=2 * self.radius, dim=config.dim, rngs=rngs, **options
            )
            width = self.combiner.out_dim
        else:
            self.combiner = None
            width = config.dim
        start = jax.random.uniform(rngs.params(), (vocab_size, config.dim), minval=-0.5, maxval=0.5)
        self.words = RowTable(start / config.dim)
        self.contexts = RowTable(jnp.zeros((vocab_size, width)))

    def loss(self, rows: Rows, blocks: Blocks, monitored: int) -> tuple[Float[Array, ""], LossSums]:
        """Returns the loss L of blocks, and that of the first `monitored` of them with its count.

        A gradient needs no loss, so that only what is looked at is computed.

        Args:
          rows: what the blocks read.
          blocks: where they read it.
          monitored: blocks; a multiple of those that share noise.
        """
        pairs = window_pairs(blocks.window, blocks.sentence)
        if self.combiner is None:
            queries, present = rows.words, pairs
            positive = _products(rows.words, rows.contexts)
        else:
            queries, present = self._bags(rows.words, pairs), pairs.any(-1, keepdims=True)
            positive = jnp.sum(queries * rows.contexts, axis=-1, keepdims=True)
        counts = jnp.sum(present, axis=-1).astype(positive.dtype)
        if self.is_softmax:
            logits = jnp.einsum("gbd,vd->gbv", queries, rows.noise)
            total = _softmax_loss(positive, present, logits, counts)
            part = [x[:monitored] for x in (positive, present, logits, counts)]
            return total, LossSums(_softmax_loss(*part), jnp.sum(part[-1]))
        groups, noise_words = rows.noise.shape[:2]
        queries = queries.reshape(groups, -1, queries.shape[-1])  # all that share noise words
        negative = _products(queries, rows.noise)
        weights = counts.reshape(groups, -1) * (self.negatives / noise_words)
        total = _negative_sampling_loss(positive, present, negative, weights)
        shown = monitored * groups // len(counts)
        first = positive[:monitored], present[:monitored], negative[:shown], weights[:shown]
        return total, LossSums(_negative_sampling_loss(*first), jnp.sum(counts[:monitored]))

    def _bags(self, w: Float[Array, "G B dim"], pairs: Bool[Array, "G B B"]) -> Float[Array, "G B context"]:
        """Returns what the combiner makes of the words around each word, in the order of the text."""
        block = w.shape[1]
        offsets = np.concatenate([np.arange(-self.radius, 0), np.arange(1, self.radius + 1)])
        places = np.arange(block)[:, None] + offsets
        inside = np.clip(places, 0, block - 1)
        present = jnp.take_along_axis(pairs, inside[None], axis=2) & (places == inside)
        return self.combiner(w[:, inside], present)


def window_pairs(window: Int[Array, "G B"], sentence: Int[Array, "G B"]) -> Bool[Array, "G B B"]:
    """Returns whether word j is a context of word i: at most window_i places away, in the same sentence."""
    places = np.arange(window.shape[1])
    distance = np.abs(places[:, None] - places)
    near = (distance > 0) & (distance <= window[..., None])
    return near & (sentence[:, :, None] == sentence[:, None, :]) & (sentence >= 0)[:, :, None]


def window_survival(radius: int, block: int) -> np.ndarray:
    """Returns P(b ≥ k) for k = 1 … radius, float32 [radius], so that pairs are as frequent as word2vec's.

    word2vec draws b uniformly from 1 … R, and uses a pair k apart with probability (R − k + 1)/R. Of all pairs k apart
    a block holds the part 1 − k/B, so that windows are drawn wider by (1 − 1/B)/(1 − k/B): pairs of every distance
    are used in word2vec's proportions, 1/B fewer of them in all.

    Raises:
      ValueError: if the block is too short for that.
    """
    k = np.arange(1, radius + 1)
    if block <= radius:
        raise ValueError(f"model.block must be more than model.window, got {block} and {radius}")
    survival = (radius - k + 1) / radius * (1 - 1 / block) / (1 - k / block)
    if (np.diff(survival) > 0).any():
        raise ValueError(
            f"model.block {block} is too short for model.window {radius}; twice the window will do"
        )
    return survival.astype(np.float32)


@jax.custom_vjp
def _products(queries: Float[Array, "G Q d"], answers: Float[Array, "G A d"]) -> Float[Array, "G Q A"]:
    """Returns the inner product of every query with every answer of its group."""
    return jnp.einsum("gqd,gad->gqa", queries, answers)


def _products_forward(queries: Array, answers: Array) -> tuple[Array, tuple[Array, Array]]:
    return _products(queries, answers), (queries, answers)


def _products_backward(read: tuple[Array, Array], errors: Array) -> tuple[Array, Array]:
    queries, answers = read
    # As a copy: folded into the product, the transposition takes XLA's slow path on a CPU, at twice the time.
    transposed = jax.lax.optimization_barrier(jnp.swapaxes(errors, 1, 2))
    return jnp.einsum("gqa,gad->gqd", errors, answers), jnp.einsum("gaq,gqd->gad", transposed, queries)


_products.defvjp(_products_forward, _products_backward)


@jax.custom_jvp
def _softplus(x: Array) -> Array:
    return jnp.logaddexp(x, 0.0)


@_softplus.defjvp
def _softplus_jvp(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    # The library's own derivative goes through the value, at twice the price; here the value is rarely asked for.
    return _softplus(primals[0]), jax.nn.sigmoid(primals[0]) * tangents[0]


def _negative_sampling_loss(
    positive: Float[Array, "G B P"],
    present: Bool[Array, "G B P"],
    negative: Float[Array, "H Q K"],
    weights: Float[Array, "H Q"],
) -> Float[Array, ""]:
    of_positive = jnp.where(present, _softplus(-positive), 0)
    return jnp.sum(of_positive) + jnp.sum(weights[..., None] * _softplus(negative))


def _softmax_loss(
    positive: Float[Array, "G B P"],
    present: Bool[Array, "G B P"],
    logits: Float[Array, "G B V"],
    counts: Float[Array, "G B"],
) -> Float[Array, ""]:
    return jnp.sum(counts * jax.nn.logsumexp(logits, axis=-1)) - jnp.sum(jnp.where(present, positive, 0))
