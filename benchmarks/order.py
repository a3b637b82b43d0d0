"""Training throughput of the order task, with a GRU and with a transformer layer, beside the same model in PyTorch.

  python -m benchmarks.order
  python -m benchmarks.order --quick

An embedding, the combiner (configs/order.py:combiner=gru and combiner=transformer), a hidden layer of 64, two classes,
Adam, on random sentences that are all equally long, so that no peer needs packing or a mask. The peers are nn.GRU and
nn.TransformerEncoderLayer, normalised first, with learned positions and the mean over words. What theirs have and ours
have not, the second bias of nn.GRU and the biases in attention, stays at zero and is not trained. First all are started
from the same parameters and must give the same losses.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from benchmarks.limits import Cost, dense_layers, embedding, gru, transformer
from benchmarks.measure import beside, describe_machine, parser, save
from benchmarks.ours import BATCH, EngineTraining, first_losses, make_dataset, plain
from benchmarks.pages import add_differences, add_floors, page
from benchmarks.peers.torch_loop import Optimizers, TorchTraining, adam, copy_weights, fused_adam
from configs import order
from data import Dataset, TextSpec

VOCABULARY, WIDTH, LENGTH, HIDDEN, HEADS = 6000, 64, 32, 64, 4
STEPS, ROUNDS, CHECKED_STEPS = 100, 7, 20
OURS = "this project"
PLAIN, FUSED, COMPILED = (
    "PyTorch eager, Adam",
    "PyTorch eager, Adam(fused=True)",
    "PyTorch, torch.compile, Adam",
)


def main() -> None:
    """Checks that all learn the same, times them, and writes benchmarks/results/order.{json,md}."""
    quick = parser(__doc__).parse_args().quick
    steps, rounds, round_seconds = (5, 3, 0.2) if quick else (STEPS, ROUNDS, 1.5)
    tables, combiners = {}, {"GRU": ("gru", TorchGRU), "Transformer": ("transformer", TorchTransformer)}
    for heading, (combiner, model) in combiners.items():
        config, data = make_config(combiner), make_sentences(steps)
        differences = {PLAIN: _difference(config, model)}
        own = EngineTraining(config, data)
        groups = [
            {PLAIN: _in_torch(model, data, adam), FUSED: _in_torch(model, data, fused_adam)},
            {COMPILED: _in_torch(model, data, adam, compiled=True)},
        ]
        table = beside((OURS, own), groups, rounds=rounds, round_seconds=round_seconds)
        add_differences(table, differences)
        cost = _cost(combiner, data)
        add_floors(table, dict.fromkeys(table, cost))
        tables[heading] = table
    machine = describe_machine()
    about = (
        f"Vocabulary {VOCABULARY:,}, width {WIDTH}, batch {BATCH}, sentences of {LENGTH} words, a hidden layer of "
        f"{HIDDEN}, Adam, float32. The second bias of nn.GRU and the biases in nn.TransformerEncoderLayer's attention "
        "stay at zero, since ours has none."
    )
    settings = {"vocabulary": VOCABULARY, "width": WIDTH, "batch": BATCH, "length": LENGTH, "rounds": rounds}
    batches = dict.fromkeys(tables, BATCH)
    text = page("Order: training throughput", about, tables, batches, rounds, machine)
    save("order", {"machine": machine, "settings": settings, "tables": tables}, text, quick=quick)


def make_config(combiner: str) -> Any:
    """Returns the config that is trained with one of the two combiners."""
    config = plain(order.get_config(f"combiner={combiner}"))
    config.model.dim, config.model.hidden = WIDTH, (HIDDEN,)
    return config


def make_sentences(steps: int) -> Dataset:
    """Returns random sentences for so many steps."""
    rng = np.random.default_rng(0)
    tokens = rng.integers(1, VOCABULARY, (steps * BATCH, LENGTH), dtype=np.int32)
    targets = rng.integers(0, 2, steps * BATCH, dtype=np.int32)
    spec = TextSpec(num_slots=LENGTH, vocab_size=VOCABULARY, classes=("a", "b"))
    return make_dataset("random sentences", spec, {"tokens": tokens}, targets)


def _cost(combiner: str, data: Dataset) -> Cost:
    different = len(np.unique(data.splits["train"].inputs["tokens"][:BATCH]))
    encoder = (
        gru(BATCH, LENGTH, WIDTH)
        if combiner == "gru"
        else transformer(BATCH, LENGTH, WIDTH, HEADS, 4 * WIDTH)
    )
    rest = dense_layers(BATCH, (WIDTH, HIDDEN, 2)) + embedding(VOCABULARY, WIDTH, different, sparse=False)
    return encoder + rest


class _TorchSentences(torch.nn.Module):
    """An embedding, an encoder and two linear layers."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = torch.nn.Embedding(VOCABULARY, WIDTH, padding_idx=0)
        self.head = torch.nn.Sequential(
            torch.nn.Linear(WIDTH, HIDDEN), torch.nn.ReLU(), torch.nn.Linear(HIDDEN, 2)
        )

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Returns the logits."""
        return self.head(self.encode(self.embedding(tokens)))


class TorchGRU(_TorchSentences):
    """nn.GRU, of which the last state counts."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = torch.nn.GRU(WIDTH, WIDTH, batch_first=True)
        _stay_zero(self.encoder.bias_hh_l0)

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        """Returns the last state."""
        return self.encoder(x)[1][0]

    def pairs(self, ours: Any) -> list[tuple[torch.nn.Parameter, Any]]:
        """Returns the encoder's parameters, each with ours."""
        cell = ours.combiner.cell
        return [
            (self.encoder.weight_ih_l0, cell.dense_i.kernel[...].T),
            (self.encoder.bias_ih_l0, cell.dense_i.bias[...]),
            (self.encoder.weight_hh_l0, cell.dense_h.kernel[...].T),
        ]


