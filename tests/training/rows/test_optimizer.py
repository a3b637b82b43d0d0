"""Rows updated one batch at a time: exact rows come to what a dense optimiser does, lazy ones rest between look-ups."""

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.optimizers import make_optimizer, make_schedule
from training.rows import make_row_optimizer
from training.rows.duplicates import sum_duplicates
from training.rows.rules import Adam

ROWS, WIDTH, STEPS, PLACES, RATE = 40, 3, 200, 6, 0.02

OPTIMIZERS = {
    "sgd": {"name": "sgd"},
    "sgd, decayed": {"name": "sgd", "weight_decay": 0.3},
    "adagrad": {"name": "adagrad"},
    "row-wise adagrad, decayed": {"name": "rowwise_adagrad", "weight_decay": 0.3},
    "adam": {"name": "adam"},
    "adam, large epsilon": {"name": "adam", "options": {"eps": 1e-2}},
    "adam, other means": {"name": "adam", "options": {"b1": 0.8, "b2": 0.98}},
    "adam, warm-up and cosine": {"name": "adam", "schedule": "cosine", "warmup_fraction": 0.2},
    "adamw": {"name": "adamw", "weight_decay": 0.3},
    "adamw, falling rate": {"name": "adamw", "weight_decay": 0.3, "schedule": "linear"},
}


def config_of(sparse="exact", **changes):
    fields = {
        "name": "adam",
        "schedule": "constant",
        "warmup_fraction": 0.0,
        "weight_decay": 0.0,
        "clip_norm": None,
        "learning_rate": RATE,
        "options": {},
    }
    return ml_collections.ConfigDict({**fields, "sparse": sparse, **changes})


def row_optimizer(config):
    return make_row_optimizer(config, make_schedule(config, STEPS), ROWS, PLACES)


def lookups(seed=0):
    """Ids of every step, some rows often and others hardly ever; and the gradients of their places, of any size."""
    rng = np.random.default_rng(seed)
    chance = 1.0 / np.arange(1, ROWS + 1)
    ids = rng.choice(ROWS, (STEPS, PLACES), p=chance / chance.sum()).astype(np.int32)
    gradients = rng.normal(size=(STEPS, PLACES, WIDTH)) * 10.0 ** rng.integers(-4, 1, (STEPS, 1, WIDTH))
    return jnp.asarray(ids), jnp.asarray(gradients, jnp.float32)


def start():
    return jax.random.normal(jax.random.key(1), (ROWS, WIDTH))


def by_row(optimizer, ids, gradients):
    """The table after some steps that touch the rows of their ids alone, and what they read: [steps, places, width]."""

    def step(carry, one):
        table, clock, slot = carry
        ids, gradients = one
        after = optimizer.advance(clock, RATE)
        rows = optimizer.read(table[ids], clock)
        unique, summed, slot = sum_duplicates(ids, gradients, slot)
        table = table.at[unique].set(optimizer.update(rows, summed, clock, after, RATE), mode="drop")
        return (table, after, slot), rows.vectors

    carry = (optimizer.pack(start()), optimizer.start_clock(RATE), jnp.zeros(ROWS, jnp.int32))
    (table, clock, _), read = jax.jit(lambda c, xs: jax.lax.scan(step, c, xs))(carry, (ids, gradients))
    return optimizer.read(table, clock).vectors, read


def whole(config, ids, gradients):
    """The same from a dense optimiser, which gets zeros for all other rows."""
    optimizer = make_optimizer(config, STEPS)(RATE)

    def step(carry, one):
        table, state = carry
        ids, gradients = one
        dense = jnp.zeros_like(table).at[ids].add(gradients)
        updates, state = optimizer.update(dense, state, table)
        return (table + updates, state), table[ids]

    (table, _), read = jax.jit(lambda c, xs: jax.lax.scan(step, c, xs))(
        (start(), optimizer.init(start())), (ids, gradients)
    )
    return table, read


