"""Sentences read by a GRU or by a transformer layer, as users of PyTorch, Keras and Flax write them."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch
from flax import nnx
from jaxtyping import Array, Float, Int

from benchmarks.measure import Contender
from benchmarks.peers.bags import FLAX, KERAS
from benchmarks.peers.flax_loop import FlaxTraining
from benchmarks.peers.torch_loop import Optimizers, TorchTraining, adam, copy_weights, fused_adam
from data import Dataset

EPSILON, POSITION_SCALE = 1e-6, 0.02  # of the normalisations, and of the initial positions, as ours


@dataclasses.dataclass(frozen=True)
class Sizes:
    """How large the model is: words, width of a vector, words of a sentence, hidden layer, attention heads."""

    vocabulary: int
    width: int
    length: int
    hidden: int
    heads: int


class _TorchSentences(torch.nn.Module):
    """An embedding, an encoder and two linear layers."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.embedding = torch.nn.Embedding(sizes.vocabulary, sizes.width, padding_idx=0)
        self.head = torch.nn.Sequential(
            torch.nn.Linear(sizes.width, sizes.hidden), torch.nn.ReLU(), torch.nn.Linear(sizes.hidden, 2)
        )

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Returns the logits."""
        return self.head(self.encode(self.embedding(tokens)))


class TorchGRU(_TorchSentences):
    """nn.GRU, of which the last state counts."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__(sizes)
        self.encoder = torch.nn.GRU(sizes.width, sizes.width, batch_first=True)
        _stay_zero(self.encoder.bias_hh_l0)

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        """Returns the last state."""
        return self.encoder(x)[1][0]

    def pairs(self, combiner: Any) -> list[tuple[torch.nn.Parameter, Any]]:
        """Returns the encoder's parameters, each with ours."""
        cell = combiner.cell
        return [
            (self.encoder.weight_ih_l0, cell.dense_i.kernel[...].T),
            (self.encoder.bias_ih_l0, cell.dense_i.bias[...]),
            (self.encoder.weight_hh_l0, cell.dense_h.kernel[...].T),
        ]


class TorchTransformer(_TorchSentences):
    """nn.TransformerEncoderLayer over words and positions, and the mean."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__(sizes)
        width = sizes.width
        self.positions = torch.nn.Parameter(POSITION_SCALE * torch.randn(sizes.length, width))
        self.encoder = torch.nn.TransformerEncoderLayer(
            width,
            sizes.heads,
            4 * width,
            dropout=0.0,
            layer_norm_eps=EPSILON,
            batch_first=True,
            norm_first=True,
        )
        _stay_zero(self.encoder.self_attn.in_proj_bias)
        _stay_zero(self.encoder.self_attn.out_proj.bias)

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        """Returns the mean over words."""
        return self.encoder(x + self.positions).mean(dim=1)

    def pairs(self, combiner: Any) -> list[tuple[torch.nn.Parameter, Any]]:
        """Returns the encoder's parameters, each with ours."""
        attention, layer = self.encoder.self_attn, self.encoder
        width = self.positions.shape[1]
        maps = [getattr(combiner.attention, name).kernel[...] for name in ("query", "key", "value")]
        inner, _, outer = combiner.feed_forward.layers
        return [
            (self.positions, combiner.positions[...]),
            (attention.in_proj_weight, np.concatenate([np.array(m).reshape(width, width).T for m in maps])),
            (attention.out_proj.weight, combiner.attention.out.kernel[...].reshape(width, width).T),
            (layer.norm1.weight, combiner.attention_norm.scale[...]),
            (layer.norm1.bias, combiner.attention_norm.bias[...]),
            (layer.norm2.weight, combiner.feed_forward_norm.scale[...]),
            (layer.norm2.bias, combiner.feed_forward_norm.bias[...]),
            (layer.linear1.weight, inner.kernel[...].T),
            (layer.linear1.bias, inner.bias[...]),
            (layer.linear2.weight, outer.kernel[...].T),
            (layer.linear2.bias, outer.bias[...]),
        ]


def _stay_zero(parameter: torch.nn.Parameter) -> None:
    torch.nn.init.zeros_(parameter)
    parameter.requires_grad_(False)


