"""What a report knows: experiments, each with arms whose final runs were measured on the same test examples."""

import dataclasses
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float


@dataclasses.dataclass(frozen=True)
class Arm:
    """One combiner (or other variant) of an experiment, trained and tested.

    Attributes:
      label: unique in its experiment.
      folder: of its final run.
      results: its results.json.
      tuning: the tuning.json of its trial; None for a plain run, which was tuned elsewhere or not at all.
      history: its metrics.jsonl, one row per step, epoch, split, metric, seed and value.
      items: what each test example adds to the metric's mean, one row per seed that did not diverge: 1 or 0 for
        accuracy, the squared error for rmse, in the target's unit; None where the run has no such file.
    """

    label: str
    folder: pathlib.Path
    results: Mapping[str, Any]
    tuning: Mapping[str, Any] | None
    history: pd.DataFrame
    items: Float[np.ndarray, "seeds examples"] | None


@dataclasses.dataclass(frozen=True)
class Failure:
    """An arm without a result: what was tried, and why it has none."""

    label: str
    folder: pathlib.Path
    reason: str


@dataclasses.dataclass(frozen=True)
class Experiment:
    """Arms that answer one question.

    Attributes:
      name: unique in the report.
      title: for readers.
      question: what is asked, in one sentence; '' for plain runs.
      metric: of the test split, that decides: accuracy or rmse.
      higher_is_better: of the metric.
      margin: differences up to here do not matter, in the metric's own unit.
      reference: the label of the arm that others are compared with.
      arms: in the order they were stated.
      failures: arms that have no result.
    """

    name: str
    title: str
    question: str
    metric: str
    higher_is_better: bool
    margin: float
    reference: str
    arms: tuple[Arm, ...]
    failures: tuple[Failure, ...]

    def per_seed(self) -> dict[str, Float[np.ndarray, " seeds"]]:
        """Returns {label: the test metric of every seed}; NaN for a seed that diverged."""
        return {
            arm.label: np.array(arm.results["metrics"]["test"][self.metric]["per_seed"], float)
            for arm in self.arms
        }


@dataclasses.dataclass(frozen=True)
class Evidence:
    """Everything that one report is written from.

    Attributes:
      name: of the sweep, or of the plain runs.
      command: that makes these results again.
      experiments: at least one.
      skipped: what is left out, each with the reason.
      sweep: the sweep.json, None for plain runs.
    """

    name: str
    command: str
    experiments: tuple[Experiment, ...]
    skipped: tuple[str, ...]
    sweep: Mapping[str, Any] | None
