"""Folds a trained run into a summing one: a run of its own, with the proof that it predicts the same, and its speed."""

import pathlib
import shutil
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

import data
import models
import training
from data.atomic import write_text
from training.checkpoints import save_best
from training.lifecycle import check_same_data
from training.results import summarise, write_test_items
from training.trained import TrainedRun
from training.workdir import (
    CONFIG_FILE,
    DATA_FILE,
    PREPROCESSOR_FILE,
    RESULTS_FILE,
    claim_workdir,
    read_json,
    write_json,
)

from .folding_page import folding_page
from .rebuilt import rebuild
from .throughput import examples_per_second

# Of the largest output: sums in float32 of the same numbers in another order differ by less.
TOLERANCE = 1e-5


def fold_run(config: Any) -> str:
    """Writes a run whose combiner is sum and which predicts what a finished run does.

    Args:
      config: the fields of configs/fold.py.

    Returns:
      What came out, for the terminal.

    Raises:
      ValueError: for a workdir without a finished run, a model that cannot be folded, with the reason, tables that
        would be larger than max_bytes, and an output that holds another run.
      ArithmeticError: if the folded model does not predict the same.
    """
    if not config.workdir:
        raise ValueError("which run is to be folded? for example --config.workdir=runs/sentiment_concat")
    if min(config.batch, config.rounds, config.max_bytes) < 1:
        raise ValueError(
            f"batch, rounds and max_bytes must be positive, got {config.batch}, {config.rounds}, {config.max_bytes}"
        )
    source = pathlib.Path(config.workdir)
    trained = training.load(source)
    output = pathlib.Path(config.output or f"{source}-folded")
    fields, spec = trained.config.model, trained.preprocessor.spec
    folded = rebuild(trained, lambda model: models.fold(model, fields, spec, config.max_bytes))
    with claim_workdir(output, folded.config.to_dict()):
        dataset = data.load(trained.config.task, trained.config.data)
        check_same_data(source, dataset)
        comparison = {
            "differences": _differences(trained, folded, dataset),
            "examples_per_second": _speeds(trained, folded, dataset.splits["test"], config),
            "batch": config.batch,
        }
        before = read_json(source / RESULTS_FILE)
        after = _results(before, source, folded, dataset, comparison)
        for name in (DATA_FILE, PREPROCESSOR_FILE):
            shutil.copyfile(source / name, output / name)
        write_json(output / CONFIG_FILE, folded.config.to_dict())
        save_best(output, folded.variables)
        write_test_items(output, folded, dataset.splits["test"])
        page = folding_page(before, after)
        write_text(output / "folding.md", page)
        write_json(output / RESULTS_FILE, after)  # last: it is what makes the run a finished one
    return f"{page}\nwritten: {output}"


def _differences(
    trained: TrainedRun, folded: TrainedRun, dataset: data.Dataset
) -> dict[str, dict[str, float]]:
    """Returns, for every split, how far outputs are apart at most, how large they are, and how many answers differ."""
    differences = {}
    for name, split in dataset.splits.items():
        before, after = trained.outputs(split), folded.outputs(split)
        known = np.isfinite(before).all(axis=(1, 2))  # a seed that diverged predicts nothing
        if not known.any():
            raise ValueError("every seed of the run diverged: there is nothing to fold")
        before, after = before[known], after[known]
        largest, apart = float(np.abs(before).max()), float(np.abs(before - after).max())
        if not apart <= TOLERANCE * max(1.0, largest):  # also for NaN
            raise ArithmeticError(
                f"the folded model does not predict the same: on the {name} split outputs of up to {largest:.3g} "
                f"differ by up to {apart:.3g}"
            )
        differences[name] = {"outputs": apart, "largest_output": largest, "predictions": before[..., 0].size}
        if dataset.spec.classes:
            differences[name]["different"] = int((before.argmax(axis=-1) != after.argmax(axis=-1)).sum())
    return differences


def _speeds(trained: TrainedRun, folded: TrainedRun, test: data.Split, config: Any) -> dict[str, list[float]]:
    rows = np.arange(config.batch) % len(test)
    inputs = {name: array[rows] for name, array in test.inputs.items()}
    seed = next(seed for seed in trained.seeds if seed not in trained.diverged)
    pair = {"before": trained.model(seed), "after": folded.model(seed)}
    return examples_per_second(pair, inputs, config.rounds)


def _results(
    before: Mapping[str, Any],
    source: pathlib.Path,
    folded: TrainedRun,
    dataset: data.Dataset,
    comparison: Mapping[str, Any],
) -> dict[str, Any]:
    """Returns results.json of the folded run: that of the run it comes from, with what is now another."""
    one_seed = jax.tree.map(lambda leaf: leaf[0], folded.variables.params)
    return {
        **before,
        "combiner": "sum",
        "match": folded.config.model.match,
        "metrics": {name: summarise(folded, dataset.splits[name]) for name in before["metrics"]},
        "num_params": models.count_parameters(one_seed),
        "combined_width": folded.combined_width,
        "flops_per_example": folded.flops_per_example(dataset.splits["test"]),
        "config": folded.config.to_dict(),
        "folded_from": {
            "workdir": str(source),
            "combiner": before["combiner"],
            "num_params": before["num_params"],
            **comparison,
        },
    }
