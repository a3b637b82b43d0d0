"""Matrix products and whole models in less than float32: what is rounded, and what is not."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from combiners import make_combiner
from configs import categorical, mnist, order, sentiment
from data import TextSpec
from data.images import ImageSpec
from data.table_preprocessor import CategoricalField, TableSpec
from training import evaluate_workdir, run
from training.engine import init_state
from training.network import make_network, make_program
from training.precision import MATMUL_PRECISIONS, check_matmul_precision
from training.step import Variables, forward_with_loss, predict_batch, train_step

TEXT = TextSpec(num_slots=5, vocab_size=30, classes=("bad", "good"))
TASKS = {
    "categorical": (
        categorical,
        TableSpec(
            target_mean=3.0,
            categorical=tuple(CategoricalField(name=name, num_rows=9, max_values=1) for name in "abc"),
            numeric=(),
            vectors=(),
        ),
    ),
    "mnist": (mnist, ImageSpec(height=32, width=32, classes=tuple("0123456789"))),
    "order": (order, TEXT),
    "sentiment": (sentiment, TEXT),
}


def network_of(task, **fields):
    module, spec = TASKS[task]
    config = module.get_config()
    config.model.dim = 16
    config.train.length_buckets = 1
    config.update_from_flattened_dict({name.replace("__", "."): value for name, value in fields.items()})
    network = make_network(config, spec)
    return network, make_program(config, network, spec, num_examples=16)


def batch_of(task):
    rng = np.random.default_rng(0)
    inputs = {
        "categorical": {"categories": rng.integers(0, 9, (16, 3), dtype=np.int32)},
        "mnist": {"pixels": rng.integers(0, 256, (16, 32, 32), dtype=np.uint8)},
        "order": {"tokens": rng.integers(1, 30, (16, 5), dtype=np.int32)},
        "sentiment": {"tokens": rng.integers(1, 30, (16, 5), dtype=np.int32)},
    }[task]
    targets = rng.normal(size=16).astype(np.float32) if task == "categorical" else rng.integers(0, 2, 16)
    return jax.tree.map(jnp.asarray, {**inputs, "targets": targets, "present": np.ones(16, np.float32)})


@pytest.mark.parametrize("task", TASKS)
def test_a_model_in_bfloat16_keeps_parameters_and_loss_in_float32_and_learns(task):
    _, program = network_of(task, model__dtype="bfloat16", optimizer__sparse="off")
    full, _ = network_of(task)
    batch = batch_of(task)
    state = init_state(jnp.uint32(0), jnp.float32(0.01), program)
    rounded, sums = forward_with_loss(state.params, state.fixed, batch, program.network)
    exact, _ = forward_with_loss(state.params, state.fixed, batch, full)
    assert rounded.dtype == sums["loss"].dtype == jnp.float32
    assert rounded == pytest.approx(float(exact), rel=0.02)
    assert rounded != exact, "nothing was rounded"
    step = jax.jit(functools.partial(train_step, program=program))
    params, opt_state, losses = state.params, state.opt_state, []
    for index in range(8):
        params, opt_state, sums = step(
            params, state.fixed, opt_state, batch, 0, jax.random.key(index), state.learning_rate
        )
        losses.append(float(sums["loss"]))
    assert all(leaf.dtype == jnp.float32 for leaf in jax.tree.leaves(params))
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("combiner", ["sum", "mean", "sqrtn"])
def test_long_bags_are_added_up_in_float32(combiner):
    n = 4096
    combine = make_combiner(combiner, num_vectors=n, dim=2, rngs=None)
    x = jnp.full((1, n, 2), 0.01, jnp.bfloat16)
    y = combine(x)
    each = float(x[0, 0, 0])
    expected = {"sum": n * each, "mean": each, "sqrtn": n**0.5 * each}[combiner]
    # Added up in bfloat16, the sum would stop growing where 0.01 is less than half of its last digit.
    np.testing.assert_allclose(np.asarray(y, np.float32), expected, rtol=2**-8)


def test_rows_that_many_places_read_add_up_their_gradients_in_float32():
    """4,096 places read one row; each adds 0.01 to its gradient."""
    _, program = network_of("sentiment", model__dtype="bfloat16", model__combiner="sum", model__hidden=())
    state = init_state(jnp.uint32(0), jnp.float32(0.01), program)
    batch = {
        "tokens": jnp.full((1024, 4), 3, jnp.int32),
        "targets": jnp.zeros(1024, jnp.int32),
        "present": jnp.ones(1024),
    }
    full, _ = network_of("sentiment", model__combiner="sum", model__hidden=())

    def gradient(network):
        def loss(params):
            return forward_with_loss(params, state.fixed, batch, network)[0]

        return jax.grad(loss)(start)["embedding"]["table"][...]

    start = init_state(
        jnp.uint32(0), jnp.float32(0.01), network_of("sentiment", optimizer__sparse="off")[1]
    ).params
    np.testing.assert_allclose(gradient(program.network)[3], gradient(full)[3], rtol=0.02, atol=1e-6)


@pytest.mark.parametrize("name", ["float32", "tf32", "bfloat16"])
def test_the_precision_is_asked_for_in_every_matrix_product_of_a_step_and_of_a_prediction(name):
    network, program = network_of(
        "sentiment", engine__matmul_precision=name, model__combiner="attention", model__hidden=(8,)
    )
    marks = {"float32": "HIGHEST", "tf32": "HIGH,", "bfloat16": "bf16"}
    state = init_state(jnp.uint32(0), jnp.float32(0.01), program)
    batch = batch_of("sentiment")
    step = jax.jit(functools.partial(train_step, program=program)).lower(
        state.params, state.fixed, state.opt_state, batch, 0, jax.random.key(0), state.learning_rate
    )
    best = Variables(state.best_params, state.fixed)
    predict = jax.jit(functools.partial(predict_batch, network=network)).lower(
        best, {"tokens": batch["tokens"]}
    )
    for lowered in (step, predict):
        products = [line for line in lowered.as_text().splitlines() if "dot_general" in line]
        assert products
        assert all(marks[name] in line for line in products), products
    assert jax.config.jax_default_matmul_precision is None, "the setting leaked"


def test_precisions_are_a_fixed_list():
    assert check_matmul_precision("tf32") == "tf32"
    assert list(MATMUL_PRECISIONS) == ["default", "float32", "tf32", "bfloat16"]
    with pytest.raises(ValueError, match=r"must be one of .*'bfloat8' \(did you mean 'bfloat16'"):
        check_matmul_precision("bfloat8")


def test_a_run_with_a_precision_evaluates_to_the_same_numbers(config, tmp_path):
    changed = config.copy_and_resolve_references()
    changed.engine.matmul_precision = "bfloat16"
    changed.model.dtype = "bfloat16"
    changed.train.epochs, changed.seeds = 1, (0,)
    results = run(changed, tmp_path / "run")
    assert evaluate_workdir(tmp_path / "run")["metrics"] == results["metrics"]["test"]