class _FlaxSentences(nnx.Module):
    """An embedding, an encoder and two linear layers."""

    def __init__(self, sizes: Sizes, encoder: nnx.Module, rngs: nnx.Rngs):
        self.embedding = nnx.Embed(sizes.vocabulary, sizes.width, rngs=rngs)
        self.encoder = encoder
        self.hidden = nnx.Linear(sizes.width, sizes.hidden, rngs=rngs)
        self.output = nnx.Linear(sizes.hidden, 2, rngs=rngs)

    def __call__(self, tokens: Int[Array, "batch words"]) -> Float[Array, "batch 2"]:
        """Returns the logits."""
        return self.output(nnx.relu(self.hidden(self.encoder(self.embedding(tokens)))))


class FlaxGRU(nnx.Module):
    """nnx.RNN over nnx.GRUCell, of which the last state counts."""

    def __init__(self, sizes: Sizes, rngs: nnx.Rngs):
        self.cell = nnx.GRUCell(sizes.width, sizes.width, rngs=rngs)
        self.rnn = nnx.RNN(self.cell, return_carry=True, rngs=rngs)

    def __call__(self, x: Float[Array, "batch words width"]) -> Float[Array, "batch width"]:
        """Returns the last state."""
        return self.rnn(x)[0]


class FlaxTransformer(nnx.Module):
    """Flax's own attention and layers over words and positions, normalised first, and the mean."""

    def __init__(self, sizes: Sizes, rngs: nnx.Rngs):
        width = sizes.width
        self.positions = nnx.Param(POSITION_SCALE * jax.random.normal(rngs.params(), (sizes.length, width)))
        self.attention_norm, self.feed_forward_norm = (
            nnx.LayerNorm(width, epsilon=EPSILON, rngs=rngs) for _ in range(2)
        )
        self.attention = nnx.MultiHeadAttention(
            sizes.heads, width, use_bias=False, decode=False, deterministic=True, rngs=rngs
        )
        self.feed_forward = nnx.Sequential(
            nnx.Linear(width, 4 * width, rngs=rngs), nnx.relu, nnx.Linear(4 * width, width, rngs=rngs)
        )

    def __call__(self, x: Float[Array, "batch words width"]) -> Float[Array, "batch width"]:
        """Returns the mean over words."""
        h = x + self.positions[...]
        h = h + self.attention(self.attention_norm(h))
        return (h + self.feed_forward(self.feed_forward_norm(h))).mean(axis=1)


def _keras_gru(keras: Any, sizes: Sizes) -> Any:
    def without_second(bias: Any) -> Any:  # [2, gates]: of the map of x, and of that of the state
        return bias * np.array([[1.0], [0.0]], np.float32)

    words = keras.Input((sizes.length,), dtype="int32")
    x = keras.layers.Embedding(sizes.vocabulary, sizes.width, name="embedding")(words)
    h = keras.layers.GRU(sizes.width, bias_constraint=without_second, name="encoder")(x)
    return keras.Model(words, _keras_head(keras, sizes, h))


