"""The blocked loss is word2vec's, pair by pair; windows, sentences and noise are counted as its formulas say."""

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
import pytest
from flax import nnx
from hypothesis import given
from hypothesis import strategies as st

from configs import skip_gram as skip_gram_config
from models.row_tables import RowTable
from models.skip_gram import Blocks, Rows, SkipGram, window_pairs, window_survival

V, D = 11, 4


def config(**fields) -> ml_collections.ConfigDict:
    model = skip_gram_config.get_config().model
    model.update({"dim": D, "window": 2, "negatives": 3, **fields})
    return model


def random_case(seed: int, **fields):
    """A model in float64 with random tables, and random blocks: 4 of 6 words, 3 noise words for every two."""
    rng = np.random.default_rng(seed)
    model = SkipGram(config(**fields), V, rngs=nnx.Rngs(seed))
    for table in (model.words, model.contexts):
        table[...] = jnp.asarray(rng.normal(size=table.shape))
    blocks = Blocks(
        words=jnp.asarray(rng.integers(0, V, (4, 8)), jnp.int32),
        sentence=jnp.asarray(np.sort(rng.integers(-1, 3, (4, 8))), jnp.int32),
        window=jnp.asarray(rng.integers(1, 3, (4, 8)), jnp.int32),
        noise=jnp.asarray(rng.integers(0, V, (2, 3)), jnp.int32),
    )
    return model, blocks


def pairs_of(blocks: Blocks):
    """(block, i, j) of every word i and its contexts j, by the definition."""
    for block, (sentence, window) in enumerate(zip(blocks.sentence, blocks.window, strict=True)):
        for i in range(len(sentence)):
            for j in range(len(sentence)):
                if i != j and abs(i - j) <= window[i] and sentence[i] == sentence[j] >= 0:
                    yield block, i, j


