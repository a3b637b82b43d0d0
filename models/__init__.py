"""Models: small networks with one combiner slot each. They know combiners, not files, optimisers or seeds."""

from typing import Any

import jax
from flax import nnx

from .categorical import CategoricalFeatures
from .embedding import Embedding, is_frozen
from .folding import fold
from .matching import Sizes, match_sizes
from .mnist import ImageParts
from .order import OrderedSentence
from .sentiment import BagOfWords

__all__ = [
    "MODELS",
    "BagOfWords",
    "CategoricalFeatures",
    "Embedding",
    "ImageParts",
    "OrderedSentence",
    "Sizes",
    "count_parameters",
    "fold",
    "is_frozen",
    "make_model",
    "match_sizes",
]


MODELS: dict[str, type[nnx.Module]] = {
    "categorical": CategoricalFeatures,
    "mnist": ImageParts,
    "order": OrderedSentence,
    "sentiment": BagOfWords,
}


def make_model(
    task: str, config: Any, spec: Any, *, sizes: Sizes | None = None, rngs: nnx.Rngs
) -> nnx.Module:
    """Makes the model of a task.

    Args:
      task: a key of `MODELS`.
      config: the fields of config.model.
      spec: what the model must know of the data (a data.Spec).
      sizes: embedding and hidden widths; by default as `config.match` asks for.
      rngs: initialises the parameters.

    Returns:
      The model.

    Raises:
      KeyError: for an unknown task.
      ValueError: for whatever the combiner or the match mode refuses.
    """
    cls = MODELS[task]
    return cls(config, spec, sizes=sizes or match_sizes(cls, config, spec), rngs=rngs)


def count_parameters(params: nnx.State) -> dict[str, int]:
    """Counts trainable numbers, those of embedding tables apart: {"embedding", "other", "total"}."""
    counts = {"embedding": 0, "other": 0}
    for path, leaf in jax.tree_util.tree_leaves_with_path(params):
        is_embedding = any(getattr(key, "key", None) == "embedding" for key in path)
        counts["embedding" if is_embedding else "other"] += leaf.size
    return {**counts, "total": counts["embedding"] + counts["other"]}