@pytest.mark.parametrize("changes", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_exact_rows_are_those_of_a_dense_optimiser_after_200_steps_and_whenever_they_are_read(changes):
    ids, gradients = lookups()
    found, read = by_row(row_optimizer(config_of(**changes)), ids, gradients)
    expected, expected_read = whole(config_of(**changes), ids, gradients)
    # Steps are of size 0.02, so a hundred thousandth of one, and rounding of numbers around one.
    np.testing.assert_allclose(found, expected, rtol=2e-6, atol=2e-6)
    np.testing.assert_allclose(read, expected_read, rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize("changes", [OPTIMIZERS["adam"], OPTIMIZERS["adamw"]], ids=["adam", "adamw"])
def test_lazy_rows_rest_while_nothing_looks_them_up(changes):
    ids, gradients = lookups()
    ids = jnp.where(ids == 7, 8, ids)
    found, _ = by_row(row_optimizer(config_of("lazy", **changes)), ids, gradients)
    np.testing.assert_array_equal(found[7], start()[7])
    dense, _ = whole(config_of(**changes), ids, gradients)
    assert np.abs(found - dense).max() > 1e-3  # which is why they are not the same as dense ones


def test_lazy_adam_is_adam_on_the_rows_of_the_batch():
    ids, gradients = lookups()
    found, _ = by_row(row_optimizer(config_of("lazy")), ids, gradients)
    table = np.float64(start())
    mean, square = np.zeros_like(table), np.zeros_like(table)
    for number, (ids_of_step, gradients_of_step) in enumerate(
        zip(np.array(ids), np.float64(gradients), strict=True), 1
    ):
        summed = np.zeros_like(table)
        np.add.at(summed, ids_of_step, gradients_of_step)
        rows = np.unique(ids_of_step)
        mean[rows] = 0.9 * mean[rows] + 0.1 * summed[rows]
        square[rows] = 0.999 * square[rows] + 0.001 * summed[rows] ** 2
        corrected = mean[rows] / (1 - 0.9**number), square[rows] / (1 - 0.999**number)
        table[rows] -= RATE * corrected[0] / (np.sqrt(corrected[1]) + 1e-8)
    np.testing.assert_allclose(found, table, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("done", "error"), [(1, 1e-3), (10, 3e-5), (100, 2e-6), (10_000, 2e-6), (10**6, 2e-6)]
)
@pytest.mark.parametrize("decay", [0.0, 0.5])
def test_what_is_pending_is_the_sum_over_the_steps_to_come(done, error, decay):
    adam = Adam(eps=1e-3)
    rates = lambda steps: 0.01 / (1 + steps / 50)  # noqa: E731
    square = np.array([[0.0, 1e-12, 1e-8, 1e-6, 1e-4, 1.0]], np.float32)
    mean = np.array([[1e-9, 1e-6, -1e-4, 1e-3, 1e-2, -1.0]], np.float32)
    weights = adam.weights(jnp.int32(done), rates, decay)
    found = adam.pending((jnp.asarray(mean), jnp.asarray(square)), jnp.int32(done), weights)

    # In float32, 1 − β₂ᵗ has few digits while t is small, here as in a dense step.
    b1, b2 = np.float64(np.float32([0.9, 0.999]))
    steps = np.arange(1, 400)
    later = np.float64(done + steps)
    root = np.sqrt(1 - b2**later)
    # What is taken off later is decayed by fewer steps.
    spared = np.exp(-np.cumsum(np.log1p(-rates(later) * decay)))
    weight = rates(later) * root / (1 - b1**later) * b1**steps * spared
    below = b2 ** (steps / 2) * np.sqrt(np.float64(square))[..., None] + 1e-3 * root
    expected = np.float64(mean) * (weight / below).sum(axis=-1)
    np.testing.assert_allclose(found, expected, rtol=error)


@given(st.lists(st.integers(0, 9), min_size=1, max_size=30), st.integers(0, 2**32 - 1))
def test_gradients_of_equal_ids_are_summed_at_one_of_their_places(ids, seed):
    rng = np.random.default_rng(seed)
    gradients = rng.normal(size=(len(ids), 2)).astype(np.float32)
    nothing = rng.random(len(ids)) < 0.2
    ids = np.where(nothing, 10, ids).astype(np.int32)
    gradients[nothing] = 0
    scratch = rng.integers(0, len(ids), 10).astype(np.int32)  # of an earlier step
    unique, summed, _ = sum_duplicates(jnp.asarray(ids), jnp.asarray(gradients), jnp.asarray(scratch))
    expected = np.zeros((11, 2))
    np.add.at(expected, ids, gradients)
    kept = np.asarray(unique) < 10
    assert sorted(np.asarray(unique)[kept]) == sorted(set(ids) - {10})
    np.testing.assert_allclose(np.asarray(summed)[kept], expected[np.asarray(unique)[kept]], atol=1e-5)


def test_auto_updates_rows_alone_where_tables_are_large_and_says_nothing_where_it_cannot():
    schedule = make_schedule(config_of(), STEPS)

    def chosen(rows, **changes):
        return make_row_optimizer(config_of("auto", **changes), schedule, rows, 100)

    assert chosen(100) is None
    assert chosen(100_000).exact
    assert chosen(0) is None
    assert chosen(100_000, name="lamb") is None
    assert chosen(100_000, options={"b1": 0.0}) is None


@pytest.mark.parametrize(
    ("rows", "changes", "message"),
    [
        (10, {"sparse": "lasy"}, r"unknown optimizer.sparse 'lasy' \(did you mean 'lazy'\?\)"),
        (0, {"sparse": "lazy"}, "optimizer.sparse=lazy is not possible: the model looks up no table"),
        (10, {"sparse": "exact", "name": "lion"}, "lion has no form for rows"),
        (10, {"sparse": "exact", "options": {"b1": 0.0}}, "exact rows need 0 < b1"),
        (10, {"sparse": "exact", "options": {"b2": 0.9}}, "b2 of 0.98 at least, found b1=0.9 and b2=0.9"),
        (10, {"sparse": "lazy", "name": "sgd", "options": {"momentum": 0.9}}, "no option 'momentum' of sgd"),
    ],
)
def test_what_rows_cannot_have_is_refused_in_one_line(rows, changes, message):
    config = config_of(**changes)
    with pytest.raises(ValueError, match=message) as error:
        make_row_optimizer(config, make_schedule(config, STEPS), rows, PLACES)
    assert "\n" not in str(error.value)
