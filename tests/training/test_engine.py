"""The engine: what a step, an epoch and a replica are, whatever runs beside them."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from hypothesis import given
from hypothesis import strategies as st

import data
from training.batches import Batches, batch_at, batch_indices
from training.devices import Layout
from training.engine import evaluation_sums, init_state, is_active, train_epoch
from training.network import make_network, make_program
from training.plans import compile_plan
from training.replicas import host_arrays
from training.replication import choice, replicate
from training.step import Variables, train_step

# What counts as the same parameters where XLA may order the arithmetic otherwise: float32 rounding over some twenty
# Adam steps of size 0.01.
ROUNDING = {"rtol": 1e-4, "atol": 1e-5}


@pytest.fixture(scope="module")
def engine(config):
    """Builds the engine of the config with changes, each once: (program, train arrays, validation arrays)."""
    dataset = data.load(config.task, config.data)

    @functools.cache
    def build(**changes):
        changed = config.copy_and_resolve_references()
        changed.update_from_flattened_dict(
            {name.replace("__", "."): value for name, value in changes.items()}
        )
        network = make_network(changed, dataset.spec)
        program = make_program(changed, network, dataset.spec, len(dataset.splits["train"]))
        splits = (host_arrays(dataset.splits[name], program) for name in ("train", "validation"))
        return program, *jax.device_put(tuple(splits))

    return build


def start(program, seeds, rates=0.01):
    seeds = jnp.asarray(seeds, jnp.uint32)
    return jax.vmap(functools.partial(init_state, program=program))(
        seeds, jnp.broadcast_to(jnp.float32(rates), seeds.shape)
    )


@functools.cache
def jitted(program, mode):
    program = dataclasses.replace(program, choose=choice(mode))
    return jax.jit(replicate(functools.partial(train_epoch, program=program), mode))


def train(program, train_arrays, validation, seeds, epochs=3, mode="map", rates=0.01):
    run = jitted(program, mode)
    state, history = start(program, seeds, rates), []
    plan = compile_plan(Layout(mode), len(seeds), len(train_arrays["targets"]), program.batch_size)
    for epoch in range(epochs):
        batches = plan(state.seed, state.epoch, np.int32(epoch), train_arrays["bucket"])
        rows, shared = batches.rows, batches._replace(rows=None)
        state, metrics = run((state, rows), shared, train_arrays, validation)
        history.append(metrics)
    return state, history


def mean_loss(variables, arrays, program):
    return evaluation_sums(variables, arrays, program)["loss"].sum() / len(arrays["targets"])


def assert_close(a, b, **tolerance):
    for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        np.testing.assert_allclose(x, y, **tolerance)


def test_a_model_learns_what_is_there_to_learn(engine):
    _, history = train(*engine(), seeds=[0, 1], epochs=8)
    assert (history[-1]["validation"]["accuracy"] > 0.9).all()
    assert (history[-1]["train"]["loss"] < 0.5 * history[0]["train"]["loss"]).all()


def take_step(program, arrays, rows, present=None, width_index=-1, key=0):
    state = init_state(jnp.uint32(0), jnp.float32(0.5), program)
    present = jnp.ones(len(rows)) if present is None else jnp.asarray(present)
    batch = Batches(jnp.asarray(rows), present, jnp.int32(width_index % len(program.widths)))
    params, _, sums = train_step(
        state.params,
        state.fixed,
        state.opt_state,
        batch_at(arrays, batch),
        batch.width_index,
        jax.random.key(key),
        state.learning_rate,
        program,
    )
    return params, sums


PLAIN = {"optimizer__name": "sgd", "model__dropout": 0.0, "model__word_dropout": 0.0}


def test_a_step_goes_down_the_gradient_of_the_mean_loss_over_the_examples_present(engine):
    program, arrays, _ = engine(**PLAIN)
    state = init_state(jnp.uint32(0), jnp.float32(0.5), program)

    def mean_loss(params):
        logits = nnx.merge(program.network.graphdef, params, state.fixed)({"tokens": arrays["tokens"][:4]})
        shares = jnp.exp(logits) / jnp.exp(logits).sum(axis=1, keepdims=True)
        return -jnp.log(shares[jnp.arange(4), arrays["targets"][:4]]).mean()

    expected = jax.tree.map(lambda p, g: p - 0.5 * g, state.params, jax.grad(mean_loss)(state.params))
    with_filling, sums = take_step(program, arrays, range(8), present=[1.0] * 4 + [0.0] * 4)
    assert_close(with_filling, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(sums["loss"], 4 * mean_loss(state.params), rtol=1e-5)


def test_a_step_on_a_trimmed_batch_is_the_step_on_the_whole_one(engine):
    program, arrays, _ = engine(**PLAIN, train__length_buckets=3)
    batches = batch_indices(arrays["bucket"], 16)
    assert len(program.widths) > 1
    for rows, present, width_index in zip(*batches, strict=True):
        trimmed, _ = take_step(program, arrays, rows, present, int(width_index))
        whole, _ = take_step(program, arrays, rows, present)
        assert_close(trimmed, whole, rtol=1e-5, atol=1e-6)


def test_replicas_side_by_side_and_one_after_the_other_agree(engine):
    built = engine()
    by_map, by_vmap, by_auto = (
        train(*built, seeds=[0, 1, 2], mode=mode)[0] for mode in ("map", "vmap", "auto")
    )
    assert_close(by_map, by_auto, rtol=0, atol=0)  # on a CPU auto is map
    assert_close(by_map.params, by_vmap.params, **ROUNDING)
    assert_close(by_map.best_epoch, by_vmap.best_epoch, rtol=0, atol=0)


@pytest.mark.parametrize(("mode", "buckets"), [("map", 1), ("vmap", 3)])
def test_a_replica_comes_to_the_same_parameters_alone_and_in_company(engine, mode, buckets):
    built = engine(train__length_buckets=buckets)
    together, _ = train(*built, seeds=[0, 1, 2, 3, 4], mode=mode)
    alone, _ = train(*built, seeds=[3], mode=mode)
    third = jax.tree.map(lambda leaf: leaf[3:4], together)
    assert_close(third.params, alone.params, **ROUNDING)
    assert_close(third.best_params, alone.best_params, **ROUNDING)
    others = jax.tree.map(lambda leaf: leaf[2:3], together)
    with pytest.raises(AssertionError):  # the tolerance tells seeds apart
        assert_close(others.params, alone.params, **ROUNDING)


def test_each_replica_may_have_its_own_learning_rate(engine):
    built = engine()
    together, _ = train(*built, seeds=[0, 0], rates=[0.01, 0.03])
    alone, _ = train(*built, seeds=[0], rates=0.03)
    assert_close(jax.tree.map(lambda leaf: leaf[1:], together).params, alone.params, **ROUNDING)


def test_the_best_epochs_parameters_are_kept(engine):
    program, arrays, validation = engine(train__monitor="loss")
    state, history = train(program, arrays, validation, seeds=[0, 1], epochs=6, rates=2.0)
    losses = np.stack([epoch["validation"]["loss"] for epoch in history])
    np.testing.assert_array_equal(state.best_epoch, 1 + losses.argmin(axis=0))
    assert (losses.argmin(axis=0) < 5).any(), "the test needs a seed whose best epoch is not its last"
    for replica in range(2):
        best = jax.tree.map(lambda leaf, r=replica: leaf[r], Variables(state.best_params, state.fixed))
        np.testing.assert_allclose(mean_loss(best, validation, program), losses[:, replica].min(), rtol=1e-5)


@pytest.mark.parametrize("mode", ["map", "vmap"])
def test_a_replica_without_patience_left_rests_and_the_others_go_on(engine, mode):
    program, arrays, validation = engine(train__monitor="loss", train__patience=1)
    splits, how = (arrays, validation), {"seeds": [0, 1], "rates": [2.0, 0.001], "mode": mode}
    state, history = train(program, *splits, epochs=6, **how)
    stopped_after = int(state.epoch[0])
    assert stopped_after < 6
    assert int(state.epoch[1]) == 6
    assert np.isnan(history[-1]["validation"]["loss"][0])
    np.testing.assert_array_equal(is_active(state, program), [False, True])
    until_then, _ = train(program, *splits, epochs=stopped_after, **how)
    first = [jax.tree.map(lambda leaf: leaf[0], s) for s in (state, until_then)]
    assert_close(first[0], first[1], rtol=0, atol=0)


@pytest.mark.parametrize("mode", ["map", "vmap"])
def test_a_diverging_replica_is_named_by_its_step_and_harms_no_other(engine, mode):
    program, arrays, validation = engine(optimizer__name="sgd")
    state, _ = train(program, arrays, validation, seeds=[0, 1], rates=[jnp.inf, 0.01], mode=mode)
    alone, _ = train(program, arrays, validation, seeds=[1], rates=0.01, mode=mode)
    np.testing.assert_array_equal(
        state.diverged_step, [1, -1]
    )  # the first step's loss is still that of the start
    assert int(state.epoch[0]) == 1, "it rests from then on"
    assert np.isfinite(jax.tree.leaves(jax.tree.map(lambda x: x.sum(), state.best_params))).all()
    assert_close(jax.tree.map(lambda leaf: leaf[1:], state).params, alone.params, **ROUNDING)


def test_trimming_batches_to_their_length_changes_nothing_but_the_order_of_examples(engine):
    whole, whole_arrays, _ = engine(train__length_buckets=1)
    trimmed, arrays, _ = engine(train__length_buckets=3)
    assert len(whole.widths) == 1
    assert len(trimmed.widths) > 1
    state = init_state(jnp.uint32(0), jnp.float32(0.01), whole)
    variables = Variables(state.params, state.fixed)
    expected = mean_loss(variables, whole_arrays, whole)
    assert_close(mean_loss(variables, arrays, trimmed), expected, rtol=1e-5)


def test_no_example_is_trimmed_short(engine):
    program, arrays, _ = engine(train__length_buckets=3)
    batches = batch_indices(arrays["bucket"], program.batch_size, jax.random.key(0))
    lengths = np.count_nonzero(arrays["tokens"], axis=1)
    for rows, present, width_index in zip(*batches, strict=True):
        longest = lengths[np.asarray(rows)[np.asarray(present) > 0]].max()
        assert longest <= program.widths[width_index]
    assert len(set(np.asarray(batches.width_index).tolist())) > 1


@given(
    buckets=st.lists(st.integers(0, 2), min_size=30, max_size=30),
    batch_size=st.sampled_from([1, 7, 30, 64]),
    seed=st.integers(0, 2**31),
)
def test_batches_hold_every_example_once_and_need_the_same_widths_in_any_order(buckets, batch_size, seed):
    bucket = jnp.asarray(buckets, jnp.int32)
    shuffled = batch_indices(bucket, batch_size, jax.random.key(seed))
    in_order = batch_indices(bucket, batch_size)
    for batches in (shuffled, in_order):
        rows = np.asarray(batches.rows)[np.asarray(batches.present) > 0]
        assert sorted(rows.tolist()) == list(range(30))
        assert [buckets[row] for row in rows] == sorted(buckets), "shortest first"
    np.testing.assert_array_equal(shuffled.width_index, in_order.width_index)
    rows = np.asarray(in_order.rows)[np.asarray(in_order.present) > 0].tolist()
    assert rows == sorted(range(30), key=lambda row: buckets[row]), (
        "without a key the order is that of the split"
    )


def test_examples_are_shuffled_evenly():
    bucket = jnp.zeros(4, jnp.int32)
    orders = jax.vmap(lambda key: batch_indices(bucket, 4, key).rows[0])(
        jax.random.split(jax.random.key(0), 24_000)
    )
    _, counts = np.unique(np.asarray(orders), axis=0, return_counts=True)
    assert len(counts) == 24
    assert abs(counts - 1000).max() < 5 * np.sqrt(1000)


def test_every_step_drops_other_units(engine):
    program, arrays, _ = engine()
    same = {"tokens": arrays["tokens"][:1], "targets": arrays["targets"][:1], "bucket": arrays["bucket"][:1]}
    losses = []
    for steps in (1, 2):  # of a batch of one example repeated, at a learning rate of zero
        repeated = {name: jnp.repeat(array, 32 * steps, axis=0) for name, array in same.items()}
        _, history = train(program, repeated, repeated, seeds=[0], epochs=1, rates=0.0)
        losses.append(float(history[0]["train"]["loss"][0]))
    assert abs(losses[0] - losses[1]) > 1e-6, "the mean over two steps differs from the first"


def test_nothing_is_random_in_evaluation(engine):
    _, history = train(*engine(), seeds=[0, 1], rates=0.0)
    losses = np.stack([epoch["validation"]["loss"] for epoch in history])
    assert len(np.unique(losses[:, 0])) == 1


def test_an_unknown_way_to_run_replicas_is_refused():
    with pytest.raises(ValueError, match="auto, map or vmap, got 'pmap'"):
        replicate(train_epoch, "pmap")