def softplus(x):
    return np.logaddexp(0, x)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def plain_skip_gram(words, contexts, blocks, negatives):
    """Σ over pairs of −log σ(w·c) − N/K Σ_k log σ(−w·c_k) and its gradients, one pair after the other."""
    loss, of_words, of_contexts = 0.0, np.zeros_like(words), np.zeros_like(contexts)
    share = len(blocks.words) // len(blocks.noise)
    for block, i, j in pairs_of(blocks):
        centre, noise = blocks.words[block, i], blocks.noise[block // share]
        targets = [(blocks.words[block, j], 1.0, 1.0)] + [(k, 0.0, negatives / len(noise)) for k in noise]
        for target, label, weight in targets:
            score = words[centre] @ contexts[target]
            loss += weight * softplus(-score if label else score)
            error = weight * (sigmoid(score) - label)
            of_words[centre] += error * contexts[target]
            of_contexts[target] += error * words[centre]
    return loss, of_words, of_contexts


def plain_softmax(words, contexts, blocks, negatives):
    """Σ over pairs of −log softmax(C w)_j and its gradients."""
    del negatives
    loss, of_words, of_contexts = 0.0, np.zeros_like(words), np.zeros_like(contexts)
    for block, i, j in pairs_of(blocks):
        centre, target = blocks.words[block, i], blocks.words[block, j]
        probability = np.exp(contexts @ words[centre])
        probability /= probability.sum()
        loss -= np.log(probability[target])
        error = probability - (np.arange(len(contexts)) == target)
        of_words[centre] += error @ contexts
        of_contexts += np.outer(error, words[centre])
    return loss, of_words, of_contexts


def plain_cbow(words, contexts, blocks, negatives):
    """Σ over words with a context of −log σ(h·c_i) − N/K Σ_k log σ(−h·c_k), h the sum of its contexts' w."""
    loss, of_words, of_contexts = 0.0, np.zeros_like(words), np.zeros_like(contexts)
    bags = {}
    for block, i, j in pairs_of(blocks):
        bags.setdefault((block, i), []).append(blocks.words[block, j])
    share = len(blocks.words) // len(blocks.noise)
    for (block, i), bag in bags.items():
        h, noise = words[bag].sum(0), blocks.noise[block // share]
        targets = [(blocks.words[block, i], 1.0, 1.0)] + [(k, 0.0, negatives / len(noise)) for k in noise]
        for target, label, weight in targets:
            score = h @ contexts[target]
            loss += weight * softplus(-score if label else score)
            error = weight * (sigmoid(score) - label)
            np.add.at(of_words, bag, error * contexts[target])
            of_contexts[target] += error * h
    return loss, of_words, of_contexts


def blocked(model, blocks):
    """The loss as a function of the tables, through the rows that the blocks read."""

    def loss(words, contexts):
        noise = contexts if model.is_softmax else contexts[blocks.noise]
        rows = Rows(words[blocks.words], contexts[blocks.words], noise)
        return model.loss(rows, blocks, len(blocks.words))[0]

    return loss


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("fields", "plain"),
    [
        ({}, plain_skip_gram),
        ({"loss": "softmax"}, plain_softmax),
        ({"objective": "cbow", "combiner": "sum"}, plain_cbow),
    ],
    ids=["skip_gram", "softmax", "cbow"],
)
def test_loss_and_gradients_are_those_of_the_plain_pairwise_loss(seed, fields, plain):
    with jax.enable_x64(True):
        model, blocks = random_case(seed, **fields)
        tables = model.words[...], model.contexts[...]
        value, gradients = jax.value_and_grad(blocked(model, blocks), argnums=(0, 1))(*tables)
        assert value.dtype == np.float64
    arrays = Blocks(*(np.asarray(array) for array in blocks))
    expected, *expected_gradients = plain(*map(np.asarray, tables), arrays, model.negatives)
    np.testing.assert_allclose(value, expected, rtol=1e-12)
    for ours, theirs in zip(gradients, expected_gradients, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("monitored", [2, 4])
def test_the_monitored_loss_is_that_of_the_first_blocks(monitored):
    model, blocks = random_case(0)
    rows = Rows(model.words[blocks.words], model.contexts[blocks.words], model.contexts[blocks.noise])
    _, shown = model.loss(rows, blocks, monitored)
    first = Blocks(*(x[:monitored] for x in blocks[:3]), blocks.noise[: monitored // 2])
    rows = Rows(model.words[first.words], model.contexts[first.words], model.contexts[first.noise])
    total, alone = model.loss(rows, first, monitored)
    np.testing.assert_allclose([shown.loss, shown.count], [total, alone.count], rtol=1e-5)
    assert int(shown.count) == sum(block < monitored for block, _, _ in pairs_of(blocks))


def test_no_window_leaves_its_sentence_and_filling_has_none():
    sentence = jnp.asarray([[0, 0, 1, 1, -1, -1]])
    pairs = np.asarray(window_pairs(jnp.full((1, 6), 5), sentence))[0]
    assert {(i, j) for i, j in np.argwhere(pairs)} == {(0, 1), (1, 0), (2, 3), (3, 2)}


@pytest.mark.parametrize("combiner", ["sum", "mean", "max", "concat", "attention", "gru"])
def test_any_combiner_makes_the_bag_and_learns(combiner):
    fields = {"objective": "cbow", "combiner": combiner, "dim": D}
    model, blocks = random_case(0, **fields)
    assert model.contexts.shape == (V, model.combiner.out_dim)
    graphdef, tables, others = nnx.split(model, RowTable, ...)

    def loss(others):
        model = nnx.merge(graphdef, tables, others)
        rows = Rows(model.words[blocks.words], model.contexts[blocks.words], model.contexts[blocks.noise])
        return model.loss(rows, blocks, 2)[0]

    for gradient in jax.tree.leaves(jax.grad(loss)(others)):
        assert np.isfinite(gradient).all()
        assert np.abs(gradient).max() > 0


def test_a_bag_is_in_the_order_of_the_text():
    """A concatenation of the window is the words to the left, then those to the right, zeros beyond the edges."""
    model, blocks = random_case(0, objective="cbow", combiner="concat")
    blocks = blocks._replace(sentence=jnp.zeros_like(blocks.sentence), window=jnp.full_like(blocks.window, 2))
    w = model.words[blocks.words]
    bags = model._bags(w, window_pairs(blocks.window, blocks.sentence))
    zero = jnp.zeros(D)
    np.testing.assert_array_equal(bags[0, 2], jnp.concatenate([w[0, 0], w[0, 1], w[0, 3], w[0, 4]]))
    np.testing.assert_array_equal(bags[0, 0], jnp.concatenate([zero, zero, w[0, 1], w[0, 2]]))


@given(radius=st.integers(1, 8), block=st.integers(16, 64))
def test_windows_use_pairs_of_every_distance_in_word2vecs_proportions(radius, block):
    k = np.arange(1, radius + 1)
    within = window_survival(radius, block) * (1 - k / block)  # a pair k apart shares a block with 1 − k/B
    expected = (radius - k + 1) / radius
    np.testing.assert_allclose(within / within[0], expected, rtol=1e-5)


def test_a_block_that_is_too_short_for_the_window_is_refused():
    with pytest.raises(ValueError, match=r"model.block must be more than model.window, got 5 and 5"):
        window_survival(5, 5)
    with pytest.raises(ValueError, match=r"model.block 6 is too short for model.window 5"):
        window_survival(5, 6)
