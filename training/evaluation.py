"""Evaluates a finished run on a split of its data or on a file, and writes predictions."""

import csv
import dataclasses
import io
import pathlib
from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np

import data
from data.atomic import write_text

from . import workdir as files
from .lifecycle import check_same_data, use_compilation_cache
from .objectives import probabilities
from .results import summarise
from .trained import TrainedRun, load


def evaluate_workdir(
    workdir: pathlib.Path,
    split: str = "test",
    *,
    path: str = "",
    data_dir: str = "",
    columns: Mapping[str, str] | None = None,
    predictions: pathlib.Path | None = None,
) -> dict[str, Any]:
    """Evaluates every seed of a finished run.

    Args:
      workdir: of the run.
      split: 'train', 'validation' or 'test' of the run's own data.
      path: a file of the user's to evaluate on instead; without labels only predictions come of it.
      columns: text_column, label_column or id_column of that file, where they differ from the training data's.
      data_dir: where prepared datasets live, if not where they were when the run was trained.
      predictions: where to write one CSV row per example: id, label, and for every class the probability by each
        seed and their mean.

    Returns:
      {"combiner", "source", "split", "seeds", "metrics", "files"}; "metrics" as in results.json, and empty without
      labels. All but "files" is also written to WORKDIR/eval_<split>.json ("file" for a file).

    Raises:
      FileNotFoundError: if the folder of the predictions file does not exist.
      ValueError: for a workdir without a finished run, an unknown split, data that has changed since training, or
        neither labels nor a predictions file.
    """
    if predictions is not None and predictions.is_dir():
        raise IsADirectoryError(f"--predictions={predictions} is a folder; expected the name of a CSV file")
    if predictions is not None and not predictions.parent.is_dir():
        raise FileNotFoundError(f"--predictions={predictions}: there is no folder {predictions.parent}")
    trained = load(workdir)
    if data_dir:
        trained.config.data.dir = data_dir
    use_compilation_cache(trained.config.engine.compilation_cache)
    if path:
        split = "file"
        reader = dataclasses.replace(trained.preprocessor, **(columns or {}))
        examples, source = data.read_split(path, reader), path
        if examples.targets is None and predictions is None:
            raise ValueError(
                f"{path} has no labels to evaluate on (no column {reader.label_column!r}); "
                "--predictions=out.csv writes predictions for it"
            )
    else:
        examples, source = _own_split(trained, workdir, split)

    evaluation = {
        "combiner": trained.config.model.combiner,
        "source": source,
        "split": split,
        "seeds": list(trained.seeds),
        "metrics": {} if examples.targets is None else summarise(trained, examples),
    }
    written = [workdir / f"eval_{split}.json"]
    files.write_json(written[0], evaluation)
    if predictions is not None:
        write_text(predictions, _predictions_csv(trained, examples))
        written.append(predictions)
    return {**evaluation, "files": [str(path) for path in written]}


def _own_split(trained: TrainedRun, workdir: pathlib.Path, split: str) -> tuple[data.Split, str]:
    """Returns a split of the data that the run was trained on, and what to call it."""
    dataset = data.load(trained.config.data)
    if split not in dataset.splits:
        raise ValueError(f"unknown split {split!r}; known are {', '.join(dataset.splits)}")
    check_same_data(workdir, dataset)
    return dataset.splits[split], f"{dataset.name}, {split} split"


def _predictions_csv(trained: TrainedRun, split: data.Split) -> str:
    classes = trained.preprocessor.spec.classes
    by_seed = np.asarray(probabilities(jnp.asarray(trained.outputs(split))), np.float64)
    mean = by_seed.mean(axis=0)
    header = ["id", "label"]
    for name in classes:
        header += [f"p_{name}_seed_{seed}" for seed in trained.seeds] + [f"p_{name}_mean"]
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([*header, "prediction"])
    for row in range(len(split)):
        label = "" if split.targets is None else classes[split.targets[row]]
        values: list[str] = [split.ids[row], label]
        for index in range(len(classes)):
            values += [f"{p:.6g}" for p in by_seed[:, row, index]] + [f"{mean[row, index]:.6g}"]
        writer.writerow([*values, classes[mean[row].argmax()]])
    return file.getvalue()
