"""A training that cannot fit is refused before anything is allocated, in one line that says what to do."""

import re
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import pytest

import data
from training import memory, run
from training.replicas import Training
from training.sweeps import trial

GB = 10**9


class State(NamedTuple):
    """The shapes of a state with one table."""

    params: Any
    opt_state: Any
    best_params: Any


def state_of(replicas=2, rows=10**6, width=250):
    table = {"embedding": {"table": jax.ShapeDtypeStruct((replicas, rows, width), jnp.float32)}}
    return State(table, (table, table), table)  # 1 GB each, for a seed


@pytest.fixture
def gigabytes(monkeypatch):
    """Sets how much memory there is, and how much of it is free."""

    def set_to(everything, free=None):
        monkeypatch.setattr(memory, "_all_bytes", lambda _: int(everything * GB))
        monkeypatch.setattr(memory, "_free_bytes", lambda _: int((free or everything) * GB))

    return set_to


def test_bytes_are_those_of_state_examples_and_a_dense_gradient_of_one_seed(gigabytes):
    gigabytes(9.9)
    memory.check_fits(state_of(), dense=False)
    memory.check_fits(state_of(), dense=False, examples=int(1.9 * GB))
    with pytest.raises(ValueError, match=r"needs 10\.0 GB"):
        memory.check_fits(state_of(), dense=False, examples=2 * GB)
    memory.check_fits(state_of(), dense=True)
    with pytest.raises(ValueError, match=r"needs 10\.0 GB \(.*gradient of a seed 1\.0 GB"):
        memory.check_fits(state_of(), dense=True, examples=GB)


def test_the_message_names_the_table_what_is_needed_what_there_is_and_what_helps(gigabytes):
    gigabytes(4.5)
    with pytest.raises(ValueError) as error:  # noqa: PT011 (the whole text is looked at)
        memory.check_fits(state_of())
    assert str(error.value) == (
        "the model needs 9.0 GB (parameters 2.0 GB, best parameters 2.0 GB, optimiser 4.0 GB, "
        "gradient of a seed 1.0 GB; the largest table, embedding.table, is 1,000,000 x 250 for each of 2 seeds: "
        "2.0 GB), 4.5 GB of memory are there; optimizer.sparse=exact, fewer than 2 seeds, a smaller model.dim or "
        "engine.mesh.rows over several devices may help"
    )


def test_what_others_use_counts_when_training_begins_but_not_before(gigabytes):
    gigabytes(20, free=3)
    memory.check_fits(state_of())
    with pytest.raises(ValueError, match=r"3\.0 GB of memory are free"):
        memory.check_fits(state_of(), free=True)


def test_a_limit_of_the_container_counts(tmp_path, monkeypatch):
    limit, used = tmp_path / "memory.max", tmp_path / "memory.current"
    monkeypatch.setattr(memory, "CGROUPS", ((limit, used),))
    devices = jax.local_devices()
    without = memory._all_bytes(devices)
    assert without > 10**8
    limit.write_text("3000000\n")
    used.write_text("1000000\n")
    assert (memory._all_bytes(devices), memory._free_bytes(devices)) == (3_000_000, 2_000_000)
    limit.write_text("max\n")
    assert memory._all_bytes(devices) == without


def too_large(config):
    changed = config.copy_and_resolve_references()
    changed.model.dim = 10**9
    changed.model.combiner_options = {}
    return changed


def test_a_run_that_cannot_fit_is_refused_before_a_byte_is_allocated(config, tmp_path):
    before = sum(array.nbytes for array in jax.live_arrays())
    with pytest.raises(ValueError) as error:  # noqa: PT011 (several parts are looked at)
        run(too_large(config), tmp_path / "run")
    assert re.fullmatch(r"the model needs [\d,]+\.\d GB \(.* x 1,000,000,000 .*may help", str(error.value))
    assert sum(array.nbytes for array in jax.live_arrays()) <= before
    assert not (tmp_path / "run").exists()


def test_a_trial_of_a_sweep_is_refused_when_it_is_prepared(config):
    shared = trial.SharedData()
    huge = too_large(config)
    dataset = shared.dataset(huge)
    assert isinstance(dataset, data.Dataset)
    with pytest.raises(ValueError, match="the model needs"):
        Training(huge, dataset, 2)
