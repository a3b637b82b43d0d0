"""Training throughput of the 1024-512-10 network with the sum beside the same network in eager PyTorch.

Both train on the same images of MNIST, centred in 32x32, with Adam. The peer is what a PyTorch user would write: the
images as one float tensor, Linear, ReLU, Linear, CrossEntropyLoss, Adam, a Python loop; with Adam's default
implementation, with its fused one, and with the zeros around the images left out by hand, as our model does it. First
both are started from the same parameters and must give the same losses.
"""

from typing import Any

import jax
import numpy as np
import torch
from flax import nnx

import data
from benchmarks.measure import alternate, compare, describe_machine, save
from benchmarks.rounds import (
    EngineTraining,
    TorchTraining,
    copy_weights,
    loss_difference,
    start,
    throughput_page,
)
from configs import mnist
from training.engine import Program
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

    peer = _started_alike(program, pixels, targets)
    difference = loss_difference(program, {"pixels": pixels}, targets, peer, steps=20)
    if difference > 5e-5:
        raise AssertionError(f"the two models differ: losses are up to {difference:.2e} apart")

    inside = pixels[:, INSIDE, INSIDE]
    contenders = {
        "this project": EngineTraining(program, {"pixels": pixels}, targets).round,
        "PyTorch eager, Adam": _peer_training(pixels, targets, fused=False).round,
        "PyTorch eager, Adam(fused=True)": _peer_training(pixels, targets, fused=True).round,
        "PyTorch eager, Adam, 784 inputs": _peer_training(inside, targets, fused=False).round,
        "PyTorch eager, Adam(fused=True), 784 inputs": _peer_training(inside, targets, fused=True).round,
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
    about = (
        f"1024-512-10 on images of MNIST, batch {BATCH}, Adam, float32. Median of {ROUNDS} alternating rounds of "
        f"{STEPS} steps in one process. Losses of both from the same start agree to {difference:.0e} over 20 steps. "
        "Our model knows that 240 of the 1,024 pixels are zeros around the images and leaves them out of its matrix "
        "products; in the rows of 784 inputs PyTorch's network does without them, and their weights, too."
    )
    page = throughput_page("MNIST: training throughput", about, table, STEPS, BATCH, machine)
    save("mnist", result, page)


def _peer_training(pixels: np.ndarray, targets: np.ndarray, *, fused: bool) -> TorchTraining:
    inputs = torch.from_numpy(pixels.reshape(len(pixels), -1).astype(np.float32) / 255)
    model = torch.nn.Sequential(
        torch.nn.Linear(inputs.shape[1], 512), torch.nn.ReLU(), torch.nn.Linear(512, 10)
    )
    return TorchTraining(model, inputs, targets, BATCH, fused=fused)


def _started_alike(program: Program, pixels: np.ndarray, targets: np.ndarray) -> TorchTraining:
    """Returns a peer with the parameters that our training starts from."""
    state, peer = start(program), _peer_training(pixels, targets, fused=False)
    ours: Any = nnx.merge(program.network.graphdef, state.params, state.fixed)
    hidden, _, output = peer.model
    copy_weights(
        {
            hidden.weight: _dense_kernel(ours).T,
            hidden.bias: ours.bias[...],
            output.weight: ours.dense.output.kernel[...].T,
            output.bias: ours.dense.output.bias[...],
        }
    )
    return peer


def _dense_kernel(model: Any) -> jax.Array:
    """Returns [1024, 512], the weights of all pixels in the order of the image, from those of four 16x16 parts."""
    grid = model.embedding.kernel[...].reshape(2, 2, 16, 16, 512)
    return grid.swapaxes(1, 2).reshape(1024, 512)


if __name__ == "__main__":
    main()
