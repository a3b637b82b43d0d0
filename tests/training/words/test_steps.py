"""One step of word vectors is that of its formula in NumPy, and touches the rows of its batch alone."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from configs import skip_gram as skip_gram_config
from data import Corpus
from data.corpus_frequencies import noise_probability
from models.skip_gram import Blocks, Rows, window_survival
from training.words.steps import (
    EPSILON,
    Frequencies,
    Stretch,
    alias_table,
    draw,
    init_words,
    train_round,
    train_step,
)
from training.words.text_blocks import TextBlocks
from training.words.training import make_frequencies, make_word_program

V, D, RATE = 13, 4, 0.05


def config(**overrides):
    config = skip_gram_config.get_config()
    config.model.update({"dim": D, "window": 2, "block": 6, "noise": 3, "noise_blocks": 2})
    config.train.update({"step_words": 24})
    for field, value in overrides.items():
        section, name = field.split("_", 1)
        config[section][name] = value
    return config


def started(config, seed=0):
    """A replica with random tables, and four blocks of six words that repeat many of their 13."""
    program = make_word_program(config, V)
    state = init_words(jnp.uint32(seed), jnp.float32(RATE), program)
    rng = np.random.default_rng(seed)
    state = state._replace(
        tables=jax.tree.map(lambda t: jnp.asarray(rng.normal(size=t.shape), jnp.float32), state.tables)
    )
    blocks = Blocks(
        words=jnp.asarray(rng.integers(0, 8, (4, 6)), jnp.int32),
        sentence=jnp.zeros((4, 6), jnp.int32),
        window=jnp.asarray(rng.integers(1, 3, (4, 6)), jnp.int32),
        noise=jnp.asarray(rng.integers(0, 10, (2, 3)), jnp.int32),
    )
    return program, state, blocks


def gradients(program, state, blocks):
    """The gradient of the loss at every place that reads a row, from autodiff of the model's loss alone."""
    from flax import nnx

    model = nnx.merge(program.graphdef, state.tables, state.others, state.fixed)
    rows = Rows(model.words[blocks.words], model.contexts[blocks.words], model.contexts[blocks.noise])
    return jax.tree.map(np.float64, jax.grad(lambda rows: model.loss(rows, blocks, 4)[0])(rows))


@pytest.mark.parametrize("name", ["sgd", "adagrad"])
def test_a_step_adds_up_what_every_place_asks_of_a_row(name):
    program, state, blocks = started(config(optimizer_name=name))
    damping = jnp.linspace(0.3, 1.0, V)
    after, _ = train_step(state, blocks, jnp.float32(RATE), damping, program)
    grads = gradients(program, state, blocks)
    squares = {"words": np.full(V, EPSILON), "contexts": np.full(V, EPSILON)}
    places = (
        ("words", blocks.words, grads.words),
        ("contexts", blocks.words, grads.contexts),
        ("contexts", blocks.noise, grads.noise),
    )
    for table, rows, gradient in places:
        np.add.at(squares[table], np.asarray(rows), (gradient**2).mean(-1))
    expected = {table: np.float64(state.tables[table][...]) for table in squares}
    for table, rows, gradient in places:
        scale = squares[table] ** -0.5 if name == "adagrad" else np.float64(damping)
        np.add.at(expected[table], np.asarray(rows), -RATE * scale[np.asarray(rows)][..., None] * gradient)
    for table, values in expected.items():
        np.testing.assert_allclose(after.tables[table][...], values, rtol=1e-5, atol=1e-6)
    read = {
        "words": set(np.ravel(blocks.words)),
        "contexts": set(np.ravel(blocks.words)) | set(np.ravel(blocks.noise)),
    }
    for table, rows in read.items():
        others = [row for row in range(V) if row not in rows]
        np.testing.assert_array_equal(after.tables[table][...][others,], state.tables[table][...][others,])


def test_the_softmax_trains_all_context_vectors():
    program, state, blocks = started(config(model_loss="softmax", optimizer_name="sgd"))
    after, sums = train_step(state, blocks, jnp.float32(RATE), jnp.ones(V), program)
    assert (np.abs(after.tables["contexts"][...] - state.tables["contexts"][...]).max(axis=1) > 0).all()
    again = [sums.loss]
    for _ in range(20):
        after, sums = train_step(after, blocks, jnp.float32(RATE), jnp.ones(V), program)
        again.append(sums.loss)
    assert again[-1] < again[0]


