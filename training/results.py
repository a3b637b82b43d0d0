"""results.json: what one run found, in the form that all reports read."""

import io
import pathlib
import platform
from collections.abc import Mapping
from importlib import metadata
from typing import Any

import jax
import numpy as np

import data
import models
from data.atomic import write_bytes

from .engine import TrainState
from .statistics import over_seeds
from .trained import TrainedRun

ITEMS_FILE = "test_items.npz"


def make_results(
    config: Any, dataset: data.Dataset, trained: TrainedRun, state: TrainState, timing: Mapping[str, float]
) -> dict[str, Any]:
    """Measures a trained run on every split but the training one, and gathers all that is known of it.

    Args:
      config: of the run.
      dataset: its data.
      trained: the best parameters of every seed.
      state: of every seed at the end of training, on the host; its numbers alone are read.
      timing: compile_seconds, train_seconds and step_seconds.

    Returns:
      The content of results.json. A seed that diverged has null for its metrics.
    """
    test, batch_size = dataset.splits["test"], config.train.batch_size
    num_vectors = models.MODELS[config.task].num_vectors(config.model, dataset.spec)
    held_out = ["test", *(name for name in dataset.splits if name not in ("train", "test"))]
    one_seed = jax.tree.map(lambda leaf: leaf[0], trained.variables.params)
    examples = int(np.sum(state.epoch)) * len(dataset.splits["train"])
    return {
        "task": config.task,
        "combiner": config.model.combiner,
        "dataset": dataset.name,
        "match": config.model.match,
        "seeds": list(config.seeds),
        "metrics": {name: summarise(trained, dataset.splits[name]) for name in held_out},
        "num_params": models.count_parameters(one_seed),
        "combined_width": trained.combined_width,
        "num_vectors": num_vectors,  # the most that the combiner gets
        "fixed_length": test.lengths is None or bool((test.lengths == num_vectors).all()),
        "flops_per_example": trained.flops_per_example(test),
        "timing": {**timing, "examples_per_second": examples / timing["train_seconds"]},
        "num_examples": {name: len(split) for name, split in dataset.splits.items()},
        "best_epoch": np.asarray(state.best_epoch).tolist(),
        "epochs": np.asarray(state.epoch).tolist(),
        "steps_per_epoch": -(-len(dataset.splits["train"]) // batch_size),
        "diverged": diverged_seeds(config, state),
        "config": config.to_dict(),
        "versions": versions(),
        "device": jax.devices()[0].device_kind,
    }


def versions() -> dict[str, str]:
    """Returns those of Python and of the packages that results depend on."""
    packages = ("jax", "jaxlib", "flax", "optax", "numpy")
    return {"python": platform.python_version(), **{name: metadata.version(name) for name in packages}}


def diverged_seeds(config: Any, state: TrainState) -> dict[int, int]:
    """Returns {seed: the step at which its loss stopped being finite} for the seeds that diverged."""
    return {
        seed: int(step) for seed, step in zip(config.seeds, state.diverged_step, strict=True) if step >= 0
    }


def summarise(trained: TrainedRun, split: data.Split) -> dict[str, dict[str, Any]]:
    """Returns {metric: {"per_seed", "mean", "ci95"}} of a labelled split; null for the seeds that diverged."""
    return {name: over_seeds(values) for name, values in trained.metrics(split).items()}


def write_test_items(workdir: pathlib.Path, trained: TrainedRun, test: data.Split) -> None:
    """Writes test_items.npz: what each test example adds to the metric that reports compare, [seeds, examples]."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **trained.item_scores(test))
    write_bytes(workdir / ITEMS_FILE, buffer.getvalue())
