"""Folders as sweeps and runs leave them: every file as the real one, the numbers drawn by chance."""

import json

import numpy as np
import pytest

ARMS = ("sum", "mean", "max", "product", "concat", "attention", "hybrid", "gated_sum")
RATES, SCALES, SEEDS = (0.001, 0.01, 0.1, 1.0), (0.1, 1.0), (100, 101, 102, 103, 104)
TASKS = {  # experiment: task, data set, metric, centre, effect of an arm, spread over seeds
    "sentiment": ("sentiment", "rotten_tomatoes", "accuracy", 0.76, 0.01, 0.004),
    "ratings": ("categorical", "movielens_small", "rmse", 0.89, 0.01, 0.003),
}


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))


def summary(values):
    known = [None if v is None or not np.isfinite(v) else float(v) for v in values]
    return {"per_seed": known, "mean": None if None in known else float(np.mean(known)), "ci95": None}


def write_run(
    folder,
    combiner,
    per_seed,
    *,
    task="sentiment",
    dataset="rotten_tomatoes",
    metric="accuracy",
    match="width",
    rate=0.01,
    scale=0.1,
    train_fraction=1.0,
    parameters=(10000, 130),
    seconds=20.0,
    fingerprint="ab" * 32,
    new_keys=True,
    items=400,
    epochs=8,
):
    """Writes the folder of a finished run whose test metric is `per_seed` (None: that seed diverged)."""
    rng = np.random.default_rng(len(str(folder.name)) + sum(map(ord, combiner)))
    seeds, values = list(range(len(per_seed))), np.array(per_seed, float)
    config = {
        "task": task,
        "seeds": seeds,
        "data": {"name": dataset, "train_fraction": train_fraction},
        "model": {"combiner": combiner, "match": match, "embedding_scale": scale, "dim": 64},
        "optimizer": {"learning_rate": rate},
    }
    other = "loss" if metric == "accuracy" else "mae"
    naive = "naive_bayes" if metric == "accuracy" else "ridge"
    results = {
        "task": task,
        "combiner": combiner,
        "dataset": dataset,
        "match": match,
        "seeds": seeds,
        "metrics": {
            "test": {metric: summary(values), other: summary(values * 0.7)},
            "validation": {metric: summary(values + 0.004), other: summary(values * 0.69)},
        },
        "num_params": {"embedding": parameters[0], "other": parameters[1], "total": sum(parameters)},
        "combined_width": 64,
        "timing": {"compile_seconds": 3.0, "train_seconds": seconds, "examples_per_second": 5000.0},
        "num_examples": {"train": int(8000 * train_fraction), "validation": 500, "test": items},
        "best_epoch": [epochs - 1] * len(seeds),
        "epochs": [epochs] * len(seeds),
        "diverged": {str(s): 120 for s, v in zip(seeds, values, strict=True) if np.isnan(v)},
        "config": config,
        "versions": {"python": "3.11.7", "jax": "0.10.1", "flax": "0.12.8"},
        "device": "cpu",
        "references": {naive: {"test": {metric: float(np.nanmean([*values, 0.8])) - 0.01}}},
    }
    if new_keys:
        results |= {
            "flops_per_example": 4096,
            "num_vectors": 32,
            "fixed_length": False,
            "steps_per_epoch": 125,
        }
    write(folder / "results.json", results)
    write(folder / "config.json", config)
    write(folder / "data.json", {"train": "cd" * 32, "validation": "ef" * 32, "test": fingerprint})
    sign = 1 if metric == "accuracy" else -1
    lines = []
    for epoch in range(1, epochs + 1):
        now = values + 0.004 - sign * 0.12 * np.exp(-epoch / 2) + 0.003 * rng.standard_normal(len(values))
        for split, gap in (("train", 0.02), ("validation", 0.0)):
            row = [None if np.isnan(v) else float(v + sign * gap) for v in now]
            lines.append(json.dumps({"step": 125 * epoch, "epoch": epoch, "split": split, metric: row}))
    write(folder / "metrics.jsonl", "\n".join(lines) + "\n")
    if items:
        if metric == "accuracy":
            hits = (np.arange(items) < np.nan_to_num(values)[:, None] * items).astype(np.float32)
            rows = {"accuracy": np.where(np.isnan(values)[:, None], np.nan, hits).astype(np.float32)}
        else:
            drawn = np.random.default_rng(1).exponential(1.0, items)  # examples are as hard for every arm
            rows = {"squared_error": (drawn / drawn.mean() * values[:, None] ** 2).astype(np.float32)}
        np.savez_compressed(folder / "test_items.npz", **rows)
    return folder


