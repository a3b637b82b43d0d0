"""Trains the same replicas on one and on eight simulated devices, and writes what came out; see test_devices.py.

python eight_devices.py REVIEWS.csv RESULTS.json
"""

import json
import os
import pathlib
import re
import sys
import tempfile

os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=8 --xla_backend_optimization_level=0"
os.environ["JAX_PLATFORMS"] = "cpu"
sys.path.insert(0, str(pathlib.Path(__file__).parents[2]))

import jax
import numpy as np

import data
from configs import sentiment
from training.checkpoints import ResumeCheckpoints
from training.replicas import Training, replicas_of

ONE = {"replicas": 1, "batch": 1, "rows": 1}
EPOCHS = 3


def make_config(path, mesh, sparse="off", mode="auto", length_buckets=1, combiner="sum"):
    """Returns the config of a small run whose replicas end at different epochs; its table has 17 rows."""
    config = sentiment.get_config(f"combiner={combiner}")
    config.seeds = tuple(range(8))
    config.data.path = path
    config.data.max_vocab = 17
    config.model.dim = 4
    config.model.dropout = 0.2
    config.model.word_dropout = 0.1
    config.optimizer.sparse = sparse
    config.optimizer.learning_rate = 0.03
    config.optimizer.weight_decay = 0.01
    config.train.epochs = EPOCHS
    config.train.batch_size = 32
    config.train.patience = 1
    config.train.length_buckets = length_buckets
    config.engine.replicas = mode
    config.engine.mesh.update(mesh)
    return config


def main(path, target):
    """Writes, for every layout, what a training on it came to."""
    dataset = data.load("sentiment", make_config(path, ONE).data)
    found = {"refused": refusals(path, dataset)}
    for name, config in (
        ("one", make_config(path, ONE)),
        ("alone", make_config(path, {"replicas": 0})),
        ("replicas", make_config(path, {"replicas": 4})),
        ("batch", make_config(path, {"replicas": 4, "batch": 2})),
        ("rows", make_config(path, {"replicas": 2, "batch": 2, "rows": 2}, sparse="exact")),
        ("one, trimmed", make_config(path, ONE, length_buckets=3)),
        ("trimmed", make_config(path, {"replicas": 4, "batch": 2}, length_buckets=3)),
        (
            "trimmed rows",
            make_config(path, {"replicas": 2, "batch": 2, "rows": 2}, "exact", length_buckets=3),
        ),
        ("one, gru", make_config(path, ONE, combiner="gru")),
        ("gru", make_config(path, {"replicas": 2, "batch": 4}, combiner="gru")),
        ("streamed", make_config(path, {"replicas": 4, "batch": 2}, sparse="exact")),
    ):
        config.data.max_resident_bytes = 10_000 if name == "streamed" else 2**31
        training = Training(config, dataset, len(config.seeds))
        start = training.start(replicas_of(config))
        found[name] = {"shards": shards(start)}
        with tempfile.TemporaryDirectory() as folder, training.epochs(pathlib.Path(folder)) as train_all:
            if name in ("rows", "gru"):
                found[name]["exchanged"] = exchanged(training)
            if name == "rows":
                found["resumed"] = resumed(training, train_all, pathlib.Path(folder))
            found[name] |= report(training, *train(train_all, range(EPOCHS), start))
    pathlib.Path(target).write_text(json.dumps(found))


def train(train_all, epochs, state):
    """Returns the state after some epochs, and the validation losses of each."""
    losses = []
    for epoch in epochs:
        state, metrics = train_all(state, epoch)
        losses.append(jax.device_get(metrics)["validation"]["loss"])
    return state, losses


def resumed(training, train_all, folder):
    """Returns the report of a training that went on from a checkpoint after its first epoch."""
    state, before = train(train_all, range(1), training.start(replicas_of(training.config)))
    with ResumeCheckpoints(folder) as checkpoints:
        checkpoints.save(1, state, {})
    with ResumeCheckpoints(folder) as checkpoints:
        state, _ = checkpoints.restore(training.abstract_state)
    state, after = train(train_all, range(1, EPOCHS), state)
    return report(training, state, [*before, *after])


def report(training, state, losses):
    """Returns what two trainings are compared by, as JSON values."""
    best = training.best_variables(state).params
    return {
        "best_params": {name: np.asarray(leaf).tolist() for name, leaf in by_name(best).items()},
        "losses": np.nan_to_num(np.stack(losses), nan=-1).tolist(),
        "epochs": np.asarray(state.epoch).tolist(),
    }


def shards(state):
    """Returns {name of an array of the state: (its shape, the shape of what one device holds)}."""
    return {
        name: (leaf.shape, leaf.sharding.shard_shape(leaf.shape)) for name, leaf in by_name(state).items()
    }


def exchanged(training):
    """Returns the shapes of what devices send each other."""
    program = training._compiled.as_text()
    lines = re.findall(r"= (.*) (?:all-\w+|reduce-scatter|collective-\w+)\(", program)
    return [
        [int(size) for size in shape.split(",") if size]
        for line in lines
        for shape in re.findall(r"\w\d+\[([\d,]*)\]", line)
    ]


def by_name(tree):
    return {jax.tree_util.keystr(path): leaf for path, leaf in jax.tree_util.tree_leaves_with_path(tree)}


def refusals(path, dataset):
    """Returns what is said of meshes that cannot be."""
    said = {}
    for name, mesh, mode, batch_size, num_replicas in (
        ("devices", {"replicas": 3}, "auto", 32, 8),
        ("too many", {"replicas": 8, "batch": 2}, "auto", 32, 8),
        ("replicas", {"replicas": 8}, "auto", 32, 6),
        ("batch", {"batch": 4}, "auto", 30, 8),
        ("no rows", {"rows": 0}, "auto", 32, 8),
        ("one after the other", {"batch": 2}, "map", 32, 8),
    ):
        config = make_config(path, mesh, mode=mode)
        config.train.batch_size = batch_size
        try:
            Training(config, dataset, num_replicas)
        except ValueError as error:
            said[name] = str(error)
    return said


if __name__ == "__main__":
    main(*sys.argv[1:])