class TorchTransformer(_TorchSentences):
    """nn.TransformerEncoderLayer over words and positions, and the mean."""

    def __init__(self) -> None:
        super().__init__()
        self.positions = torch.nn.Parameter(0.02 * torch.randn(LENGTH, WIDTH))
        self.encoder = torch.nn.TransformerEncoderLayer(
            WIDTH, HEADS, 4 * WIDTH, dropout=0.0, layer_norm_eps=1e-6, batch_first=True, norm_first=True
        )
        _stay_zero(self.encoder.self_attn.in_proj_bias)
        _stay_zero(self.encoder.self_attn.out_proj.bias)

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        """Returns the mean over words."""
        return self.encoder(x + self.positions).mean(dim=1)

    def pairs(self, ours: Any) -> list[tuple[torch.nn.Parameter, Any]]:
        """Returns the encoder's parameters, each with ours."""
        attention, layer, combiner = self.encoder.self_attn, self.encoder, ours.combiner
        maps = [
            getattr(combiner.attention, name).kernel[...].reshape(WIDTH, WIDTH)
            for name in ("query", "key", "value")
        ]
        inner, _, outer = combiner.feed_forward.layers
        return [
            (self.positions, combiner.positions[...]),
            (attention.in_proj_weight, np.concatenate([np.array(m).T for m in maps])),
            (attention.out_proj.weight, combiner.attention.out.kernel[...].reshape(WIDTH, WIDTH).T),
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


def _in_torch(
    model: type[_TorchSentences], data: Dataset, optimizers: Optimizers, *, compiled: bool = False
) -> Callable[[], TorchTraining]:
    split = data.splits["train"]
    tokens, targets = split.inputs["tokens"], split.targets
    return lambda: TorchTraining(model(), [tokens], targets, optimizers, compiled=compiled)


def _difference(config: Any, model: type[_TorchSentences]) -> float:
    """Returns the largest difference of a peer's losses from ours, from the same parameters on the same batches."""
    data = make_sentences(CHECKED_STEPS)
    ours, rows, losses = first_losses(config, data)
    peer = _in_torch(model, data, adam)()
    first, _, last = peer.model.head
    hidden, output = ours.dense.hidden[0], ours.dense.output
    copy_weights(
        [
            (peer.model.embedding.weight, ours.embedding.table[...]),
            *peer.model.pairs(ours),
            (first.weight, hidden.kernel[...].T),
            (first.bias, hidden.bias[...]),
            (last.weight, output.kernel[...].T),
            (last.bias, output.bias[...]),
        ]
    )
    return float(np.abs(peer.losses(rows) - losses).max())


if __name__ == "__main__":
    main()
