"""The model of ordered sentences: what sees no order gets one of two twins right, what does learns the grammar."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from combiners import COMBINERS
from configs import order as order_config
from data import order
from data.dataset import TextSpec
from models.matching import match_sizes
from models.order import OrderedSentence
from models.sentiment import BagOfWords

ORDER_BLIND = [name for name, cls in COMBINERS.items() if cls.permutation_invariant and cls.arity is None]
SPEC = TextSpec(num_slots=5, vocab_size=12, classes=("original", "swapped"))
PAIRS = TextSpec(num_slots=5, vocab_size=12, classes=("0", "1"), is_pair=True)
TOKENS = jnp.asarray([[2, 3, 4, 0, 0], [5, 1, 7, 8, 9], [0, 0, 0, 0, 0]], jnp.int32)
TOKENS_B = jnp.asarray([[4, 3, 2, 5, 0], [0, 0, 0, 0, 0], [2, 3, 4, 0, 0]], jnp.int32)


def make(combiner="concat", spec=SPEC, seed=0, cls=OrderedSentence, **fields):
    config = order_config.get_config(f"combiner={combiner}").model
    with config.unlocked():
        config.update({"dim": 12, "hidden": (6,), **fields})
    return cls(config, spec, sizes=match_sizes(cls, config, spec), rngs=nnx.Rngs(seed))


@pytest.fixture(scope="module")
def plain():
    """Generated sentences of level 1: both questions, a thousand pairs of twins to test on."""
    config = order_config.get_config("data=order_grammar").data
    config.update({"level": 1, "num_nouns": 8, "num_verbs": 4, "num_adjectives": 8})
    config.update({"num_train": 2000, "num_test": 2000})
    return order.load(config)


def accuracy_after(model, dataset, steps, optimizer):
    """Returns the accuracy on the test split after some steps of training, compiled as one program."""
    graphdef, params, fixed = nnx.split(model, nnx.Param, ...)
    train, test = dataset.splits["train"], dataset.splits["test"]
    rows = np.random.default_rng(0).integers(0, len(train), (steps, 64))

    def loss(params, tokens, targets):
        logits = nnx.merge(graphdef, params, fixed)({"tokens": tokens})
        return optax.softmax_cross_entropy_with_integer_labels(logits, targets).mean()

    def step(carry, batch):
        params, state = carry
        updates, state = optimizer.update(jax.grad(loss)(params, *batch), state)
        return (optax.apply_updates(params, updates), state), None

    @jax.jit
    def run(params, tokens, targets, test_tokens):
        (params, _), _ = jax.lax.scan(step, (params, optimizer.init(params)), (tokens, targets))
        return nnx.merge(graphdef, params, fixed)({"tokens": test_tokens})

    logits = run(params, train.inputs["tokens"][rows], train.targets[rows], test.inputs["tokens"])
    assert np.isfinite(logits).all()
    return float(np.mean(np.argmax(logits, axis=-1) == test.targets))


@pytest.mark.parametrize("combiner", ORDER_BLIND)
def test_what_sees_no_order_gets_one_of_two_twins_right(combiner, plain):
    # Not exactly: the same sum in another order is rounded differently, which may turn an answer that is close.
    model = make(combiner, plain.spec, hidden=())
    assert accuracy_after(model, plain, steps=5, optimizer=optax.sgd(0.1)) == pytest.approx(0.5, abs=0.002)


@pytest.mark.parametrize("combiner", ["concat", "position_sum"])
def test_what_has_a_place_for_every_slot_learns_plain_sentences(combiner, plain):
    model = make(combiner, plain.spec, match="embed", hidden=())
    assert accuracy_after(model, plain, steps=150, optimizer=optax.adam(0.02)) > 0.95


@pytest.mark.parametrize("combiner", ["sum", "concat", "gru"])
def test_one_sentence_is_read_as_the_sentiment_task_reads_it(combiner):
    ours, theirs = make(combiner), make(combiner, cls=BagOfWords, word_dropout=0.0)
    np.testing.assert_array_equal(ours({"tokens": TOKENS}), theirs({"tokens": TOKENS}))


@pytest.mark.parametrize("combiner", ["mean", "concat", "gru"])
def test_logits_of_pairs_are_finite_for_empty_texts_too(combiner):
    logits = make(combiner, PAIRS)({"tokens": TOKENS, "tokens_b": TOKENS_B})
    assert logits.shape == (3, 2)
    assert logits.dtype == jnp.float32
    assert np.isfinite(logits).all()


def test_both_texts_of_a_pair_go_through_one_encoder():
    model = make("concat", PAIRS, pair_combiner="concat", hidden=())
    u, v = (model.combiner(model.embedding(t), t != 0) for t in (TOKENS, TOKENS_B))
    dense = model.dense.output
    expected = np.concatenate([u, v], axis=-1) @ dense.kernel[...] + dense.bias[...]
    np.testing.assert_allclose(
        model({"tokens": TOKENS, "tokens_b": TOKENS_B}), expected, rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize(
    ("pair_combiner", "is_symmetric"), [("abs_difference", True), ("product", True), ("matching", False)]
)
def test_the_pair_combiner_decides_whether_the_order_of_the_two_matters(pair_combiner, is_symmetric):
    model = make("gru", PAIRS, pair_combiner=pair_combiner)
    there = model({"tokens": TOKENS, "tokens_b": TOKENS_B})
    back = model({"tokens": TOKENS_B, "tokens_b": TOKENS})
    assert np.allclose(there, back, atol=1e-6) == is_symmetric


def test_options_reach_the_pair_combiner():
    model = make("mean", PAIRS, pair_combiner="bilinear", pair_combiner_options={"features": 3})
    assert model.pair_combiner.out_dim == 3
    with pytest.raises(ValueError, match=r"unknown combiner 'matchin' \(did you mean 'matching'\?\)"):
        make("mean", PAIRS, pair_combiner="matchin")


def test_padding_of_either_text_changes_nothing():
    model = make("position_sum", PAIRS)
    short = model({"tokens": TOKENS[:1, :4], "tokens_b": TOKENS_B[:1, :4]})
    np.testing.assert_allclose(
        short, model({"tokens": TOKENS[:1], "tokens_b": TOKENS_B[:1]}), rtol=1e-5, atol=1e-6
    )


def test_dropout_is_for_training_alone():
    model, inputs = make("concat", PAIRS, dropout=0.5), {"tokens": TOKENS, "tokens_b": TOKENS_B}
    trained = [model(inputs, rngs=nnx.Rngs(dropout=seed)) for seed in (0, 0, 1)]
    np.testing.assert_array_equal(trained[0], trained[1])
    assert np.abs(trained[0] - trained[2]).max() > 0
    np.testing.assert_array_equal(model(inputs), make("concat", PAIRS, dropout=0.0)(inputs))


def test_with_a_table_per_slot_widths_may_differ():
    model = make("concat", table_per_slot=True)  # 12 numbers for 5 words
    assert model.combiner.out_dim == 12
    assert [table.shape[-1] for table in model.embedding.tables] == [3, 3, 2, 2, 2]
    assert OrderedSentence.num_vectors(None, SPEC) == 5


def test_every_parameter_of_a_pair_gets_a_gradient():
    model = make("position_sum", PAIRS, pair_combiner="bilinear")
    graphdef, params = nnx.split(model)
    inputs = {"tokens": TOKENS, "tokens_b": TOKENS_B}
    grads = jax.jit(jax.grad(lambda p: (nnx.merge(graphdef, p)(inputs) ** 2).sum()))(params)
    for leaf in jax.tree.leaves(grads):
        assert np.abs(leaf).max() > 0


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (functools.partial(make, "smu"), r"unknown combiner 'smu' \(did you mean 'sum'\?\)"),
        (functools.partial(make, dtype="float16"), "float32 or bfloat16, got 'float16'"),
        (functools.partial(make, dropout=1.0), r"model.dropout must lie in \[0, 1\), got 1.0"),
        (
            functools.partial(
                make, "gru", TextSpec(num_slots=5, vocab_size=12, classes=("a", "b"), has_weights=True)
            ),
            "'gru' has no meaning for weights: set data.weights to ''",
        ),
    ],
)
def test_what_cannot_be_is_refused(build, message):
    with pytest.raises(ValueError, match=message):
        build()
