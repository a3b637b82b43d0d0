"""Unfolds a trained sum into concatenations of smaller and smaller widths: what each rank keeps."""

import functools
import pathlib
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

import data
import models
import training
from models.unfolding import factorise, unfold
from training.trained import TrainedRun

from .cells import measure_cells
from .rebuilt import rebuild


def measure_unfolding(config: Any, output: pathlib.Path) -> dict[str, Any]:
    """Trains sums, unless that is done already, and unfolds each at every width.

    Args:
      config: `unfolding` of configs/equivalences.py: `runs` (label -> a config of the task categorical whose combiner
        is sum), `folder` (of the runs) and `widths` (of each part of the concatenation).
      output: folder of unfolding.json, in which finished widths are kept.

    Returns:
      Label -> the width as text -> {"parameters", "lost", "rmse", "apart"}: the concatenation's number of parameters;
      for every seed and slot the share of the squared singular values that is lost; per seed the RMSE on the validation
      split, and the root mean square difference from the sum's outputs in standard deviations of the target. Under
      "sum" instead of a width: the "parameters" and "rmse" of the sum.
    """
    settings = config.unfolding
    cells: dict[str, Callable[[], Any]] = {}
    for label, run in settings.runs.items():
        workdir = pathlib.Path(settings.folder) / label.replace(" ", "_")
        training.run(run.copy_and_resolve_references(), workdir)
        trained = training.load(workdir)
        validation = data.load(run.task, run.data).splits["validation"]
        cells[f"{label} | sum"] = functools.partial(_measure_sum, trained, validation)
        for width in settings.widths:
            cells[f"{label} | {width}"] = functools.partial(_measure, trained, validation, width)
    measured: dict[str, dict[str, Any]] = {}
    for name, found in measure_cells(output / "unfolding.json", settings.to_dict(), cells, "widths").items():
        label, _, width = name.partition(" | ")
        measured.setdefault(label, {})[width] = found
    return measured


def _measure_sum(trained: TrainedRun, validation: data.Split) -> dict[str, Any]:
    return {**_size(trained), "rmse": trained.metrics(validation)["rmse"]}


def _measure(trained: TrainedRun, validation: data.Split, width: int) -> dict[str, Any]:
    fields, spec = trained.config.model, trained.preprocessor.spec
    factors = [factorise(trained.model(seed), fields) for seed in trained.seeds]
    widths = [width] * len(factors[0])
    unfolded = rebuild(trained, lambda model: unfold(model, fields, spec, widths))
    apart = unfolded.outputs(validation).astype(np.float64) - trained.outputs(validation)
    return {
        **_size(unfolded),
        "lost": [
            [float((values[width:] ** 2).sum() / (values**2).sum()) for _, values, _ in of_seed]
            for of_seed in factors
        ],
        "rmse": unfolded.metrics(validation)["rmse"],
        "apart": np.sqrt((apart**2).mean(axis=(1, 2))).tolist(),
    }


def _size(trained: TrainedRun) -> dict[str, int]:
    one_seed = jax.tree.map(lambda leaf: leaf[0], trained.variables.params)
    return {"parameters": models.count_parameters(one_seed)["total"]}
