"""Training throughput of the 1024-512-10 network with the sum beside the same network in PyTorch, Keras and Flax.

  python -m benchmarks.mnist
  python -m benchmarks.mnist --quick

All train on the same images of MNIST, centred in 32x32, by Adam. The peers are what a user would write: the images as
one float array, two linear layers with ReLU, cross-entropy, Adam; in PyTorch also with the zeros around the images left
out by hand, as our model does it. First all are started from the same parameters and must give the same losses.
"""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import torch
from flax import nnx
from jaxtyping import Array, Float, UInt8

import data
from benchmarks.limits import dense_layers
from benchmarks.measure import Contender, beside, describe_machine, parser, save
from benchmarks.ours import BATCH, EngineTraining, first_losses, make_dataset, plain
from benchmarks.pages import add_differences, add_floors, page
from benchmarks.peers.flax_loop import FlaxTraining
from benchmarks.peers.torch_loop import Optimizers, TorchTraining, adam, copy_weights, fused_adam
from configs import mnist

STEPS, ROUNDS, CHECKED_STEPS = 400, 9, 20
INSIDE = slice(2, 30)  # of 28x28 pixels in 32x32
WIDTHS = (1024, 512, 10)
OURS = "this project"


def main() -> None:
    """Checks that all learn the same, times them, and writes benchmarks/results/mnist.{json,md}."""
    quick = parser(__doc__).parse_args().quick
    steps, rounds, round_seconds = (20, 3, 0.2) if quick else (STEPS, ROUNDS, 1.5)
    config = make_config()
    differences = _check_alike(config, make_images(CHECKED_STEPS))
    dataset = make_images(steps)
    everything = _contenders(dataset)
    groups = [
        {name: make for name, make in everything.items() if ("compile" in name) == last}
        for last in (False, True)
    ]
    own = EngineTraining(config, dataset)
    table = beside((OURS, own), groups, rounds=rounds, round_seconds=round_seconds)
    add_differences(table, differences)
    whole = dense_layers(BATCH, WIDTHS, input_gradient=False)
    inside = dense_layers(BATCH, (784, *WIDTHS[1:]), input_gradient=False)
    ours = dense_layers(BATCH, WIDTHS, read_inputs=784, input_gradient=False)
    costs = {name: inside if "784" in name else whole for name in everything}
    add_floors(table, {OURS: ours, **costs})
    machine = describe_machine()
    result = {
        "machine": machine,
        "settings": {"network": WIDTHS, "batch": BATCH, "rounds": rounds},
        "table": table,
    }
    about = (
        f"1024-512-10 on images of MNIST, batch {BATCH}, Adam, float32. Our model knows that 240 of the 1,024 pixels "
        "are zeros around the images and leaves them out of its matrix products, so its floor has products of 784 "
        "inputs and the optimiser of all 1,024; in the rows of 784 inputs PyTorch's network does without them, and "
        "without their weights."
    )
    text = page("MNIST: training throughput", about, {"": table}, {"": BATCH}, rounds, machine)
    save("mnist", result, text, quick=quick)


def make_config() -> Any:
    """Returns the config that is trained."""
    return plain(mnist.get_config("combiner=sum"))


def make_images(steps: int) -> data.Dataset:
    """Returns the first images for so many steps."""
    loaded = data.load("mnist", make_config().data)
    train, stop = loaded.splits["train"], steps * BATCH
    return make_dataset("mnist", loaded.spec, {"pixels": train.inputs["pixels"][:stop]}, train.targets[:stop])


class _FlaxNetwork(nnx.Module):
    """Linear, ReLU, Linear."""

    def __init__(self) -> None:
        rngs = nnx.Rngs(0)
        self.hidden, self.output = (nnx.Linear(m, n, rngs=rngs) for m, n in ((1024, 512), (512, 10)))

    def __call__(self, pixels: Float[Array, "batch 1024"]) -> Float[Array, "batch 10"]:
        """Returns the logits."""
        return self.output(nnx.relu(self.hidden(pixels)))


