"""A sum unfolded at full width computes the same; at smaller widths it keeps the largest singular values."""

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import models
from configs import categorical, sentiment
from data import TextSpec
from data.table_preprocessor import CategoricalField, NumericField, TableSpec
from models.folding import fold
from models.unfolding import factorise, unfold

SPEC = TableSpec(
    categorical=(
        CategoricalField(name="user", num_rows=9, max_values=1),
        CategoricalField(name="film", num_rows=8, max_values=1),
    ),
    numeric=(NumericField(name="a", mean=0.0, scale=1.0, edges=(-1.0, 0.0, 2.0)),),
    vectors=((0,),),
)
ROWS = {
    "categories": jnp.asarray([[2, 3], [4, 5], [0, 1]], jnp.int32),
    "numeric": jnp.asarray([[0.5], [np.nan], [3.0]], jnp.float32),
}


def make(combiner="sum", **fields):
    config = categorical.get_config(f"combiner={combiner}").model
    config.update({"dim": 6, "hidden": (5,), "embedding_scale": 0.5, "numeric": "embedded", **fields})
    return models.make_model("categorical", config, SPEC, rngs=nnx.Rngs(0)), config


@pytest.mark.parametrize("widths", [(5, 5, 5), (6, 6, 6), (5, 7, 5)])
def test_at_full_width_nothing_is_lost(widths):
    model, config = make()
    unfolded_config, unfolded = unfold(model, config, SPEC, widths)
    np.testing.assert_allclose(unfolded(ROWS), model(ROWS), rtol=1e-5, atol=1e-5)
    assert unfolded_config.combiner == unfolded.combiner.name == "concat"
    remade = models.make_model("categorical", unfolded_config, SPEC, rngs=nnx.Rngs(0))
    assert nnx.graphdef(remade) == nnx.graphdef(unfolded)


def test_at_smaller_widths_the_error_of_a_table_is_that_of_its_other_singular_values():
    model, config = make()
    _, unfolded = unfold(model, config, SPEC, (2, 3, 1))
    fields, kernel = unfolded.embedding["fields"], np.asarray(unfolded.dense.hidden[0].kernel[...])
    table, first = fields.tables[0][...], model.dense.hidden[0].kernel[...]
    exact = np.asarray(model.embedding["fields"].table[...][:9] @ first, np.float64)
    error = np.linalg.norm(exact - np.asarray(table) @ kernel[:2])
    values = factorise(model, config)[0][1]
    np.testing.assert_allclose(error, np.linalg.norm(values[2:]), rtol=1e-5)


def test_folding_takes_unfolding_back():
    model, config = make()
    unfolded_config, unfolded = unfold(model, config, SPEC, (5, 5, 5))
    _, folded = fold(unfolded, unfolded_config, SPEC, max_bytes=2**20)
    np.testing.assert_allclose(folded(ROWS), model(ROWS), rtol=1e-5, atol=1e-5)


def test_a_folded_sum_can_be_unfolded():
    model, config = make("concat")
    folded_config, folded = fold(model, config, SPEC, max_bytes=2**20)
    _, unfolded = unfold(folded, folded_config, SPEC, (5, 5, 5))
    np.testing.assert_allclose(unfolded(ROWS), model(ROWS), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("combiner", "fields", "widths", "reason"),
    [
        ("sum", {}, (5, 5), r"widths must be 3 positive numbers, one per slot, got \(5, 5\)"),
        ("sum", {}, (5, 0, 5), "positive"),
        ("mean", {}, (5, 5, 5), "only a sum of embeddings around 0 can be unfolded, got 'mean'"),
        ("sum", {"embedding_mean": 1.0}, (5, 5, 5), "around 1"),
        ("sum", {"numeric": "raw"}, (5, 5, 5), "a table of its own for every slot"),
    ],
)
def test_what_cannot_be_unfolded_is_refused_with_the_reason(combiner, fields, widths, reason):
    model, config = make(combiner, **fields)
    with pytest.raises(ValueError, match=reason):
        unfold(model, config, SPEC, widths)


def test_a_shared_table_is_refused():
    config = sentiment.get_config("combiner=sum").model
    spec = TextSpec(num_slots=4, vocab_size=9, classes=("bad", "good"))
    model = models.make_model("sentiment", config, spec, rngs=nnx.Rngs(0))
    with pytest.raises(ValueError, match="a table of its own for every slot"):
        unfold(model, config, spec, (2, 2, 2, 2))
