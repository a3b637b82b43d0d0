"""A folded model is a sum of table rows that computes what the model did; what is not linear is refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import models
from combiners import COMBINERS
from configs import categorical, mnist, order, sentiment
from data import TextSpec
from data.images import ImageSpec
from data.table_preprocessor import CategoricalField, NumericField, TableSpec
from models.dense import Bias
from models.folding import fold
from models.slot_maps import slot_maps

ROOM = 2**28
TEXT = TextSpec(num_slots=4, vocab_size=9, classes=("bad", "good"))
WEIGHTED = TextSpec(num_slots=4, vocab_size=9, classes=("bad", "good"), has_weights=True)
TABLE = TableSpec(
    categorical=(
        CategoricalField(name="user", num_rows=7, max_values=1),
        CategoricalField(name="film", num_rows=6, max_values=1),
        CategoricalField(name="tags", num_rows=5, max_values=3),
    ),
    numeric=tuple(
        NumericField(name=name, mean=0.0, scale=1.0, edges=(-1.0, 0.0, 2.0)) for name in ("a_0", "a_1", "b")
    ),
    vectors=((0, 1), (2,)),
)
IMAGE = ImageSpec(classes=("a", "b", "c"))
EXAMPLES = {
    "sentiment": {"tokens": jnp.asarray([[2, 3, 4, 0], [5, 1, 7, 8], [6, 0, 0, 0]], jnp.int32)},
    "categorical": {
        "categories": jnp.asarray([[2, 3], [4, 5], [0, 1]], jnp.int32),
        "bag_tags": jnp.asarray([[2, 3, 4], [4, 0, 0], [0, 0, 0]], jnp.int32),
        "numeric": jnp.asarray([[0.5, -1.0, 2.0], [np.nan, 1.0, 0.0], [3.0, np.nan, np.nan]], jnp.float32),
    },
    "mnist": {"pixels": jnp.asarray(np.random.default_rng(0).integers(0, 256, (3, 32, 32)), jnp.uint8)},
}
EXAMPLES["order"] = EXAMPLES["sentiment"]
EXAMPLES["weighted"] = {
    **EXAMPLES["sentiment"],
    "weights": jnp.asarray(np.random.default_rng(1).uniform(0.5, 2, (3, 4)), jnp.float32),
}
SPECS = {"sentiment": TEXT, "order": TEXT, "categorical": TABLE, "mnist": IMAGE}
CONFIGS = {
    "sentiment": sentiment,
    "order": order,
    "categorical": categorical,
    "mnist": mnist,
}

# Sums of linear maps of their slots, whatever is filled; and those that are where every slot is.
LINEAR = {
    "sum",
    "first",
    "weighted_sum",
    "position_weights",
    "permuted_sum",
    "role_filler",
    "difference",
    "concat",
    "padded_sum",
    "position_sum",
    "projected_concat",
}
LINEAR_WHERE_FULL = LINEAR | {"mean", "sqrtn", "last"}
OTHERS = ["max", "product", "hybrid", "attention", "project_then_mean", "gated_sum", "deep_sets", "gru"]


def make(task, combiner, spec=None, **fields):
    """Makes a model all of whose numbers are random, biases too, with the fields that it was made from."""
    config = CONFIGS[task].get_config(f"combiner={combiner}").model
    with config.unlocked():
        config.update({"dim": 12, "hidden": (5,), "dropout": 0.0, "embedding_scale": 0.5, **fields})
    spec = spec or SPECS[task]
    model = models.make_model(task, config, spec, rngs=nnx.Rngs(0))
    move(model)
    return model, config, spec


def move(module):
    """Moves every number of a module, as training would: some start at zero, and make a module linear there."""
    rng = np.random.default_rng(1)
    params = nnx.state(module, nnx.Param)
    nnx.update(module, jax.tree.map(lambda p: p + rng.normal(0, 0.1, p.shape).astype(p.dtype), params))


def assert_folds(task, combiner, spec=None, examples=None, **fields):
    """Folds a model, checks that the sum computes the same, and returns its config and itself."""
    model, config, spec = make(task, combiner, spec, **fields)
    folded_config, folded = fold(model, config, spec, ROOM)
    inputs = EXAMPLES[examples or task]
    np.testing.assert_allclose(folded(inputs), model(inputs), rtol=1e-5, atol=1e-5)
    assert folded_config.combiner == folded.combiner.name == "sum"
    remade = models.make_model(task, folded_config, spec, rngs=nnx.Rngs(0))
    assert nnx.graphdef(remade) == nnx.graphdef(folded), "the config of the folded model makes that model"
    return folded_config, folded


# --- Which combiners ---


@pytest.mark.parametrize("name", [*sorted(LINEAR_WHERE_FULL), *OTHERS])
def test_combiners_that_are_linear_in_every_slot_have_maps_and_others_have_none(name):
    cls = COMBINERS[name]
    combiner = cls(num_vectors=cls.arity or 3, dim=4, rngs=nnx.Rngs(0))
    move(combiner)
    for variable_length, linear in ((False, LINEAR_WHERE_FULL), (True, LINEAR)):
        if variable_length and not cls.variable_length:
            continue
        if name in linear:
            assert len(slot_maps(combiner, variable_length=variable_length).maps) == combiner.num_vectors
        else:
            with pytest.raises(ValueError, match=f"'{name}' is"):
                slot_maps(combiner, variable_length=variable_length)


def test_the_maps_of_a_concatenation_pad_with_zeros():
    found = slot_maps(COMBINERS["concat"](num_vectors=2, dim=(1, 2)), variable_length=True)
    np.testing.assert_array_equal(found.maps[0], [[1, 0, 0]])
    np.testing.assert_array_equal(found.maps[1], [[0, 1, 0], [0, 0, 1]])
    np.testing.assert_array_equal(found.offset, [0, 0, 0])
    assert not found.same_for_all


# --- Texts ---


@pytest.mark.parametrize(
    ("task", "combiner", "hidden"),
    [
        ("sentiment", "sum", (5,)),
        ("sentiment", "concat", ()),
        ("sentiment", "concat", (5, 3)),
        ("sentiment", "projected_concat", (5,)),
        ("order", "position_sum", (5,)),
    ],
)
def test_a_folded_text_model_computes_the_same(task, combiner, hidden):
    config, folded = assert_folds(task, combiner, hidden=hidden)
    assert folded.embedding.dim == (*hidden, 2)[0]
    assert isinstance([*folded.dense.hidden, folded.dense.output][0], Bias), "the first dense layer is gone"
    assert config.table_per_slot == (combiner != "sum"), (
        "a shared table becomes one per slot, if the maps differ"
    )


@pytest.mark.parametrize(
    "fields", [{}, {"match": "embed"}, {"widths": (5, 4, 2, 1)}, {"embedding_mean": 0.7}]
)
def test_tables_of_their_own_of_any_width_and_mean_are_folded(fields):
    assert_folds("sentiment", "concat", table_per_slot=True, **fields)


def test_weights_go_on_multiplying():
    assert_folds("sentiment", "sum", spec=WEIGHTED, examples="weighted")


def test_an_empty_text_is_the_same_where_nothing_is_added_to_a_bag():
    model, config, spec = make("sentiment", "concat")
    _, folded = fold(model, config, spec, ROOM)
    empty = {"tokens": jnp.zeros((1, 4), jnp.int32)}
    np.testing.assert_allclose(folded(empty), model(empty), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("combiner", "spec", "fields", "reason"),
    [
        ("product", TEXT, {}, "combiner 'product' is not a sum of linear maps of its vectors"),
        ("attention", TEXT, {}, "combiner 'attention' is not a sum of linear maps"),
        ("mean", TEXT, {}, "combiner 'mean' is a sum of linear maps only where every slot is filled"),
        ("sqrtn", WEIGHTED, {}, "only where every slot is filled"),
        ("concat", TEXT, {"dtype": "bfloat16"}, "expected float32"),
    ],
)
def test_what_cannot_be_folded_is_refused_with_the_reason(combiner, spec, fields, reason):
    model, config, spec = make("sentiment", combiner, spec, **fields)
    with pytest.raises(ValueError, match=reason):
        fold(model, config, spec, ROOM)


def test_pairs_of_texts_are_refused():
    model, config, spec = make(
        "order", "sum", TextSpec(num_slots=4, vocab_size=9, classes=("0", "1"), is_pair=True)
    )
    with pytest.raises(ValueError, match="pairs of texts"):
        fold(model, config, spec, ROOM)


def test_a_folded_model_is_not_folded_again():
    config, folded = assert_folds("sentiment", "concat")
    with pytest.raises(ValueError, match="folded already"):
        fold(folded, config, TEXT, ROOM)


def test_tables_that_would_be_too_large_are_not_made():
    model, config, spec = make("sentiment", "concat")
    size = 4 * (4 * 9 * 5 + 5 + 5 * 2 + 2)
    with pytest.raises(
        ValueError, match=rf"tables of {size:,} bytes for every seed, more than max_bytes={size - 1:,}"
    ):
        fold(model, config, spec, size - 1)
    fold(model, config, spec, size)


# --- Tables ---


@pytest.mark.parametrize(
    ("combiner", "numeric"),
    [
        ("concat", "linear"),
        ("mean", "embedded"),
        ("position_sum", "binned"),
        ("projected_concat", "embedded"),
    ],
)
def test_a_folded_table_model_computes_the_same(combiner, numeric):
    assert_folds("categorical", combiner, numeric=numeric, embedding_mean=0.3)


@pytest.mark.parametrize("bag_combiner", ["sum", "mean", "sqrtn"])
def test_a_linear_map_passes_through_the_combiner_of_a_fields_values(bag_combiner):
    assert_folds("categorical", "concat", numeric="linear", bag_combiner=bag_combiner)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"numeric": "raw"}, "numeric='raw'"),
        ({"numeric": "linear", "bag_combiner": "max"}, "bag_combiner='max' stands between"),
        ({"numeric": "linear", "bag_combiner": "sum", "embedding_mean": 1.0}, "depends on how many"),
    ],
)
def test_tables_that_cannot_be_folded_are_refused_with_the_reason(fields, reason):
    model, config, spec = make("categorical", "concat", **fields)
    with pytest.raises(ValueError, match=reason):
        fold(model, config, spec, ROOM)


# --- Images ---


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("combiner", ["concat", "position_sum", "mean"])
def test_a_folded_image_model_computes_the_same(combiner, shared):
    assert_folds("mnist", combiner, parts="16x16", shared_embedding=shared, embedding_mean=0.1)


def test_the_kernels_of_a_folded_concatenation_of_parts_are_its_own_padded_with_zeros():
    model, config, spec = make("mnist", "concat", parts="16x16")
    _, folded = fold(model, config, spec, ROOM)
    kernel, padded = model.embedding.kernel[...], folded.embedding.kernel[...]
    for part, columns in enumerate(np.split(np.arange(12), 4)):
        np.testing.assert_array_equal(padded[part][:, columns], kernel[part])
        assert not np.delete(padded[part], columns, axis=1).any()