def _contenders(dataset: data.Dataset) -> dict[str, Callable[[], Contender]]:
    """Returns name -> what makes a contender."""
    split = dataset.splits["train"]
    images, targets = split.inputs["pixels"], split.targets
    pixels = _flat(images)

    def in_torch(
        optimizers: Optimizers, inputs: np.ndarray = pixels, *, compiled: bool = False
    ) -> Callable[[], Any]:
        def make() -> TorchTraining:
            layers = (torch.nn.Linear(inputs.shape[1], 512), torch.nn.ReLU(), torch.nn.Linear(512, 10))
            return TorchTraining(
                torch.nn.Sequential(*layers), [inputs], targets, optimizers, compiled=compiled
            )

        return make

    def in_keras() -> Contender:
        from benchmarks.peers.keras_loop import KerasTraining  # slow to import

        def build(keras: Any) -> Any:
            layers = (
                keras.Input((1024,)),
                keras.layers.Dense(512, activation="relu"),
                keras.layers.Dense(10),
            )
            return keras.Sequential(list(layers))

        return KerasTraining(build, pixels, targets)

    inside = _flat(images[:, INSIDE, INSIDE])
    return {
        "PyTorch eager, Adam": in_torch(adam),
        "PyTorch eager, Adam(fused=True)": in_torch(fused_adam),
        "PyTorch eager, Adam, 784 inputs": in_torch(adam, inside),
        "PyTorch eager, Adam(fused=True), 784 inputs": in_torch(fused_adam, inside),
        "Keras on JAX, fit": in_keras,
        "Flax NNX, a jitted step": lambda: FlaxTraining(_FlaxNetwork(), [pixels], targets),
        "PyTorch, torch.compile, Adam, 784 inputs": in_torch(adam, inside, compiled=True),
    }


def _flat(images: UInt8[np.ndarray, "n height width"]) -> Float[np.ndarray, "n pixels"]:
    return images.reshape(len(images), -1).astype(np.float32) / 255


def _check_alike(config: Any, dataset: data.Dataset) -> dict[str, float]:
    """Returns name -> the largest difference of a contender's losses from ours."""
    ours, rows, losses = first_losses(config, dataset)
    differences = {}
    for name, make in _contenders(dataset).items():
        if "compile" in name:
            continue  # the same loop, compiled
        peer = make()
        _copy_into(peer.model, ours)
        differences[name] = float(np.abs(peer.losses(rows) - losses).max())
    return differences


def _copy_into(model: Any, ours: Any) -> None:
    """Starts a peer from our parameters."""
    kernel, bias, output = _dense_kernel(ours), ours.bias[...], ours.dense.output
    if isinstance(model, torch.nn.Module):
        hidden, _, last = model
        if hidden.in_features == 784:
            kernel = kernel.reshape(32, 32, 512)[INSIDE, INSIDE].reshape(784, 512)
        copy_weights(
            [
                (hidden.weight, kernel.T),
                (hidden.bias, bias),
                (last.weight, output.kernel[...].T),
                (last.bias, output.bias[...]),
            ]
        )
    elif isinstance(model, nnx.Module):
        model.hidden.kernel[...], model.hidden.bias[...] = kernel, bias.copy()
        model.output.kernel[...], model.output.bias[...] = output.kernel[...].copy(), output.bias[...].copy()
    else:
        model.set_weights([np.array(w) for w in (kernel, bias, output.kernel[...], output.bias[...])])


def _dense_kernel(model: Any) -> jax.Array:
    """Returns [1024, 512], the weights of all pixels in the order of the image, from those of four 16x16 parts."""
    grid = model.embedding.kernel[...].reshape(2, 2, 16, 16, 512)
    return grid.swapaxes(1, 2).reshape(1024, 512)


if __name__ == "__main__":
    main()
