"""Rows of a table that no training example looks up: looked up like others, but no parameters."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import models
from configs import sentiment
from data import TextSpec
from models.embedding import Embedding

SPEC = TextSpec(num_slots=4, vocab_size=9, classes=("bad", "good"), num_extra=3)
TOKENS = jnp.asarray([[2, 8, 3, 6], [5, 0, 0, 0], [7, 7, 1, 0]], jnp.int32)


def fill(embedding):
    """Puts different numbers into every row, extra ones too; returns what is looked up in each slot."""
    rng = np.random.default_rng(0)
    count = embedding.num_slots if embedding.table_per_slot else 1
    tables = [rng.normal(size=(embedding.num_rows, embedding.dim)).astype(np.float32) for _ in range(count)]
    embedding.set_slot_tables(tables)
    return tables


@pytest.mark.parametrize("per_slot", [False, True])
@pytest.mark.parametrize("num_extra", [0, 3])
@pytest.mark.parametrize("mean", [0.0, 1.0])
def test_every_row_is_found(per_slot, num_extra, mean):
    embedding = Embedding(
        num_rows=9,
        num_slots=4,
        num_extra=num_extra,
        dim=5,
        table_per_slot=per_slot,
        mean=mean,
        rngs=nnx.Rngs(0),
    )
    tables = fill(embedding)
    expected = np.stack(
        [tables[slot if per_slot else 0][np.asarray(TOKENS)[:, slot]] + mean for slot in range(4)], axis=1
    )
    np.testing.assert_array_equal(embedding(TOKENS), expected)
    mask = TOKENS != 0
    np.testing.assert_allclose(
        embedding.summed(TOKENS, mask), (expected * mask[..., None]).sum(axis=1), rtol=1e-5, atol=1e-6
    )
    for slot in range(4):
        np.testing.assert_array_equal(embedding.slot_table(slot), tables[slot if per_slot else 0])


def test_extra_rows_are_no_parameters_and_zero_at_the_start():
    embedding = Embedding(num_rows=9, num_slots=4, num_extra=3, dim=5, rngs=nnx.Rngs(0))
    (parameter,) = jax.tree.leaves(nnx.state(embedding, nnx.Param))
    assert parameter.shape == (6, 5)
    np.testing.assert_array_equal(embedding(jnp.asarray([[6, 7, 8]])), 0)


def test_unequal_widths_have_no_extra_rows():
    with pytest.raises(ValueError, match=r"different widths \(1, 2\) have no rows for data.extra_vocabulary"):
        Embedding(num_rows=9, num_slots=2, num_extra=3, dim=(1, 2), table_per_slot=True, rngs=nnx.Rngs(0))


@pytest.mark.parametrize("combiner", ["sum", "concat"])
@pytest.mark.parametrize("frozen", [False, True])
def test_a_model_with_extra_rows_folds(combiner, frozen):
    config = sentiment.get_config(f"combiner={combiner}").model
    config.update({"dim": 8, "dropout": 0.0, "word_dropout": 0.0})
    if frozen:
        config.update({"pretrained": "vectors.txt", "pretrained_mode": "frozen"})
    model = models.make_model("sentiment", config, SPEC, rngs=nnx.Rngs(0))
    fill(model.embedding)
    fields, folded = models.fold(model, config, SPEC, 2**20)
    np.testing.assert_allclose(folded({"tokens": TOKENS}), model({"tokens": TOKENS}), rtol=1e-5, atol=1e-5)
    assert (fields.pretrained, fields.pretrained_mode) == ("", "tuned")
