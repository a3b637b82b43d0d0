"""Training throughput of the bag-of-words model beside the same model in eager PyTorch.

Both train summed embeddings with one linear layer on the same random bags with dense Adam. The peer is what a PyTorch
user would write: EmbeddingBag, CrossEntropyLoss, Adam, a Python loop; once with Adam's default implementation and once
with its fused one. First both are started from the same parameters and must give the same losses.
"""

from typing import Any

import numpy as np
import torch
from flax import nnx

from benchmarks.measure import alternate, compare, describe_machine, save
from benchmarks.rounds import (
    EngineTraining,
    TorchTraining,
    copy_weights,
    loss_difference,
    start,
    throughput_page,
)
from configs import sentiment
from data import TextSpec
from training.engine import Program
from training.network import make_network, make_program

VOCAB_SIZE, WIDTH, BATCH, BAG = 20_000, 64, 128, 32
STEPS, ROUNDS = 200, 9


def main() -> None:
    """Checks that both learn the same, times them, and writes benchmarks/results/sentiment.{json,md}."""
    rng = np.random.default_rng(0)
    tokens = rng.integers(1, VOCAB_SIZE, (STEPS * BATCH, BAG), dtype=np.int32)
    targets = rng.integers(0, 2, STEPS * BATCH, dtype=np.int32)
    program = _program(len(targets))

    peer = _started_alike(program, tokens, targets)
    difference = loss_difference(program, {"tokens": tokens}, targets, peer, steps=20)
    if difference > 1e-5:
        raise AssertionError(f"the two models differ: losses are up to {difference:.2e} apart")

    contenders = {
        "this project": EngineTraining(program, {"tokens": tokens}, targets).round,
        "PyTorch eager, Adam": _peer_training(tokens, targets, fused=False).round,
        "PyTorch eager, Adam(fused=True)": _peer_training(tokens, targets, fused=True).round,
    }
    seconds = alternate(contenders, ROUNDS)
    table = compare(seconds, "this project")
    machine = {**describe_machine(), "torch": torch.__version__, "torch_threads": torch.get_num_threads()}
    settings = {
        "vocab_size": VOCAB_SIZE,
        "width": WIDTH,
        "batch": BATCH,
        "bag": BAG,
        "steps_per_round": STEPS,
        "rounds": ROUNDS,
    }
    result = {
        "machine": machine,
        "settings": settings,
        "largest_loss_difference": difference,
        "seconds": seconds,
        "table": table,
    }
    about = (
        f"Vocabulary {VOCAB_SIZE:,}, width {WIDTH}, batch {BATCH}, bags of {BAG}, dense Adam, float32. Median of "
        f"{ROUNDS} alternating rounds of {STEPS} steps in one process. Losses of both from the same start agree to "
        f"{difference:.0e} over 20 steps."
    )
    page = throughput_page("Sentiment: training throughput", about, table, STEPS, BATCH, machine)
    save("sentiment", result, page)


def _program(num_examples: int) -> Program:
    config = sentiment.get_config("combiner=sum")
    config.model.dim, config.train.batch_size, config.model.hidden = WIDTH, BATCH, ()
    config.model.dropout = config.model.word_dropout = 0.0
    config.optimizer.name, config.optimizer.weight_decay = "adam", 0.0
    config.optimizer.schedule, config.train.patience = "constant", 10**6
    config.train.length_buckets = 1  # all bags are equally long
    spec = TextSpec(num_slots=BAG, vocab_size=VOCAB_SIZE, classes=("a", "b"))
    program = make_program(config, make_network(config, spec), spec, num_examples)
    if program.widths != (BAG,):
        raise AssertionError(f"both must read the same {BAG} words of every bag, not {program.widths}")
    return program


class _Peer(torch.nn.Module):
    """Summed embeddings and one linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = torch.nn.EmbeddingBag(VOCAB_SIZE, WIDTH, mode="sum", padding_idx=0)
        self.output = torch.nn.Linear(WIDTH, 2)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.output(self.embedding(tokens))


def _peer_training(tokens: np.ndarray, targets: np.ndarray, *, fused: bool) -> TorchTraining:
    return TorchTraining(_Peer(), torch.from_numpy(tokens), targets, BATCH, fused=fused)


def _started_alike(program: Program, tokens: np.ndarray, targets: np.ndarray) -> TorchTraining:
    """Returns a peer with the parameters that our training starts from."""
    state, peer = start(program), _peer_training(tokens, targets, fused=False)
    ours: Any = nnx.merge(program.network.graphdef, state.params, state.fixed)
    copy_weights(
        {
            peer.model.embedding.weight: ours.embedding.table[...],
            peer.model.output.weight: ours.dense.output.kernel[...].T,
            peer.model.output.bias: ours.dense.output.bias[...],
        }
    )
    return peer


if __name__ == "__main__":
    main()
