"""A trained run whose models were made into others, as a run that predicts and is measured like any other."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from training.network import make_network
from training.step import Variables
from training.trained import TrainedRun


def rebuild(trained: TrainedRun, change: Callable[[nnx.Module], tuple[Any, nnx.Module]]) -> TrainedRun:
    """Returns the run whose models are those of every seed, changed.

    Args:
      trained: the run.
      change: a model -> the fields of config.model of another, the same for all seeds, and that model.
    """
    config, variables = trained.config.copy_and_resolve_references(), []
    for seed in trained.seeds:
        config.model, model = change(trained.model(seed))
        _, params, fixed = nnx.split(model, nnx.Param, ...)
        variables.append(Variables(params, fixed))
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *variables)
    network = make_network(config, trained.preprocessor.spec)
    return TrainedRun(config, network, stacked, trained.preprocessor, trained.diverged)
