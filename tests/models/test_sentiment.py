"""The bag-of-words model: embed, combine, dense layers, logits."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import models
from combiners import COMBINERS
from configs import sentiment
from data import TextSpec

SPEC = TextSpec(num_slots=6, vocab_size=20, classes=("bad", "neutral", "good"))
SOME = ["sum", "max", "product", "concat", "position_sum", "attention", "gru"]
TOKENS = jnp.asarray([[2, 3, 4, 0, 0, 0], [5, 1, 7, 8, 9, 2], [0, 0, 0, 0, 0, 0]], jnp.int32)


def make(combiner="sum", spec=SPEC, **fields):
    config = sentiment.get_config(f"combiner={combiner}").model
    config.update({"dim": 12, "dropout": 0.0, "word_dropout": 0.0, **fields})
    return models.make_model("sentiment", config, spec, rngs=nnx.Rngs(0))


@pytest.mark.parametrize("combiner", SOME)
def test_logits_are_one_per_class_and_finite_for_an_empty_text_too(combiner):
    logits = make(combiner, hidden=(5,))({"tokens": TOKENS})
    assert logits.shape == (3, 3)
    assert logits.dtype == jnp.float32
    assert np.isfinite(logits).all()


def test_a_sum_with_one_linear_layer_is_what_its_formula_says():
    model = make("sum", hidden=())
    table = np.asarray(model.embedding.table[...], np.float64)
    kernel, bias = np.asarray(model.dense.output.kernel[...]), np.asarray(model.dense.output.bias[...])
    expected = [
        sum((table[t] for t in row if t != 0), np.zeros(12)) @ kernel + bias for row in np.asarray(TOKENS)
    ]
    np.testing.assert_allclose(model({"tokens": TOKENS}), expected, rtol=1e-5, atol=1e-6)


def test_hidden_layers_are_rectified():
    model = make("sum", hidden=(5, 4))
    h = model.combiner(model.embedding(TOKENS), TOKENS != 0)
    for layer in model.dense.hidden:
        h = np.maximum(np.asarray(h @ layer.kernel[...] + layer.bias[...]), 0)
    np.testing.assert_allclose(
        model({"tokens": TOKENS}),
        h @ model.dense.output.kernel[...] + model.dense.output.bias[...],
        rtol=1e-5,
        atol=1e-6,
    )


@pytest.mark.parametrize("combiner", SOME)
def test_padding_changes_nothing(combiner):
    model = make(combiner)
    np.testing.assert_allclose(
        model({"tokens": TOKENS[:1, :3]}), model({"tokens": TOKENS[:1]}), rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("combiner", ["product", "hybrid", "sum"])
def test_embeddings_start_around_the_value_that_the_combiner_declares(combiner):
    spec = TextSpec(num_slots=6, vocab_size=5000, classes=("bad", "good"))
    every_word = jnp.arange(5000)[:, None]
    vectors = make(combiner, spec, embedding_scale=0.1).embedding(every_word)
    np.testing.assert_allclose(vectors.mean(), COMBINERS[combiner].embedding_mean, atol=0.002)
    np.testing.assert_allclose(vectors.std(), 0.1, rtol=0.02)
    moved = make(combiner, spec, embedding_mean=0.5).embedding(every_word)
    np.testing.assert_allclose(moved.mean(), 0.5, atol=0.002)


def test_weight_decay_draws_embeddings_towards_that_value():
    model = make("product")
    decayed = jax.tree.map(lambda leaf: 0 * leaf, nnx.state(model, nnx.Param))
    nnx.update(model, decayed)
    np.testing.assert_array_equal(model.embedding(TOKENS), 1.0)


def test_with_a_table_per_slot_the_same_word_differs_between_slots():
    shared, own = make("sum"), make("sum", table_per_slot=True)
    twice = jnp.asarray([[3, 3, 0, 0, 0, 0]], jnp.int32)
    vectors = [np.asarray(model.embedding(twice))[0] for model in (shared, own)]
    np.testing.assert_array_equal(vectors[0][0], vectors[0][1])
    assert np.abs(vectors[1][0] - vectors[1][1]).min() > 0
    assert own.embedding.table.shape == (6 * 20, 12)


def test_slots_may_share_the_width_unequally():
    model = make("concat", table_per_slot=True, widths=(7, 1, 1, 1, 1, 1))
    vectors = model.embedding(TOKENS)
    assert [v.shape for v in vectors] == [(3, 7), *[(3, 1)] * 5]
    assert model({"tokens": TOKENS}).shape == (3, 3)


def test_unequal_widths_cannot_share_a_table():
    with pytest.raises(ValueError, match=r"different widths \(1, 2\) cannot share one table"):
        models.Embedding(num_rows=3, num_slots=2, dim=(1, 2), rngs=nnx.Rngs(0))


def test_dropout_is_for_training_alone():
    model = make("sum", dropout=0.5, word_dropout=0.3)
    evaluated = [model({"tokens": TOKENS}) for _ in range(2)]
    np.testing.assert_array_equal(*evaluated)
    trained = [model({"tokens": TOKENS}, rngs=nnx.Rngs(dropout=seed)) for seed in (0, 0, 1)]
    np.testing.assert_array_equal(trained[0], trained[1])
    assert np.abs(trained[0] - trained[2]).max() > 0


def test_word_dropout_drops_whole_words():
    spec = TextSpec(num_slots=400, vocab_size=2, classes=("bad", "good"))
    model = make("sum", spec, word_dropout=0.3)
    model.embedding.table[...] = jnp.ones_like(model.embedding.table[...])
    model.dense.output.kernel[...] = jnp.full_like(model.dense.output.kernel[...], 1 / 12)
    counts = model({"tokens": jnp.ones((50, 400), jnp.int32)}, rngs=nnx.Rngs(dropout=0))[:, 0]
    np.testing.assert_allclose(
        counts, np.round(counts), atol=1e-3
    )  # all twelve dimensions of a word, or none
    np.testing.assert_allclose(counts.mean(), 400 * 0.7, rtol=0.02)


def test_bfloat16_stays_near_float32():
    half, full = (make("mean", dtype=dtype)({"tokens": TOKENS}) for dtype in ("bfloat16", "float32"))
    assert half.dtype == jnp.float32
    np.testing.assert_allclose(half, full, atol=0.02)
    assert np.abs(half - full).max() > 0


def test_whether_weights_have_a_meaning_is_asked_of_the_parts_of_several_combiners():
    spec = TextSpec(num_slots=6, vocab_size=20, classes=("bad", "good"), has_weights=True)
    assert make("multi", spec, combiner_options={"combiners": ("sum", "mean")}).combiner.accepts_weights
    with pytest.raises(ValueError, match="'multi' has no meaning for weights"):
        make("multi", spec)  # a maximum is among its parts


def test_word_weights_reach_the_combiner():
    spec = TextSpec(num_slots=6, vocab_size=20, classes=("bad", "good"), has_weights=True)
    model = make("sum", spec)
    doubled = model({"tokens": TOKENS, "weights": jnp.full(TOKENS.shape, 2.0)}) - model.dense.output.bias[...]
    plain = model({"tokens": TOKENS, "weights": jnp.ones(TOKENS.shape)}) - model.dense.output.bias[...]
    np.testing.assert_allclose(doubled, 2 * plain, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            lambda: make(
                "max", TextSpec(num_slots=6, vocab_size=20, classes=("bad", "good"), has_weights=True)
            ),
            "'max' has no meaning for weights",
        ),
        (lambda: make(dtype="float16"), "float32 or bfloat16, got 'float16'"),
        (lambda: make("smu"), r"unknown combiner 'smu' \(did you mean 'sum'\?\)"),
        (lambda: make(dropout=1.0), r"model.dropout must lie in \[0, 1\), got 1.0"),
        (lambda: make(word_dropout=-0.1), r"model.word_dropout must lie in \[0, 1\), got -0.1"),
    ],
)
def test_what_cannot_be_is_refused(build, message):
    with pytest.raises(ValueError, match=message):
        build()


def test_every_parameter_gets_a_gradient():
    model = make("attention", hidden=(5,))
    graphdef, params = nnx.split(model)

    def loss(params):
        return (nnx.merge(graphdef, params)({"tokens": TOKENS}) ** 2).sum()

    # Attention's query starts at zero, so only what depends on the table can move it: not a dead parameter.
    for leaf in jax.tree.leaves(jax.grad(loss)(params)):
        assert np.abs(leaf).max() > 0
