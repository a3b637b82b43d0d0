"""Every number of a report as tidy tables: one row per experiment, arm, split, metric and seed, and one per trial."""

import io
import pathlib

import numpy as np
import pandas as pd

from data.atomic import write_bytes, write_text

from .costs import step_seconds
from .evidence import Arm, Evidence

RESULT_COLUMNS = (
    "experiment",
    "arm",
    "combiner",
    "match",
    "dataset",
    "task",
    "split",
    "metric",
    "seed",
    "value",
    "best_epoch",
    "diverged_step",
    "learning_rate",
    "embedding_scale",
    "num_train_examples",
    "combined_width",
    "params_embedding",
    "params_other",
    "flops_per_example",
    "step_seconds",
    "folder",
)
TUNING_COLUMNS = (
    "experiment",
    "arm",
    "embedding_scale",
    "learning_rate",
    "seed",
    "split",
    "metric",
    "value",
    "best_epoch",
    "diverged_step",
    "chosen",
)


def results_table(evidence: Evidence) -> pd.DataFrame:
    """Returns the columns `RESULT_COLUMNS`.

    `value` is in the metric's own unit, accuracy as a fraction, and NaN for a seed that diverged; `diverged_step` is
    -1 for one that did not. `learning_rate` and `embedding_scale` are those that the arm was finally trained with.
    """
    rows = []
    for experiment in evidence.experiments:
        for arm in experiment.arms:
            results = arm.results
            constant = {
                "experiment": experiment.name,
                "arm": arm.label,
                **{field: results[field] for field in ("combiner", "match", "dataset", "task")},
                "learning_rate": learning_rate(arm),
                "embedding_scale": embedding_scale(arm),
                "num_train_examples": results["num_examples"]["train"],
                "combined_width": results.get("combined_width"),
                "params_embedding": results["num_params"]["embedding"],
                "params_other": results["num_params"]["other"],
                "flops_per_example": results.get("flops_per_example"),
                "step_seconds": step_seconds(arm),
                "folder": arm.folder.as_posix(),
            }
            diverged = results.get("diverged", {})
            for split, metrics in results["metrics"].items():
                for metric, summary in metrics.items():
                    for number, (seed, value) in enumerate(
                        zip(results["seeds"], summary["per_seed"], strict=True)
                    ):
                        of_seed = {
                            "split": split,
                            "metric": metric,
                            "seed": seed,
                            "value": np.nan if value is None else value,
                            "best_epoch": results["best_epoch"][number] if "best_epoch" in results else None,
                            "diverged_step": diverged.get(str(seed), -1),
                        }
                        rows.append({**constant, **of_seed})
    table = pd.DataFrame(rows, columns=list(RESULT_COLUMNS))
    measured = ["value", "learning_rate", "embedding_scale", "flops_per_example", "step_seconds"]
    return table.astype(dict.fromkeys(measured, float))


def tuning_table(evidence: Evidence) -> pd.DataFrame:
    """Returns the columns `TUNING_COLUMNS`: every setting that was tried on validation, and which was chosen."""
    rows = []
    for experiment in evidence.experiments:
        for arm in experiment.arms:
            if arm.tuning is None:
                continue
            tuning, chosen = arm.tuning, arm.tuning["chosen"]
            for s, scale in enumerate(tuning["embedding_scales"]):
                for r, rate in enumerate(tuning["learning_rates"]):
                    for t, seed in enumerate(tuning["seeds"]):
                        score = tuning["scores"][s][r][t]
                        is_chosen = (rate, scale) == (chosen["learning_rate"], chosen["embedding_scale"])
                        rows.append(
                            {
                                "experiment": experiment.name,
                                "arm": arm.label,
                                "embedding_scale": scale,
                                "learning_rate": rate,
                                "seed": seed,
                                "split": tuning["split"],
                                "metric": tuning["metric"],
                                "value": np.nan if score is None else score,
                                "best_epoch": tuning["best_epochs"][s][r][t],
                                "diverged_step": tuning["diverged_steps"][s][r][t],
                                "chosen": is_chosen,
                            }
                        )
    table = pd.DataFrame(rows, columns=list(TUNING_COLUMNS))
    measured = ["value", "learning_rate", "embedding_scale", "best_epoch"]
    return table.astype({**dict.fromkeys(measured, float), "chosen": bool})


def write_tables(evidence: Evidence, output: pathlib.Path) -> list[pathlib.Path]:
    """Writes results.parquet and results.csv, and tuning.* where anything was tuned; returns the files' paths."""
    tables = {"results": results_table(evidence)}
    if any(arm.tuning is not None for experiment in evidence.experiments for arm in experiment.arms):
        tables["tuning"] = tuning_table(evidence)
    written = []
    for name, table in tables.items():
        buffer = io.BytesIO()
        table.to_parquet(buffer, index=False)
        write_bytes(output / f"{name}.parquet", buffer.getvalue())
        write_text(output / f"{name}.csv", table.to_csv(index=False))
        written += [output / f"{name}.parquet", output / f"{name}.csv"]
    return written


def learning_rate(arm: Arm) -> float:
    """Returns the learning rate of the final run; NaN where its config says none."""
    return _number(arm.results["config"].get("optimizer", {}).get("learning_rate"))


def embedding_scale(arm: Arm) -> float:
    """Returns the scale of the final run's initial embeddings; NaN where its config says none."""
    return _number(arm.results["config"].get("model", {}).get("embedding_scale"))


def _number(value: float | int | None) -> float:
    return np.nan if value is None else float(value)
