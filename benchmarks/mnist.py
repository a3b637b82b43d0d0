"""Training throughput of the 1024-512-10 network with the sum beside the same network in eager PyTorch.

Both train on the same images of MNIST, centred in 32x32, with Adam. The peer is what a PyTorch user would write: the
images as one float tensor, Linear, ReLU, Linear, CrossEntropyLoss, Adam, a Python loop; with Adam's default
implementation, with its fused one, and with the zeros around the images left out by hand, as our model does it. First
both are started from the same parameters and must give the same losses.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch
from flax import nnx

import data
from benchmarks.measure import alternate, compare, describe_machine, save
from configs import mnist
from training.engine import Program, TrainState, init_state, train_epoch, train_step
from training.network import make_network, make_program

BATCH, STEPS, ROUNDS = 128, 200, 9
INSIDE = slice(2, 30)  # of 28x28 pixels in 32x32


def main() -> None:
    """Checks that both learn the same, times them, and writes benchmarks/results/mnist.{json,md}."""
    config = mnist.get_config("combiner=sum")
    config.train.batch_size, config.model.dropout = BATCH, 0.0
    config.optimizer.name, config.optimizer.weight_decay = "adam", 0.0
    config.optimizer.schedule, config.train.patience = "constant", 10**6
    dataset = data.load("mnist", config.data)
    pixels = dataset.splits["train"].inputs["pixels"][: STEPS * BATCH]
    targets = dataset.splits["train"].targets[: STEPS * BATCH]
    program = make_program(config, make_network(config, dataset.spec), dataset.spec, len(targets))

    difference = _loss_difference(program, pixels, targets, steps=20)
    if difference > 5e-5:
        raise AssertionError(f"the two models differ: losses are up to {difference:.2e} apart")

    inside = pixels[:, INSIDE, INSIDE]
    contenders = {
        "this project": _JaxTraining(program, pixels, targets).round,
        "PyTorch eager, Adam": _TorchTraining(pixels, targets).round,
        "PyTorch eager, Adam(fused=True)": _TorchTraining(pixels, targets, fused=True).round,
        "PyTorch eager, Adam, 784 inputs": _TorchTraining(inside, targets).round,
        "PyTorch eager, Adam(fused=True), 784 inputs": _TorchTraining(inside, targets, fused=True).round,
    }
    seconds = alternate(contenders, ROUNDS)
    table = compare(seconds, "this project")
    machine = {**describe_machine(), "torch": torch.__version__, "torch_threads": torch.get_num_threads()}
    result = {
        "machine": machine,
        "settings": {"network": "1024-512-10", "batch": BATCH, "steps_per_round": STEPS, "rounds": ROUNDS},
        "largest_loss_difference": difference,
        "seconds": seconds,
        "table": table,
    }
    save("mnist", result, _markdown(table, machine, difference))


class _JaxTraining:
    """Our engine: one call is one epoch; the validation split is one batch, so that it costs next to nothing."""

    def __init__(self, program: Program, pixels: np.ndarray, targets: np.ndarray):
        bucket = jnp.zeros(len(targets), jnp.int32)
        self._train = {"pixels": jnp.asarray(pixels), "targets": jnp.asarray(targets), "bucket": bucket}
        self._validation = {name: array[:BATCH] for name, array in self._train.items()}
        self._state: TrainState = init_state(jnp.uint32(0), jnp.float32(1e-3), program)
        self._epoch = jax.jit(functools.partial(train_epoch, program=program), donate_argnums=0)

    def round(self) -> None:
        self._state, _ = jax.block_until_ready(self._epoch(self._state, 0, self._train, self._validation))


class _TorchTraining:
    """A plain PyTorch training loop over the same examples, in a new order every epoch."""

    def __init__(self, pixels: np.ndarray, targets: np.ndarray, *, fused: bool = False):
        self._pixels = torch.from_numpy(pixels.reshape(len(pixels), -1).astype(np.float32) / 255)
        self._targets = torch.from_numpy(targets).long()
        self.hidden = torch.nn.Linear(self._pixels.shape[1], 512)
        self.output = torch.nn.Linear(512, 10)
        self._model = torch.nn.Sequential(self.hidden, torch.nn.ReLU(), self.output)
        self._loss = torch.nn.CrossEntropyLoss()
        self._optimizer = torch.optim.Adam(self._model.parameters(), lr=1e-3, fused=fused)

    def step(self, rows: torch.Tensor) -> torch.Tensor:
        loss = self._loss(self._model(self._pixels[rows]), self._targets[rows])
        self._optimizer.zero_grad()
        loss.backward()
        self._optimizer.step()
        return loss

    def round(self) -> None:
        for rows in torch.randperm(len(self._targets)).split(BATCH):
            self.step(rows)


def _loss_difference(program: Program, pixels: np.ndarray, targets: np.ndarray, steps: int) -> float:
    """Returns the largest difference between the losses of both, from the same start over the same batches."""
    state = init_state(jnp.uint32(0), jnp.float32(1e-3), program)
    model: Any = nnx.merge(program.network.graphdef, state.params, state.fixed)
    peer = _TorchTraining(pixels, targets)
    with torch.no_grad():
        peer.hidden.weight.copy_(_to_torch(_dense_kernel(model).T))
        peer.hidden.bias.copy_(_to_torch(model.bias[...]))
        peer.output.weight.copy_(_to_torch(model.dense.output.kernel[...].T))
        peer.output.bias.copy_(_to_torch(model.dense.output.bias[...]))

    take_step = jax.jit(functools.partial(train_step, program=program))
    params, opt_state, largest = state.params, state.opt_state, 0.0
    for step in range(steps):
        rows = slice(step * BATCH, (step + 1) * BATCH)
        batch = {"pixels": pixels[rows], "targets": targets[rows], "present": np.ones(BATCH, np.float32)}
        params, opt_state, sums = take_step(
            params, state.fixed, opt_state, batch, 0, jax.random.key(0), state.learning_rate
        )
        theirs = peer.step(torch.arange(rows.start, rows.stop)).item()
        largest = max(largest, abs(float(sums["loss"]) / BATCH - theirs))
    return largest


def _dense_kernel(model: Any) -> jax.Array:
    """Returns [1024, 512], the weights of all pixels in the order of the image, from those of four 16x16 parts."""
    grid = model.embedding.kernel[...].reshape(2, 2, 16, 16, 512)
    return grid.swapaxes(1, 2).reshape(1024, 512)


def _to_torch(array: jax.Array) -> torch.Tensor:
    return torch.from_numpy(np.array(array))


def _markdown(table: dict[str, dict[str, float]], machine: dict[str, Any], difference: float) -> str:
    lines = [
        "# MNIST: training throughput",
        "",
        f"1024-512-10 on images of MNIST, batch {BATCH}, Adam, float32. Median of {ROUNDS} alternating rounds of "
        f"{STEPS} steps in one process. Losses of both from the same start agree to {difference:.0e} over 20 steps. "
        "Our model knows that 240 of the 1,024 pixels are zeros around the images and leaves them out of its matrix "
        "products; in the rows of 784 inputs PyTorch's network does without them, and their weights, too.",
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
