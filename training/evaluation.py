"""Evaluates a finished run on a split of its data or on a file, and writes predictions."""

import csv
import io
import itertools
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

import data
from data.atomic import write_text
from data.nearest import nearest

from . import workdir as files
from .compilation import use_compilation_cache
from .lifecycle import check_same_data
from .pretrained import data_of_run
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
      split: 'train', 'validation', 'test' or another of the run's own data.
      path: a file of the user's to evaluate on instead; without labels only predictions come of it.
      columns: fields of config.data that name columns of that file, such as label_column, where they differ from
        the training data's.
      data_dir: where prepared datasets live, if not where they were when the run was trained.
      predictions: where to write one CSV row per example: id, target, and for every class the probability (or the
        number that is predicted) by each seed and their mean.

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
        examples, source = trained.preprocessor.read(path, columns or {}), path
        if examples.targets is None and predictions is None:
            fields = columns or {}
            target = fields.get("label_column") or fields.get("target") or trained.preprocessor.target_column
            raise ValueError(
                f"{path} has no targets to evaluate on (no column {target!r}); "
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
    dataset = data.load(trained.config.task, data_of_run(trained.config, workdir))
    if split not in dataset.splits:
        raise ValueError(
            f"unknown split {split!r}{nearest(split, dataset.splits)}; known are {', '.join(dataset.splits)}"
        )
    check_same_data(workdir, dataset)
    return dataset.splits[split], f"{dataset.name}, {split} split"


def _predictions_csv(trained: TrainedRun, split: data.Split) -> str:
    by_seed = np.asarray(trained.predictions(split), np.float64)
    classes = trained.preprocessor.spec.classes
    if classes:
        rows = _class_rows(by_seed, split, classes, trained.seeds)
    else:
        targets = None if split.targets is None else trained.preprocessor.invert_target(split.targets)
        rows = _number_rows(by_seed, split.ids, targets, trained.seeds)
    file = io.StringIO()
    csv.writer(file, lineterminator="\n").writerows(rows)
    return file.getvalue()


def _class_rows(
    by_seed: np.ndarray, split: data.Split, classes: Sequence[str], seeds: Sequence[int]
) -> Iterator[list[str]]:
    mean = by_seed.mean(axis=0)
    columns = [[*(f"p_{name}_seed_{seed}" for seed in seeds), f"p_{name}_mean"] for name in classes]
    yield ["id", "label", *itertools.chain(*columns), "prediction"]
    for row in range(len(split)):
        values = [split.ids[row], "" if split.targets is None else classes[split.targets[row]]]
        for index in range(len(classes)):
            values += [f"{p:.6g}" for p in by_seed[:, row, index]] + [f"{mean[row, index]:.6g}"]
        # Without a number for every seed there is no mean, and no answer.
        yield [*values, classes[mean[row].argmax()] if np.isfinite(mean[row]).all() else ""]


def _number_rows(
    by_seed: np.ndarray, ids: Sequence[str], targets: np.ndarray | None, seeds: Sequence[int]
) -> Iterator[list[str]]:
    yield ["id", "target", *(f"prediction_seed_{seed}" for seed in seeds), "prediction"]
    for row, name in enumerate(ids):
        target = "" if targets is None else f"{targets[row]:.9g}"
        values = [*by_seed[:, row], by_seed[:, row].mean()]
        yield [name, target, *(f"{value:.9g}" for value in values)]
