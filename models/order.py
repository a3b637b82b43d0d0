"""Sentences whose order matters, alone or in pairs: embed every word, combine the vectors, dense layers."""

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, Int

from combiners import combiner_class, make_combiner

from .dense import Dense, parse_dtype
from .embedding import Embedding, is_frozen
from .matching import Sizes


class OrderedSentence(nnx.Module):
    """outputs = dense(u) with u = combine(E[words]); of a pair of texts, dense(combine'([u, v])).

    One text is read as models.sentiment.BagOfWords reads it, but no words are dropped in training: which words are
    neighbours is what is asked here. Of a pair, both texts go through the same embedding and the same combiner, and a
    second one, `pair_combiner`, makes one vector of the two.

    In training a unit of the combined vector or of a hidden layer is dropped with probability `dropout`.
    """

    def __init__(self, config: Any, spec: Any, *, sizes: Sizes, rngs: nnx.Rngs):
        """Builds the model.

        Args:
          config: config.model.
          spec: data.TextSpec of the dataset.
          sizes: widths of the embedding and of the hidden layers.
          rngs: initialises the parameters.

        Raises:
          ValueError: for what a combiner refuses.
        """
        dtype = parse_dtype(config.dtype)
        combiner = combiner_class(config.combiner)
        self.embedding = Embedding(
            num_rows=spec.vocab_size,
            num_slots=spec.num_slots,
            num_extra=spec.num_extra,
            dim=sizes.dim,
            table_per_slot=config.table_per_slot,
            mean=combiner.embedding_mean if config.embedding_mean is None else config.embedding_mean,
            scale=config.embedding_scale,
            frozen=is_frozen(config),
            dtype=dtype,
            rngs=rngs,
        )
        self.combiner = make_combiner(
            config.combiner,
            num_vectors=spec.num_slots,
            dim=sizes.dim,
            rngs=rngs,
            **dict(config.combiner_options),
        )
        if spec.has_weights and not self.combiner.accepts_weights:
            raise ValueError(
                f"combiner {config.combiner!r} has no meaning for weights: set data.weights to ''"
            )
        width = self.combiner.out_dim
        if spec.is_pair:
            self.pair_combiner = make_combiner(
                config.pair_combiner,
                num_vectors=2,
                dim=width,
                rngs=rngs,
                **dict(config.pair_combiner_options),
            )
            width = self.pair_combiner.out_dim
        self.folded = config.get("folded", False)
        self.dense = Dense(
            width,
            sizes.hidden,
            spec.num_outputs,
            dropout=config.dropout,
            dtype=dtype,
            folded=self.folded,
            rngs=rngs,
        )

    @staticmethod
    def num_vectors(config: Any, spec: Any) -> int:
        """Returns how many vectors the combiner gets at most: the words of the longest text."""
        del config
        return spec.num_slots

    @staticmethod
    def num_lookups(config: Any, spec: Any) -> int:
        """Returns how many rows an example looks up, padding included."""
        del config
        return spec.num_slots * (2 if spec.is_pair else 1)

    @staticmethod
    def has_own_tables(config: Any) -> bool:
        """Returns whether every slot has its own table, so that their widths may differ."""
        return config.table_per_slot

    def __call__(
        self, inputs: Mapping[str, Array], *, rngs: nnx.Rngs | None = None
    ) -> Float[Array, "batch outputs"]:
        """Returns the outputs of a batch.

        Args:
          inputs: "tokens" int [batch, slots], 0 = padding; "tokens_b" likewise for pairs; "weights" float
            [batch, slots] where words have them.
          rngs: the stream "dropout" in training; None to evaluate.

        Returns:
          float32 [batch, outputs].
        """
        h = self._combined(inputs["tokens"], inputs.get("weights"))
        if "tokens_b" in inputs:
            h = self.pair_combiner(jnp.stack([h, self._combined(inputs["tokens_b"])], axis=-2))
        return self.dense(h, rngs)

    def _combined(
        self, tokens: Int[Array, "batch slots"], weights: Float[Array, "batch slots"] | None = None
    ) -> Float[Array, "batch width"]:
        """Returns one vector per text."""
        if self.folded:
            return self.embedding.summed(tokens, tokens != 0, weights)
        return self.combiner(self.embedding(tokens), tokens != 0, weights)
