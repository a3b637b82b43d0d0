"""Training from disk, some steps at a time, gives what training from memory gives."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import data
from training import lifecycle, replicas
from training.devices import Layout
from training.engine import init_state, train_epoch
from training.network import make_network, make_program
from training.plans import compile_plan
from training.replication import choice, replicate
from training.streaming import StreamedEpochs, move_to_disk, split_bytes

SEEDS = np.array([3, 5], np.uint32)


@pytest.fixture(scope="module")
def program_and_splits(config):
    config = config.copy_and_resolve_references()
    config.train.length_buckets = 3
    config.train.patience = 1
    dataset = data.load(config.task, config.data)
    program = make_program(
        config, make_network(config, dataset.spec), dataset.spec, len(dataset.splits["train"])
    )
    return program, {name: dataset.splits[name] for name in ("train", "validation")}


def start(program):
    # The first rate is so high that its replica soon runs out of patience, while the other goes on.
    rates = jnp.array([2.0, 0.01], jnp.float32)
    return jax.vmap(functools.partial(init_state, program=program))(jnp.asarray(SEEDS), rates)


@pytest.mark.parametrize("mode", ["map", "vmap"])
def test_streamed_epochs_equal_those_in_memory_step_by_step(program_and_splits, tmp_path, mode):
    program, splits = program_and_splits
    program = dataclasses.replace(program, choose=choice(mode))
    arrays = jax.device_put([replicas.host_arrays(split, program) for split in splits.values()])
    resident = jax.jit(replicate(functools.partial(train_epoch, program=program), mode))
    on_disk = {name: move_to_disk(split, tmp_path / name) for name, split in splits.items()}
    assert all(isinstance(array, np.memmap) for array in on_disk["train"].inputs.values())
    buckets = {name: replicas.length_buckets(split, program) for name, split in splits.items()}
    two_steps = 2 * 2 * program.batch_size * len(SEEDS) * split_bytes(splits["train"]) // len(splits["train"])
    layout, num_examples = Layout(mode), len(splits["train"])
    plan = compile_plan(layout, len(SEEDS), num_examples, program.batch_size)
    streamed = StreamedEpochs(program, on_disk, buckets, len(SEEDS), layout, None, plan, two_steps)

    expected, found = start(program), start(program)
    for epoch in range(5):
        batches = plan(expected.seed, expected.epoch, np.int32(epoch), arrays[0]["bucket"])
        expected, expected_metrics = resident((expected, batches.rows), batches._replace(rows=None), *arrays)
        found, metrics = streamed(found, epoch)
        for a, b in zip(jax.tree.leaves(expected_metrics), jax.tree.leaves(metrics), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5)
    assert int(found.epoch[0]) < int(found.epoch[1]) == 5, "the test needs a replica that rests"
    for a, b in zip(jax.tree.leaves(expected), jax.tree.leaves(found), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_a_run_beyond_its_memory_limit_gives_the_same_metrics_and_leaves_no_examples(config, tmp_path):
    config = config.copy_and_resolve_references()
    resident = lifecycle.run(config, tmp_path / "resident")
    config.data.max_resident_bytes = 8_000
    assert split_bytes(data.load(config.task, config.data).splits["train"]) > 8_000
    streamed = lifecycle.run(config, tmp_path / "streamed")
    for split in ("validation", "test"):
        for metric, summary in resident["metrics"][split].items():
            np.testing.assert_allclose(
                summary["per_seed"], streamed["metrics"][split][metric]["per_seed"], rtol=1e-5
            )
    assert not (tmp_path / "streamed" / "examples").exists()
