"""What the training benchmarks share: rounds of our engine and of a PyTorch model, and that both learn alike."""

import functools
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch

from training.engine import Program, TrainState, init_state, train_epoch, train_step

LEARNING_RATE = 1e-3


class EngineTraining:
    """Our engine: one round is one epoch; the validation split is one batch, so that it costs next to nothing."""

    def __init__(self, program: Program, inputs: Mapping[str, np.ndarray], targets: np.ndarray):
        arrays = {**inputs, "targets": targets, "bucket": np.zeros(len(targets), np.int32)}
        self._train = {name: jnp.asarray(array) for name, array in arrays.items()}
        self._validation = {name: array[: program.batch_size] for name, array in self._train.items()}
        self._state = start(program)
        self._epoch = jax.jit(functools.partial(train_epoch, program=program), donate_argnums=0)

    def round(self) -> None:
        """Trains one epoch."""
        self._state, _ = jax.block_until_ready(self._epoch(self._state, 0, self._train, self._validation))


class TorchTraining:
    """A plain PyTorch training loop with Adam over the same examples, in a new order every epoch."""

    def __init__(
        self, model: torch.nn.Module, inputs: torch.Tensor, targets: np.ndarray, batch: int, *, fused: bool
    ):
        self.model, self._inputs, self._batch = model, inputs, batch
        self._targets = torch.from_numpy(targets).long()
        self._loss = torch.nn.CrossEntropyLoss()
        self._optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE, fused=fused)

    def step(self, rows: torch.Tensor) -> torch.Tensor:
        """Takes a step on a batch and returns its loss."""
        loss = self._loss(self.model(self._inputs[rows]), self._targets[rows])
        self._optimizer.zero_grad()
        loss.backward()
        self._optimizer.step()
        return loss

    def round(self) -> None:
        """Trains one epoch."""
        for rows in torch.randperm(len(self._targets)).split(self._batch):
            self.step(rows)


def start(program: Program) -> TrainState:
    """Returns the state that our training starts from."""
    return init_state(jnp.uint32(0), jnp.float32(LEARNING_RATE), program)


def loss_difference(
    program: Program, inputs: Mapping[str, np.ndarray], targets: np.ndarray, peer: TorchTraining, steps: int
) -> float:
    """Returns the largest difference between the losses of `start(program)` and of a peer over the same batches."""
    state, batch_size = start(program), program.batch_size
    take_step = jax.jit(functools.partial(train_step, program=program))
    params, opt_state, largest = state.params, state.opt_state, 0.0
    for step in range(steps):
        rows = slice(step * batch_size, (step + 1) * batch_size)
        batch = {name: array[rows] for name, array in {**inputs, "targets": targets}.items()}
        batch["present"] = np.ones(batch_size, np.float32)
        params, opt_state, sums = take_step(
            params, state.fixed, opt_state, batch, 0, jax.random.key(0), state.learning_rate
        )
        theirs = peer.step(torch.arange(rows.start, rows.stop)).item()
        largest = max(largest, abs(float(sums["loss"]) / batch_size - theirs))
    return largest


def copy_weights(pairs: Mapping[torch.nn.Parameter, jax.Array]) -> None:
    """Copies our arrays into a peer's parameters."""
    with torch.no_grad():
        for parameter, array in pairs.items():
            parameter.copy_(torch.from_numpy(np.array(array)))


def throughput_page(
    title: str,
    about: str,
    table: Mapping[str, Mapping[str, float]],
    steps: int,
    batch: int,
    machine: Mapping[str, Any],
) -> str:
    """Returns the Markdown of a benchmark.

    Args:
      title: of the page.
      about: what was measured, and how.
      table: of `measure.compare`.
      steps: of one round.
      batch: examples of one step.
      machine: of `measure.describe_machine`.
    """
    lines = [
        f"# {title}",
        "",
        about,
        "",
        "| | examples/s | ms per step | this project is faster by (least to greatest) |",
        "|---|---:|---:|---:|",
    ]
    for name, row in table.items():
        step = row["median_seconds"] / steps
        ratio = f"{row['ratio']:.1f}x ({row['ratio_min']:.1f} to {row['ratio_max']:.1f})"
        lines.append(f"| {name} | {batch / step:,.0f} | {1e3 * step:.2f} | {ratio} |")
    described = ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in machine.items())
    return "\n".join([*lines, "", f"Machine: {described}.", ""])