def _keras_transformer(keras: Any, sizes: Sizes) -> Any:
    layers, width = keras.layers, sizes.width

    class Positions(layers.Layer):
        """Adds a vector to each place."""

        def build(self, shape: Any) -> None:
            self.vectors = self.add_weight(
                shape=shape[1:], initializer=keras.initializers.RandomNormal(stddev=POSITION_SCALE)
            )

        def call(self, x: Any) -> Any:
            return x + self.vectors

    words = keras.Input((sizes.length,), dtype="int32")
    x = layers.Embedding(sizes.vocabulary, width, name="embedding")(words)
    h = Positions(name="positions")(x)
    z = layers.LayerNormalization(epsilon=EPSILON, name="attention_norm")(h)
    attention = layers.MultiHeadAttention(sizes.heads, width // sizes.heads, use_bias=False, name="attention")
    h = h + attention(z, z)
    z = layers.LayerNormalization(epsilon=EPSILON, name="feed_forward_norm")(h)
    z = layers.Dense(4 * width, activation="relu", name="inner")(z)
    h = layers.GlobalAveragePooling1D()(h + layers.Dense(width, name="outer")(z))
    return keras.Model(words, _keras_head(keras, sizes, h))


def _keras_head(keras: Any, sizes: Sizes, h: Any) -> Any:
    hidden = keras.layers.Dense(sizes.hidden, activation="relu", name="hidden")(h)
    return keras.layers.Dense(2, name="output")(hidden)


_MODELS = {
    "gru": (TorchGRU, FlaxGRU, _keras_gru),
    "transformer": (TorchTransformer, FlaxTransformer, _keras_transformer),
}


def contenders(data: Dataset, combiner: str, sizes: Sizes) -> dict[str, Callable[[], Contender]]:
    """Returns name -> what makes a contender; `combiner` is gru or transformer."""
    split = data.splits["train"]
    tokens, targets = split.inputs["tokens"], split.targets
    in_pytorch, encoder, keras_model = _MODELS[combiner]

    def in_torch(optimizers: Optimizers, *, compiled: bool = False) -> Callable[[], Contender]:
        return lambda: TorchTraining(in_pytorch(sizes), [tokens], targets, optimizers, compiled=compiled)

    def in_keras() -> Contender:
        from benchmarks.peers.keras_loop import KerasTraining  # slow to import

        return KerasTraining(lambda keras: keras_model(keras, sizes), tokens, targets)

    def in_flax() -> Contender:
        rngs = nnx.Rngs(0)
        return FlaxTraining(_FlaxSentences(sizes, encoder(sizes, rngs), rngs), [tokens], targets)

    return {
        "PyTorch eager, Adam": in_torch(adam),
        "PyTorch eager, Adam(fused=True)": in_torch(fused_adam),
        KERAS: in_keras,
        FLAX: in_flax,
        "PyTorch, torch.compile, Adam": in_torch(adam, compiled=True),
    }


def copy_into(peer: Any, ours: Any) -> None:
    """Starts a peer from our parameters."""
    model, hidden, output = peer.model, ours.dense.hidden[0], ours.dense.output
    if isinstance(model, _TorchSentences):
        first, _, last = model.head
        layers = ((first, hidden), (last, output))
        copy_weights(
            [
                (model.embedding.weight, ours.embedding.table[...]),
                *model.pairs(ours.combiner),
                *((theirs.weight, layer.kernel[...].T) for theirs, layer in layers),
                *((theirs.bias, layer.bias[...]) for theirs, layer in layers),
            ]
        )
    elif isinstance(model, _FlaxSentences):
        model.embedding.embedding[...] = ours.embedding.table[...].copy()
        for theirs, layer in (
            (model.encoder, ours.combiner),
            (model.hidden, hidden),
            (model.output, output),
        ):
            _copy_state(theirs, layer)
    else:
        _copy_into_keras(model, ours)


def _copy_state(theirs: nnx.Module, ours: nnx.Module) -> None:
    """Copies the parameters of a module of Flax to one that has them under the same names."""
    state = nnx.state(theirs, nnx.Param)
    nnx.replace_by_pure_dict(state, jax.tree.map(jnp.copy, nnx.to_pure_dict(nnx.state(ours, nnx.Param))))
    nnx.update(theirs, state)


def _copy_into_keras(model: Any, ours: Any) -> None:
    def dense(layer: Any) -> list[np.ndarray]:
        return [np.array(layer.kernel[...]), np.array(layer.bias[...])]

    combiner = ours.combiner
    weights = {
        "embedding": [np.array(ours.embedding.table[...])],
        "hidden": dense(ours.dense.hidden[0]),
        "output": dense(ours.dense.output),
    }
    if hasattr(combiner, "cell"):

        def reordered(array: Array) -> np.ndarray:  # reset, update, candidate -> update, reset, candidate
            reset, update, candidate = np.split(np.array(array), 3, axis=-1)
            return np.concatenate([update, reset, candidate], axis=-1)

        of_x, of_h = combiner.cell.dense_i, combiner.cell.dense_h
        bias = reordered(of_x.bias[...])
        weights["encoder"] = [
            reordered(of_x.kernel[...]),
            reordered(of_h.kernel[...]),
            np.stack([bias, np.zeros_like(bias)]),
        ]
    else:
        inner, _, outer = combiner.feed_forward.layers
        maps = (getattr(combiner.attention, name) for name in ("query", "key", "value", "out"))
        weights |= {
            "positions": [np.array(combiner.positions[...])],
            "attention": [np.array(linear.kernel[...]) for linear in maps],
            "inner": dense(inner),
            "outer": dense(outer),
        }
        for name in ("attention_norm", "feed_forward_norm"):
            norm = getattr(combiner, name)
            weights[name] = [np.array(norm.scale[...]), np.array(norm.bias[...])]
    for name, arrays in weights.items():
        model.get_layer(name).set_weights(arrays)
