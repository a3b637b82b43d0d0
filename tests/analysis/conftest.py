"""Experiments made up from numbers, without a run behind them."""

import pathlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.report.evidence import Arm, Experiment, Failure


def _make_arm(
    label: str,
    per_seed: Any,
    *,
    metric: str = "accuracy",
    seeds: Any = None,
    items: Any = None,
    tuning: Mapping[str, Any] | None = None,
    combiner: str | None = None,
    model: Mapping[str, Any] | None = None,
    data: Mapping[str, Any] | None = None,
    total: int = 1000,
    folder: pathlib.Path = pathlib.Path("nowhere"),
    **results: Any,
) -> Arm:
    """Makes an arm; `model` and `data` are fields of its config, further keywords are keys of its results.json."""
    values = [None if np.isnan(value) else float(value) for value in per_seed]
    seeds = list(range(len(values))) if seeds is None else list(seeds)
    summary = {"per_seed": values, "mean": None if None in values else float(np.mean(values)), "ci95": None}
    combiner = combiner or label
    model = {"combiner": combiner, "combiner_options": {}, "hidden": [], "match": "width", **(model or {})}
    return Arm(
        label=label,
        folder=folder,
        results={
            "task": "sentiment",
            "combiner": combiner,
            "dataset": "made_up",
            "match": model["match"],
            "seeds": seeds,
            "metrics": {"test": {metric: summary}, "validation": {metric: summary}},
            "num_params": {"embedding": total - 10, "other": 10, "total": total},
            "combined_width": 8,
            "timing": {"compile_seconds": 1.0, "train_seconds": 10.0, "examples_per_second": 1000.0},
            "num_examples": {"train": 100, "validation": 50, "test": 50 if items is None else len(items[0])},
            "best_epoch": [1] * len(values),
            "epochs": [2] * len(values),
            "diverged": {str(s): 7 for s, value in zip(seeds, values, strict=True) if value is None},
            "references": {},
            "flops_per_example": 64,
            "num_vectors": 4,
            "fixed_length": False,
            "steps_per_epoch": 5,
            "config": {
                "data": {"weights": "", "name": "made_up", **(data or {})},
                "model": model,
                "optimizer": {"learning_rate": 0.01},
                "seeds": seeds,
            },
            "versions": {"python": "3.11", "jax": "0.10.1", "flax": "0.12.8"},
            "device": "cpu",
            **results,
        },
        tuning=tuning,
        history=pd.DataFrame(columns=["step", "epoch", "split", "metric", "seed", "value"]),
        items=None if items is None else np.asarray(items, np.float32),
    )


def _make_experiment(
    arms: Any,
    *,
    metric: str = "accuracy",
    higher_is_better: bool | None = None,
    margin: float = 0.005,
    reference: str | None = None,
    failures: tuple[Failure, ...] = (),
    name: str = "made_up",
) -> Experiment:
    """Makes an experiment of arms, or of {label: the metric of every seed}; the first arm is the reference."""
    if isinstance(arms, Mapping):
        arms = [_make_arm(label, values, metric=metric) for label, values in arms.items()]
    return Experiment(
        name=name,
        title=name,
        question="",
        metric=metric,
        higher_is_better=metric == "accuracy" if higher_is_better is None else higher_is_better,
        margin=margin,
        reference=reference or (arms[0].label if arms else ""),
        arms=tuple(arms),
        failures=failures,
    )


@pytest.fixture(scope="session")
def make_arm() -> Callable[..., Arm]:
    """Makes an arm from the metric of every seed."""
    return _make_arm


@pytest.fixture(scope="session")
def make_experiment() -> Callable[..., Experiment]:
    """Makes an experiment from arms, or from the metric of every seed by label."""
    return _make_experiment
