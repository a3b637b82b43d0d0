"""Training throughput of the bag-of-words model beside the same model in eager PyTorch.

Both train summed embeddings with one linear layer on the same random bags with dense Adam. The peer is what a PyTorch
user would write: EmbeddingBag, CrossEntropyLoss, Adam, a Python loop; once with Adam's default implementation and once
with its fused one. First both are started from the same parameters and must give the same losses.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch
from flax import nnx

from benchmarks.measure import alternate, compare, describe_machine, save
from configs import sentiment
from data import TextSpec
from training.engine import Program, TrainState, init_state, train_epoch, train_step
from training.network import make_network, make_program

VOCAB_SIZE, WIDTH, BATCH, BAG = 20_000, 64, 128, 32
STEPS, ROUNDS = 200, 9


def main() -> None:
    """Checks that both learn the same, times them, and writes benchmarks/results/sentiment.{json,md}."""
    rng = np.random.default_rng(0)
    tokens = rng.integers(1, VOCAB_SIZE, (STEPS * BATCH, BAG), dtype=np.int32)
    targets = rng.integers(0, 2, STEPS * BATCH, dtype=np.int32)
    program = _program(len(targets))

    difference = _loss_difference(program, tokens, targets, steps=20)
    if difference > 1e-5:
        raise AssertionError(f"the two models differ: losses are up to {difference:.2e} apart")

    contenders = {
        "this project": _JaxTraining(program, tokens, targets).round,
        "PyTorch eager, Adam": _TorchTraining(tokens, targets, fused=False).round,
        "PyTorch eager, Adam(fused=True)": _TorchTraining(tokens, targets, fused=True).round,
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
    save("sentiment", result, _markdown(table, machine, difference))


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


class _JaxTraining:
    """Our engine: one call is one epoch; the validation split is one batch, so that it costs next to nothing."""

    def __init__(self, program: Program, tokens: np.ndarray, targets: np.ndarray):
        bucket = jnp.zeros(len(targets), jnp.int32)
        self._train = {"tokens": jnp.asarray(tokens), "targets": jnp.asarray(targets), "bucket": bucket}
        self._validation = {name: array[:BATCH] for name, array in self._train.items()}
        self._state: TrainState = init_state(jnp.uint32(0), jnp.float32(1e-3), program)
        self._epoch = jax.jit(functools.partial(train_epoch, program=program), donate_argnums=0)

    def round(self) -> None:
        self._state, _ = jax.block_until_ready(self._epoch(self._state, 0, self._train, self._validation))


class _TorchTraining:
    """A plain PyTorch training loop over the same examples, in a new order every epoch."""

    def __init__(self, tokens: np.ndarray, targets: np.ndarray, *, fused: bool):
        self._tokens, self._targets = torch.from_numpy(tokens), torch.from_numpy(targets).long()
        self.embedding = torch.nn.EmbeddingBag(VOCAB_SIZE, WIDTH, mode="sum", padding_idx=0)
        self.output = torch.nn.Linear(WIDTH, 2)
        self._loss = torch.nn.CrossEntropyLoss()
        parameters = [*self.embedding.parameters(), *self.output.parameters()]
        self._optimizer = torch.optim.Adam(parameters, lr=1e-3, fused=fused)

    def step(self, rows: torch.Tensor) -> torch.Tensor:
        loss = self._loss(self.output(self.embedding(self._tokens[rows])), self._targets[rows])
        self._optimizer.zero_grad()
        loss.backward()
        self._optimizer.step()
        return loss

    def round(self) -> None:
        for rows in torch.randperm(len(self._targets)).split(BATCH):
            self.step(rows)


def _loss_difference(program: Program, tokens: np.ndarray, targets: np.ndarray, steps: int) -> float:
    """Returns the largest difference between the losses of both, from the same start over the same batches."""
    state = init_state(jnp.uint32(0), jnp.float32(1e-3), program)
    model: Any = nnx.merge(program.network.graphdef, state.params, state.fixed)
    peer = _TorchTraining(tokens, targets, fused=False)
    with torch.no_grad():
        peer.embedding.weight.copy_(_to_torch(model.embedding.table[...]))
        peer.output.weight.copy_(_to_torch(model.dense.output.kernel[...].T))
        peer.output.bias.copy_(_to_torch(model.dense.output.bias[...]))

    take_step = jax.jit(functools.partial(train_step, program=program))
    params, opt_state, largest = state.params, state.opt_state, 0.0
    for step in range(steps):
        rows = slice(step * BATCH, (step + 1) * BATCH)
        batch = {"tokens": tokens[rows], "targets": targets[rows], "present": np.ones(BATCH, np.float32)}
        params, opt_state, sums = take_step(
            params, state.fixed, opt_state, batch, 0, jax.random.key(0), state.learning_rate
        )
        theirs = peer.step(torch.arange(rows.start, rows.stop)).item()
        largest = max(largest, abs(float(sums["loss"]) / BATCH - theirs))
    return largest


def _to_torch(array: jax.Array) -> torch.Tensor:
    return torch.from_numpy(np.array(array))


def _markdown(table: dict[str, dict[str, float]], machine: dict[str, Any], difference: float) -> str:
    lines = [
        "# Sentiment: training throughput",
        "",
        f"Vocabulary {VOCAB_SIZE:,}, width {WIDTH}, batch {BATCH}, bags of {BAG}, dense Adam, float32. Median of "
        f"{ROUNDS} alternating rounds of {STEPS} steps in one process. Losses of both from the same start agree to "
        f"{difference:.0e} over 20 steps.",
        "",
        "| | examples/s | ms per step | this project is faster by (least to greatest) |",
        "|---|---:|---:|---:|",
    ]
    for name, row in table.items():
        step = row["median_seconds"] / STEPS
        ratio = f"{row['ratio']:.1f}x ({row['ratio_min']:.1f} to {row['ratio_max']:.1f})"
        lines.append(f"| {name} | {BATCH / step:,.0f} | {1e3 * step:.2f} | {ratio} |")
    about = ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in machine.items())
    return "\n".join([*lines, "", f"Machine: {about}.", ""])


if __name__ == "__main__":
    main()
