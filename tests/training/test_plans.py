"""The plan of an epoch: every example once, an order for every replica, and one program for all models."""

import numpy as np
import pytest

import data
from training.devices import Layout
from training.plans import compile_plan
from training.replicas import Training

SEEDS = np.array([3, 8, 21], np.uint32)
BUCKET = np.array([0, 2, 1, 0, 1, 0, 2, 2, 1, 0], np.int32)


def planned(mode="map", epoch=0, epochs_behind=0, seeds=SEEDS, batch_size=4):
    plan = compile_plan(Layout(mode), len(seeds), len(BUCKET), batch_size)
    return plan(seeds, np.full(len(seeds), epochs_behind, np.int32), np.int32(epoch), BUCKET)


def test_every_replica_meets_every_example_once():
    batches = planned()
    for rows in np.asarray(batches.rows):
        np.testing.assert_array_equal(np.sort(rows[np.asarray(batches.present) > 0]), np.arange(len(BUCKET)))


def test_a_batch_is_wide_enough_for_all_its_examples():
    batches = planned()
    for rows in np.asarray(batches.rows):
        np.testing.assert_array_equal(BUCKET[rows].max(axis=1), batches.width_index)


def test_seeds_and_epochs_have_their_own_order():
    first = planned()
    np.testing.assert_array_equal(first.rows, planned().rows)
    assert not np.array_equal(first.rows[0], first.rows[1])
    assert not np.array_equal(first.rows, planned(epochs_behind=1).rows)


def test_epochs_of_the_training_have_their_own_order_of_widths():
    orders = {tuple(np.asarray(planned(epoch=epoch).width_index)) for epoch in range(5)}
    assert len(orders) > 1


@pytest.mark.parametrize("mode", ["map", "vmap"])
def test_a_seed_has_the_same_plan_alone_and_in_company(mode):
    together, alone = planned(mode), planned(mode, seeds=SEEDS[1:2])
    np.testing.assert_array_equal(together.rows[1], alone.rows[0])
    np.testing.assert_array_equal(together.width_index, alone.width_index)


def test_models_of_the_same_data_share_one_program(config):
    dataset = data.load(config.task, config.data)
    other = config.copy_and_resolve_references()
    other.model.combiner = "max"
    first, second = (Training(one, dataset, 2) for one in (config, other))
    first.compile()
    compiled = compile_plan.cache_info().misses
    second.compile()
    assert compile_plan.cache_info().misses == compiled


def test_replicas_side_by_side_still_choose_one_width(config):
    config.engine.replicas, config.train.length_buckets = "vmap", 3
    training = Training(config, data.load(config.task, config.data), 2)
    assert len(training.program.widths) > 1
    # One choice in training, one in validation. Of a choice by numbers that replicas may differ in, both ways are taken
    # and one is selected.
    assert training._lowered.as_text().count("stablehlo.case") == 2
