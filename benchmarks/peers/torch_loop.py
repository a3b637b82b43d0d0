"""A plain PyTorch training loop, as a contender."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import numpy as np
import torch

from benchmarks.measure import UnavailableError
from benchmarks.ours import BATCH, EPSILON, LEARNING_RATE

Optimizers = Callable[[torch.nn.Module], list[torch.optim.Optimizer]]
_SETTINGS = {"lr": LEARNING_RATE, "eps": EPSILON}


def adam(model: torch.nn.Module) -> list[torch.optim.Optimizer]:
    """Returns Adam as it is by default: a loop of operations over all parameters at once."""
    return [torch.optim.Adam(trained(model), **_SETTINGS)]


def fused_adam(model: torch.nn.Module) -> list[torch.optim.Optimizer]:
    """Returns Adam in one kernel."""
    return [torch.optim.Adam(trained(model), fused=True, **_SETTINGS)]


def sparse_adam(model: torch.nn.Module) -> list[torch.optim.Optimizer]:
    """Returns SparseAdam for the embeddings that have sparse gradients, and fused Adam for all other parameters."""
    sparse = [
        parameter
        for module in model.modules()
        if getattr(module, "sparse", False)
        for parameter in module.parameters(recurse=False)
    ]
    other = [p for p in trained(model) if all(p is not s for s in sparse)]
    return [
        torch.optim.SparseAdam(sparse, **_SETTINGS),
        torch.optim.Adam(other, fused=True, **_SETTINGS),
    ]


def trained(model: torch.nn.Module) -> list[torch.nn.Parameter]:
    """Returns the parameters that have a gradient."""
    return [parameter for parameter in model.parameters() if parameter.requires_grad]


def torch_device() -> torch.device:
    """Returns the device that JAX uses too; raises UnavailableError where this PyTorch has no support for it."""
    if jax.default_backend() == "cpu":
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise UnavailableError(f"this PyTorch ({torch.__version__}) does not see the {jax.default_backend()}")
    return torch.device("cuda")


class TorchTraining:
    """A training loop in Python over examples that lie in memory, in a new order every epoch.

    Attributes:
      model: that is trained.
      most_steps: of a round: one epoch.
    """

    steps = None

    def __init__(
        self,
        model: torch.nn.Module,
        inputs: Sequence[np.ndarray],
        targets: np.ndarray,
        optimizers: Optimizers,
        *,
        batch: int = BATCH,
        loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor] = torch.nn.functional.cross_entropy,
        compiled: bool = False,
    ):
        """Puts model and examples on the device.

        Args:
          model: batch of inputs -> outputs.
          inputs: one array or several, each with a leading example axis.
          targets: of the loss; classes become int64.
          optimizers: model -> its optimisers.
          batch: examples of one step.
          loss: (outputs, targets) -> the mean loss.
          compiled: whether forward, backward and update are compiled by torch.compile.

        Raises:
          UnavailableError: see `torch_device`; and where torch.compile fails, at the first step.
        """
        self._device = torch_device()
        self.model = model.to(self._device)
        self._inputs = [torch.from_numpy(array).to(self._device) for array in inputs]
        self._targets = torch.from_numpy(targets).to(self._device)
        if not self._targets.is_floating_point():
            self._targets = self._targets.long()
        self._optimizers = optimizers(self.model)
        self._batch = batch
        self.most_steps = len(targets) // batch
        self._compiled = compiled
        self._loss_of: Callable[..., torch.Tensor] = lambda targets, *inputs: loss(
            self.model(*inputs), targets
        )
        self._updates: list[Callable[[], Any]] = [optimizer.step for optimizer in self._optimizers]
        if compiled:
            self._loss_of = torch.compile(self._loss_of)
            self._updates = [torch.compile(update) for update in self._updates]
        self._order: Iterator[torch.Tensor] = iter(())

    def step(self, rows: torch.Tensor) -> torch.Tensor:
        """Takes a step on a batch and returns its loss."""
        loss = self._loss_of(self._targets[rows], *(array[rows] for array in self._inputs))
        for optimizer in self._optimizers:
            optimizer.zero_grad()
        loss.backward()
        for update in self._updates:
            update()
        return loss

    def take(self, steps: int) -> None:
        """Takes so many steps."""
        try:
            for _ in range(steps):
                self.step(self._next_rows())
        except Exception as error:
            if not self._compiled:
                raise
            message = str(error).strip().splitlines() or [""]
            raise UnavailableError(f"torch.compile fails: {type(error).__name__}: {message[0]}") from error
        if self._device.type == "cuda":
            torch.cuda.synchronize()

    def losses(self, rows: np.ndarray) -> np.ndarray:
        """Takes one step for each row of example numbers [steps, batch], and returns their losses."""
        return np.array([self.step(torch.tensor(r, device=self._device)).item() for r in rows])

    def _next_rows(self) -> torch.Tensor:
        rows = next(self._order, None)
        if rows is None or len(rows) < self._batch:
            permutation = torch.randperm(len(self._targets), device=self._device)
            self._order = iter(permutation.split(self._batch))
            rows = next(self._order)
        return rows


def copy_weights(pairs: Sequence[tuple[torch.nn.Parameter, Any]]) -> None:
    """Copies our arrays into a peer's parameters."""
    with torch.no_grad():
        for parameter, array in pairs:
            parameter.copy_(torch.from_numpy(np.array(array)))
