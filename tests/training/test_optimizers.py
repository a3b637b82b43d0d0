"""Optimisers and schedules by name: what they do to parameters, and which names are refused."""

import jax.numpy as jnp
import numpy as np
import optax
import pytest

from configs import sentiment
from training.adam import adam
from training.optimizers import OPTIMIZERS, SCHEDULES, make_optimizer


def optimizer_of(total_steps=10, **fields):
    config = sentiment.get_config().optimizer
    config.update(
        {"name": "sgd", "schedule": "constant", "warmup_fraction": 0.0, "weight_decay": 0.0, **fields}
    )
    return make_optimizer(config, total_steps)


def steps_taken(optimizer, learning_rate=1.0, steps=10, gradient=1.0):
    """Returns how far each step moves a matrix whose gradient is constant."""
    update = optimizer(learning_rate)
    params = {"w": jnp.ones((1, 1))}
    state, moves = update.init(params), []
    for _ in range(steps):
        updates, state = update.update({"w": jnp.full((1, 1), gradient)}, state, params)
        moves.append(-float(updates["w"][0, 0]))
    return np.asarray(moves)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_name_makes_an_optimiser_that_moves_against_the_gradient(name):
    assert steps_taken(optimizer_of(name=name), steps=2)[-1] > 0


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("constant", np.ones(10)),
        ("linear", 1 - np.arange(10) / 10),
        ("cosine", (1 + np.cos(np.pi * np.arange(10) / 10)) / 2),
    ],
)
def test_schedules_scale_the_learning_rate_over_all_steps(schedule, expected):
    np.testing.assert_allclose(steps_taken(optimizer_of(schedule=schedule), 0.5), 0.5 * expected, atol=1e-6)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_warm_up_rises_linearly_to_the_full_rate_and_then_the_schedule_begins(schedule):
    moves = steps_taken(optimizer_of(schedule=schedule, warmup_fraction=0.4))
    np.testing.assert_allclose(moves[:5], [0.25, 0.5, 0.75, 1.0, 1.0], atol=1e-6)
    assert (np.diff(moves[4:]) <= 0).all()


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw", "adagrad"])
def test_weight_decay_is_decoupled_from_the_gradient_for_every_optimiser(name):
    optimizer = optimizer_of(name=name, weight_decay=0.5, schedule="linear")
    np.testing.assert_allclose(
        steps_taken(optimizer, learning_rate=0.1, steps=3, gradient=0.0),
        0.05 * np.asarray([1, 0.9, 0.8]),
        rtol=1e-5,
    )


@pytest.mark.parametrize("name", ["sgd", "adamw"])
def test_weight_decay_spares_vectors(name):
    update = optimizer_of(name=name, weight_decay=0.5)(1.0)
    params = {"bias": jnp.ones(3), "kernel": jnp.ones((3, 3))}
    zeros = {"bias": jnp.zeros(3), "kernel": jnp.zeros((3, 3))}
    updates, _ = update.update(zeros, update.init(params), params)
    assert float(jnp.abs(updates["bias"]).max()) == 0
    assert float(jnp.abs(updates["kernel"]).max()) > 0


def test_our_adam_is_optaxs_to_rounding():
    rng = np.random.default_rng(0)
    params = {"a": jnp.asarray(rng.normal(size=(5, 3)), jnp.float32), "b": jnp.zeros(4)}
    rate = optax.linear_schedule(0.1, 0.01, 50)
    both = [adam(rate, b1=0.8, b2=0.99, eps=1e-3), optax.adam(rate, b1=0.8, b2=0.99, eps=1e-3)]
    states, trained = [each.init(params) for each in both], [params, params]
    for _ in range(60):
        grads = {
            "a": jnp.asarray(rng.normal(size=(5, 3)), jnp.float32),
            "b": jnp.asarray([1e-4, 0.0, 1.0, 1e4]),
        }
        for i, each in enumerate(both):
            updates, states[i] = each.update(grads, states[i], trained[i])
            trained[i] = optax.apply_updates(trained[i], updates)
    for name in params:
        np.testing.assert_allclose(trained[0][name], trained[1][name], rtol=2e-5, atol=1e-6)


def test_adamw_is_optaxs_adamw():
    ours = steps_taken(optimizer_of(name="adamw", weight_decay=0.5, schedule="cosine"), 0.1)
    config = {"learning_rate": optax.cosine_decay_schedule(0.1, 10), "weight_decay": 0.5}
    theirs = steps_taken(lambda _: optax.adamw(**config))
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-7)


def test_gradients_are_clipped_to_a_norm():
    np.testing.assert_allclose(
        steps_taken(optimizer_of(clip_norm=0.1), steps=1, gradient=7.0), [0.1], rtol=1e-6
    )


def test_options_reach_optax():
    plain, heavy = (
        steps_taken(optimizer_of(options=options), steps=2) for options in ({}, {"momentum": 0.5})
    )
    np.testing.assert_allclose(plain, [1, 1])
    np.testing.assert_allclose(heavy, [1, 1.5])


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"name": "adm"}, r"optimizer.name 'adm' \(did you mean 'adam'\?\)"),
        ({"schedule": "cosin"}, r"optimizer.schedule 'cosin' \(did you mean 'cosine'\?\)"),
        ({"options": {"momentun": 0.9}}, r"options of sgd 'momentun' \(did you mean 'momentum'\?\)"),
        ({"warmup_fraction": 1.0}, r"must lie in \[0, 1\), got 1.0"),
    ],
)
def test_what_does_not_exist_is_refused_with_the_nearest_name(fields, message):
    with pytest.raises(ValueError, match=message):
        optimizer_of(**fields)


def test_row_wise_adagrad_has_one_sum_of_squares_for_a_row_of_a_matrix():
    gradients = np.random.default_rng(0).normal(size=(5, 3, 4)).astype(np.float32)
    optimizer = optimizer_of(name="rowwise_adagrad", options={"eps": 0.1})(0.5)
    params = {"matrix": jnp.ones((3, 4)), "vector": jnp.ones(4)}
    state = optimizer.init(params)
    for gradient in gradients:
        updates, state = optimizer.update(
            {"matrix": jnp.asarray(gradient), "vector": jnp.asarray(gradient[0])}, state, params
        )
        params = optax.apply_updates(params, updates)

    matrix, vector = np.ones((3, 4)), np.ones(4)
    rows, numbers = np.full((3, 1), 0.1), np.full(4, 0.1)
    for gradient in np.float64(gradients):
        rows += (gradient**2).mean(axis=1, keepdims=True)
        numbers += gradient[0] ** 2
        matrix -= 0.5 * gradient / np.sqrt(rows + 0.1)
        vector -= 0.5 * gradient[0] / np.sqrt(numbers + 0.1)
    np.testing.assert_allclose(params["matrix"], matrix, rtol=1e-5)
    np.testing.assert_allclose(params["vector"], vector, rtol=1e-5)