def write_tuning(trial, combiner, metric, centre, scales=SCALES):
    """Writes the tuning.json of a trial whose best rate is 0.1, at whose highest rate two seeds diverged."""
    rng = np.random.default_rng(sum(map(ord, combiner)))
    sign = 1 if metric == "accuracy" else -1
    distance = (
        np.abs(np.log10(np.array(RATES)) + 1)[None, :, None] + 0.3 * np.arange(len(scales))[:, None, None]
    )
    scores = (
        centre - sign * 0.02 * distance + 0.002 * rng.standard_normal((len(scales), len(RATES), len(SEEDS)))
    )
    diverged = np.full(scores.shape, -1)
    diverged[:, -1, :2] = 40
    listed = np.where(diverged >= 0, None, scores.astype(object)).tolist()
    content = {
        "metric": metric,
        "split": "validation",
        "higher_is_better": metric == "accuracy",
        "learning_rates": list(RATES),
        "embedding_scales": list(scales),
        "seeds": list(SEEDS),
        "scores": listed,
        "best_epochs": np.full(scores.shape, 5).tolist(),
        "diverged_steps": diverged.tolist(),
        "chosen": {"learning_rate": 0.1, "embedding_scale": scales[0]},
        "seconds": 12.5,
    }
    write(trial / "tuning.json", content)


def write_sweep(folder, arms=ARMS):
    """Writes a whole sweep: two experiments, each with the arms, one that failed and one that was not run yet."""
    rng = np.random.default_rng(7)
    experiments, stated = {}, []
    for name, (task, dataset, metric, centre, effect, spread) in TASKS.items():
        experiments[name] = {
            "title": f"Combiners on {dataset}",
            "question": "Which combiner is best with the same width?",
            "reference": "sum",
            "metric": metric,
            "margin": None,
            "base": {"task": task},
        }
        shared = spread * rng.standard_normal(len(SEEDS))
        for number, label in enumerate((*arms, "broken", "waiting")):
            trial = folder / "trials" / name / label
            overrides = {"model.combiner": label}
            stated.append(
                {
                    "experiment": name,
                    "label": label,
                    "folder": str(trial.relative_to(folder)),
                    "overrides": overrides,
                }
            )
            if label == "waiting":
                continue
            write_tuning(trial, label, metric, centre)
            if label == "broken":
                write(
                    trial / "failed.json",
                    {"reason": "out of memory: 3 GB asked for", "stage": "final", "when": "2026-01-02"},
                )
                continue
            values = (
                centre
                + (1 if metric == "accuracy" else -1) * effect * np.sin(number)
                + shared
                + 0.3 * spread * rng.standard_normal(len(SEEDS))
            )
            write_run(
                trial / "final",
                label,
                values,
                task=task,
                dataset=dataset,
                metric=metric,
                rate=0.1,
                parameters=(10000 * (1 + number % 3), 130 + 40 * number),
                seconds=15.0 + 3 * number,
            )
    write(
        folder / "sweep.json",
        {
            "name": folder.name,
            "command": f"python sweep.py --config=configs/sweeps/{folder.name}.py",
            "experiments": experiments,
            "arms": stated,
        },
    )
    return folder


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    """A sweep of eight arms with five seeds in two experiments; to be read only."""
    return write_sweep(tmp_path_factory.mktemp("sweeps") / "combiners")


@pytest.fixture
def own_sweep(tmp_path):
    """A small sweep of three arms that a test may damage."""
    return write_sweep(tmp_path / "combiners", ARMS[:3])


@pytest.fixture
def make_run(tmp_path):
    """Writes the folder of a plain run, from its name, combiner, metric by seed and options."""
    return lambda name, combiner, per_seed=(0.7, 0.71, 0.72), **options: write_run(
        tmp_path / "runs" / name, combiner, per_seed, **options
    )
