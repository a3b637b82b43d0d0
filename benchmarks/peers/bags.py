"""Summed embeddings and one linear layer, as users of PyTorch, Keras and Flax write them."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from flax import nnx
from jaxtyping import Array

from benchmarks.measure import Contender
from benchmarks.peers.flax_loop import FlaxTraining
from benchmarks.peers.torch_loop import (
    Optimizers,
    TorchTraining,
    adam,
    copy_weights,
    fused_adam,
    sparse_adam,
)
from data import Dataset

KERAS, FLAX = "Keras on JAX, fit", "Flax NNX, a jitted step"
SCALE = 0.03  # of the initial embeddings, as ours


class TorchBag(torch.nn.Module):
    """EmbeddingBag and Linear."""

    def __init__(self, vocabulary: int, width: int, *, sparse: bool = False):
        super().__init__()
        # Drawn here: the module's own start would take seconds for the largest table, and more than what we start from.
        table = torch.empty(vocabulary, width).normal_(std=SCALE)
        self.embedding = torch.nn.EmbeddingBag(
            vocabulary, width, mode="sum", padding_idx=0, sparse=sparse, _weight=table
        )
        self.output = torch.nn.Linear(width, 2)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Returns the logits."""
        return self.output(self.embedding(tokens))


class FlaxBag(nnx.Module):
    """Embed, sum and Linear."""

    def __init__(self, vocabulary: int, width: int, rngs: nnx.Rngs):
        start = nnx.initializers.normal(SCALE)
        self.embedding = nnx.Embed(vocabulary, width, embedding_init=start, rngs=rngs)
        self.output = nnx.Linear(width, 2, rngs=rngs)

    def __call__(self, tokens: Array) -> Array:
        """Returns the logits."""
        return self.output(self.embedding(tokens).sum(axis=1))


def contenders(data: Dataset, vocabulary: int, width: int) -> dict[str, Callable[[], Contender]]:
    """Returns name -> what makes a contender."""
    split = data.splits["train"]
    tokens, targets = split.inputs["tokens"], split.targets

    def in_torch(
        optimizers: Optimizers, *, sparse: bool = False, compiled: bool = False
    ) -> Callable[[], Any]:
        def make() -> TorchTraining:
            model = TorchBag(vocabulary, width, sparse=sparse)
            return TorchTraining(model, [tokens], targets, optimizers, compiled=compiled)

        return make

    def in_keras() -> Contender:
        from benchmarks.peers.keras_loop import KerasTraining  # slow to import

        def build(keras: Any) -> Any:
            start = keras.initializers.RandomNormal(stddev=SCALE)
            return keras.Sequential(
                [
                    keras.Input((tokens.shape[1],), dtype="int32"),
                    keras.layers.Embedding(vocabulary, width, embeddings_initializer=start),
                    keras.layers.Lambda(lambda x: keras.ops.sum(x, axis=1)),
                    keras.layers.Dense(2),
                ]
            )

        return KerasTraining(build, tokens, targets)

    return {
        "PyTorch eager, Adam": in_torch(adam),
        "PyTorch eager, Adam(fused=True)": in_torch(fused_adam),
        "PyTorch eager, SparseAdam": in_torch(sparse_adam, sparse=True),
        "PyTorch, torch.compile, Adam": in_torch(adam, compiled=True),
        KERAS: in_keras,
        FLAX: lambda: FlaxTraining(FlaxBag(vocabulary, width, nnx.Rngs(0)), [tokens], targets),
    }


def copy_into(peer: Any, ours: Any) -> None:
    """Starts a peer from our parameters."""
    table, output = ours.embedding.table[...], ours.dense.output
    model = peer.model
    if isinstance(model, TorchBag):
        copy_weights(
            [
                (model.embedding.weight, table),
                (model.output.weight, output.kernel[...].T),
                (model.output.bias, output.bias[...]),
            ]
        )
    elif isinstance(model, FlaxBag):
        model.embedding.embedding[...] = table.copy()
        model.output.kernel[...], model.output.bias[...] = output.kernel[...].copy(), output.bias[...].copy()
    else:
        model.set_weights([np.array(table), np.array(output.kernel[...]), np.array(output.bias[...])])