@given(st.lists(st.integers(1, 10**6), min_size=1, max_size=40))
def test_the_alias_table_holds_the_distribution_exactly(counts):
    probability = noise_probability(np.asarray(counts, np.int64))
    accept, alias = alias_table(probability)
    mass = accept.astype(float)
    np.add.at(mass, alias, 1 - accept.astype(float))
    np.testing.assert_allclose(mass / len(counts), probability, rtol=1e-4, atol=1e-7)


def test_noise_and_windows_are_drawn_as_often_as_their_formulas_say():
    counts = np.asarray([1000, 300, 300, 50, 20, 5, 1], np.int64)
    probability = noise_probability(counts)
    accept, alias = alias_table(probability)
    survival = window_survival(3, 16)
    frequencies = Frequencies(*map(jnp.asarray, (accept, alias, survival)), jnp.ones(7))
    window, noise = draw(jax.random.key(1), (2000, 16), frequencies, (500, 40))
    observed = np.bincount(np.ravel(noise), minlength=7)
    assert stats.chisquare(observed, probability * noise.size).pvalue > 1e-4
    drawn = np.bincount(np.ravel(window), minlength=4)[1:]
    expected = -np.diff([*survival, 0.0]) * window.size
    assert stats.chisquare(drawn, expected).pvalue > 1e-4


def test_rows_that_a_step_reads_often_take_smaller_steps():
    counts = np.asarray([900, 90, 10], np.int64)
    corpus = Corpus("made_up", ("a", "b", "c"), counts, np.zeros(1000, np.int32), np.asarray([1000]), 1000)
    keep = np.asarray([0.1, 1.0, 1.0])
    frequencies = make_frequencies(config(optimizer_max_repeats=5.0), corpus, keep)
    per_step = np.asarray([90, 90, 10]) / 190 * 24  # of the 24 words of a step
    np.testing.assert_allclose(frequencies.damping, np.minimum(1, 5 / per_step), rtol=1e-6)


def round_of(program, state, *, begin=0.0, end=1.0):
    rng = np.random.default_rng(0)
    words = jnp.asarray(rng.integers(0, V, (4, 4, 6)), jnp.int32)
    text = TextBlocks(words, jnp.zeros_like(words))
    accept, alias = alias_table(np.full(V, 1 / V))
    frequencies = Frequencies(*map(jnp.asarray, (accept, alias, window_survival(2, 6))), jnp.ones(V))
    stretch = Stretch(jnp.int32(3), jnp.float32(begin), jnp.float32(end))
    return jax.jit(lambda s: train_round((s, text), stretch, frequencies, program))(state)


def test_a_round_takes_the_steps_that_have_words_and_counts_itself():
    program, state, _ = started(config())
    after, metrics = round_of(program, state)
    assert (int(after.step), int(after.rounds), int(after.diverged_step)) == (3, 1, -1)
    assert np.isfinite(metrics["loss"])


def test_the_learning_rate_falls_in_a_line_to_its_last_part():
    """At the end of training, rows move by final_fraction of what they move by at its beginning."""
    program, state, _ = started(config(optimizer_name="sgd"))
    program = dataclasses.replace(program, final_rate=0.01)
    state = state._replace(learning_rate=jnp.float32(1e-4))  # so little that gradients stay as they are
    moved = []
    for begin in (0.0, 0.5, 1.0):
        after, _ = round_of(program, state, begin=begin, end=begin)
        moved.append(np.abs(after.tables["words"][...] - state.tables["words"][...]).sum())
    np.testing.assert_allclose(np.divide(moved, moved[0]), [1, 0.5, 0.01], rtol=0.05)


def test_a_replica_that_diverged_rests():
    program, state, _ = started(config())
    state = state._replace(tables=jax.tree.map(lambda t: t.at[0].set(jnp.nan), state.tables))
    failed, _ = round_of(program, state)
    assert int(failed.diverged_step) == 0
    after, _ = round_of(program, failed)
    assert int(after.step) == int(failed.step)


@given(seed=st.integers(0, 1000))
@settings(max_examples=5, deadline=None)
def test_what_is_random_depends_on_seed_and_round_alone(seed):
    program, _, _ = started(config())
    one, again = (
        round_of(program, init_words(jnp.uint32(seed), jnp.float32(RATE), program))[0] for _ in range(2)
    )
    np.testing.assert_array_equal(one.tables["words"][...], again.tables["words"][...])
