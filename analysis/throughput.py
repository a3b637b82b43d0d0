"""Examples per second of models side by side: rounds in turn, so that a busy machine slows all of them alike."""

import statistics
import time
from collections.abc import Callable, Mapping

import jax
import numpy as np
from flax import nnx

LEAST_SECONDS = 0.1  # of one round of one model


def examples_per_second(
    models: Mapping[str, nnx.Module], inputs: Mapping[str, np.ndarray], rounds: int
) -> dict[str, list[float]]:
    """Measures how many examples each model predicts per second, compiled, all its arrays on the device.

    Args:
      models: name -> a model that takes a batch of inputs.
      inputs: one batch.
      rounds: how often each is measured; one after the other in every round.

    Returns:
      name -> one number per round.
    """
    size = len(next(iter(inputs.values())))
    batch = jax.device_put(dict(inputs))
    calls = {name: _prediction(model, batch) for name, model in models.items()}
    repeats = {name: _repeats(call) for name, call in calls.items()}
    measured: dict[str, list[float]] = {name: [] for name in models}
    for _ in range(rounds):
        for name, call in calls.items():
            measured[name].append(repeats[name] * size / _seconds(call, repeats[name]))
    return measured


def median_ratio(measured: Mapping[str, list[float]], fast: str, slow: str) -> tuple[float, float, float]:
    """Returns the median over rounds of fast / slow, and the least and largest of them."""
    ratios = [a / b for a, b in zip(measured[fast], measured[slow], strict=True)]
    return statistics.median(ratios), min(ratios), max(ratios)


def _prediction(model: nnx.Module, batch: Mapping[str, jax.Array]) -> Callable[[], jax.Array]:
    graphdef, state = nnx.split(model)
    state = jax.device_put(state)  # or arrays of the host would be moved at every call
    predict = jax.jit(lambda state, batch: nnx.merge(graphdef, state)(batch))
    return lambda: predict(state, batch)


def _repeats(call: Callable[[], jax.Array]) -> int:
    jax.block_until_ready(call())  # compiles
    repeats = 1
    while (seconds := _seconds(call, repeats)) < LEAST_SECONDS / 2:
        repeats *= 2
    return max(1, round(repeats * LEAST_SECONDS / seconds))


def _seconds(call: Callable[[], jax.Array], repeats: int) -> float:
    began = time.perf_counter()
    for _ in range(repeats):
        last = call()
    jax.block_until_ready(last)
    return time.perf_counter() - began
