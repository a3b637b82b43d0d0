"""Every task goes the same way: trained, evaluated, resumed, streamed from disk, asked from Python."""

import csv

import numpy as np
import pytest

import data
import training
from configs import categorical, mnist, order
from training import progress
from training.streaming import split_bytes

NUM_ROWS = 120


def table_config(folder, rng):
    """A price that depends on colour, size, tags and weight; some cells are missing."""
    path = folder / "table.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["colour", "size", "my/tags", "weight", "price"])
        for row in range(NUM_ROWS):
            colour, size, tags = row % 3, row // 3 % 2, rng.integers(0, 4, rng.integers(0, 3))
            weight = rng.normal()
            price = np.exp(1 + 0.3 * colour * size + 0.1 * tags.sum() + 0.2 * weight)
            cells = [f"c{colour}", f"s{size}" if row % 7 else "", "|".join(f"t{tag}" for tag in tags)]
            writer.writerow([*cells, f"{weight:.3f}" if row % 11 else "", f"{price:.4f}"])
    config = categorical.get_config("combiner=hybrid")
    config.data.update({"path": str(path), "target": "price", "target_transform": "log"})
    config.data.update({"categorical": "colour,size", "multi_valued": "my/tags", "numeric": "weight"})
    config.model.numeric = "embedded"
    return config


def image_config(folder, rng):
    """Dark and bright images."""
    labels = np.arange(NUM_ROWS) % 2
    images = rng.integers(0, 100, (NUM_ROWS, 28, 28)) + 100 * labels[:, None, None]
    np.savez(folder / "images.npz", images=images.astype(np.uint8), labels=labels)
    config = mnist.get_config("combiner=position_sum")
    config.data.path = str(folder / "images.npz")
    return config


def order_config(folder, rng):
    """Sentences of the grammar."""
    del folder, rng
    config = order.get_config("combiner=gru,data=order_grammar")
    config.data.update({"num_train": NUM_ROWS, "num_test": 40, "num_nouns": 8, "num_verbs": 4})
    config.train.length_buckets = 2
    return config


MAKE = {"categorical": table_config, "mnist": image_config, "order": order_config}


@pytest.fixture(scope="module", params=MAKE)
def config(request, tmp_path_factory):
    config = MAKE[request.param](tmp_path_factory.mktemp(request.param), np.random.default_rng(0))
    config.seeds = (0, 1)
    config.model.update({"dim": 8, "hidden": (6,)})
    config.train.update({"epochs": 3, "batch_size": 32, "patience": 3, "checkpoint_seconds": 0.0})
    return config


@pytest.fixture(scope="module")
def trained(config, tmp_path_factory):
    """A finished run: (workdir, its results)."""
    workdir = tmp_path_factory.mktemp("runs") / config.task
    return workdir, training.run(config, workdir)


def test_evaluation_gives_the_numbers_of_training_exactly(config, trained):
    workdir, results = trained
    for split, metrics in results["metrics"].items():
        assert training.evaluate_workdir(workdir, split)["metrics"] == metrics
    assert set(results["metrics"]) == set(data.load(config.task, config.data).splits) - {"train"}
    assert results["references"], "a network's numbers are held against something"


def test_an_interrupted_run_goes_on_to_the_same_numbers(config, trained, tmp_path, monkeypatch):
    shown = progress.EpochProgress.advance

    def interrupt(self, epoch, metrics):
        if epoch == 2:
            raise KeyboardInterrupt
        shown(self, epoch, metrics)

    monkeypatch.setattr(progress.EpochProgress, "advance", interrupt)
    with pytest.raises(KeyboardInterrupt):
        training.run(config, tmp_path / "run")
    monkeypatch.undo()
    assert (tmp_path / "run" / "checkpoints" / "resume" / "1").exists()
    assert training.run(config, tmp_path / "run")["metrics"] == trained[1]["metrics"]


def test_streaming_from_disk_gives_the_same_numbers(config, trained, tmp_path):
    config = config.copy_and_resolve_references()
    config.data.max_resident_bytes = split_bytes(data.load(config.task, config.data).splits["train"]) // 2
    streamed = training.run(config, tmp_path / "run")["metrics"]
    for split, metrics in trained[1]["metrics"].items():
        for name, summary in metrics.items():
            np.testing.assert_allclose(
                streamed[split][name]["per_seed"], summary["per_seed"], rtol=1e-4, atol=1e-6
            )


def test_a_smaller_training_fraction_leaves_the_other_splits_alone(config):
    whole = data.load(config.task, config.data)
    config = config.copy_and_resolve_references()
    config.data.train_fraction = 0.5
    half = data.load(config.task, config.data)
    assert len(half.splits["train"]) == pytest.approx(len(whole.splits["train"]) / 2, abs=1)
    for name in set(whole.splits) - {"train"}:
        assert list(half.splits[name].ids) == list(whole.splits[name].ids)


def test_a_run_predicts_from_python(config, trained):
    run = training.load(trained[0])
    rows = {
        "categorical": [{"colour": "c1", "size": "never seen", "my/tags": None, "weight": None}] * 3,
        "mnist": [np.zeros((28, 28), np.uint8)] * 3,
        "order": ["the dog chased the teacher"] * 3,
    }[config.task]
    predicted = run.predict(rows)
    assert np.isfinite(predicted).all()
    assert run.predict(rows, per_seed=True).shape == (2, *predicted.shape)
    if config.task == "categorical":
        assert predicted.shape == (3,)
        assert (predicted > 0).all(), "prices, not their logarithms"
    else:
        np.testing.assert_allclose(predicted.sum(axis=1), 1, rtol=1e-5)
