"""Bag-of-words classification: embed every word, combine the vectors, dense layers, one logit per class."""

from collections.abc import Mapping
from typing import Any

import jax
from flax import nnx
from jaxtyping import Array, Float

from combiners import combiner_class, make_combiner

from .dense import Dense, check_probability, parse_dtype
from .embedding import Embedding, is_frozen
from .matching import Sizes


class BagOfWords(nnx.Module):
    """logits = W_k relu(… relu(W_1 combine(E[words]) + b_1) …) + b_k; without hidden layers, one linear map.

    Where the model is folded (models/folding.py), combine is a sum, computed as the rows are read.

    In training a word is dropped from its bag with probability `word_dropout` (Iyyer et al. 2015), a hidden unit with
    probability `dropout`, the combined vector included.
    """

    def __init__(self, config: Any, spec: Any, *, sizes: Sizes, rngs: nnx.Rngs):
        """Builds the model.

        Args:
          config: config.model.
          spec: data.Spec of the dataset.
          sizes: widths of the embedding and of the hidden layers.
          rngs: initialises the parameters.
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
        if spec.has_weights and not self.combiner.accepts_weights:  # of several at once, the options decide
            raise ValueError(
                f"combiner {config.combiner!r} has no meaning for weights: set data.weights to ''"
            )
        self.folded = config.get("folded", False)
        self.dense = Dense(
            self.combiner.out_dim,
            sizes.hidden,
            spec.num_outputs,
            dropout=config.dropout,
            dtype=dtype,
            folded=self.folded,
            rngs=rngs,
        )
        self.word_dropout = check_probability("word_dropout", config.word_dropout)

    @staticmethod
    def num_vectors(config: Any, spec: Any) -> int:
        """Returns how many vectors are combined at most: the words of the longest text."""
        del config
        return spec.num_slots

    @staticmethod
    def num_lookups(config: Any, spec: Any) -> int:
        """Returns how many rows an example looks up, padding included."""
        del config
        return spec.num_slots

    @staticmethod
    def has_own_tables(config: Any) -> bool:
        """Returns whether every slot has its own table, so that their widths may differ."""
        return config.table_per_slot

    def __call__(
        self, inputs: Mapping[str, Array], *, rngs: nnx.Rngs | None = None
    ) -> Float[Array, "batch classes"]:
        """Returns the logits of a batch.

        Args:
          inputs: "tokens" int [batch, slots], 0 = padding; "weights" float [batch, slots] where words have them.
          rngs: the stream "dropout" in training; None to evaluate.

        Returns:
          float32 [batch, classes].
        """
        tokens = inputs["tokens"]
        mask = tokens != 0
        if rngs is not None and self.word_dropout > 0:
            mask &= jax.random.bernoulli(rngs.dropout(), 1 - self.word_dropout, mask.shape)
        weights = inputs.get("weights")
        if self.folded:
            h = self.embedding.summed(tokens, mask, weights)
        else:
            h = self.combiner(self.embedding(tokens), mask, weights)
        return self.dense(h, rngs)
