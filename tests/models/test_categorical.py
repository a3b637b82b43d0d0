"""The model of a table's features: a vector per slot, a combiner, dense layers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import models
from combiners import COMBINERS
from configs import categorical
from data.table_preprocessor import CategoricalField, NumericField, TableSpec

NAN = np.nan


def field(name, num_rows, max_values=1):
    return CategoricalField(name=name, num_rows=num_rows, max_values=max_values)


def numbers(*names, edges=(-1.0, 0.0, 2.0)):
    return tuple(NumericField(name=name, mean=0.0, scale=1.0, edges=edges) for name in names)


PAIR = TableSpec(categorical=(field("user", 7), field("film", 9)))
MIXED = TableSpec(
    categorical=(field("cut", 5), field("color", 6), field("tags", 8, max_values=4)),
    numeric=numbers("a_0", "a_1", "b"),
    vectors=((0, 1), (2,)),
)
MEASURED = TableSpec(numeric=numbers("a_0", "a_1", "b_0", "b_1"), vectors=((0, 1), (2, 3)))

PAIRS = {"categories": jnp.asarray([[2, 3], [6, 8], [0, 1]], jnp.int32)}
ROWS = {
    "categories": jnp.asarray([[2, 3], [4, 5], [0, 1]], jnp.int32),
    "bag_tags": jnp.asarray([[2, 3, 4, 0], [7, 0, 0, 0], [0, 0, 0, 0]], jnp.int32),
    "numeric": jnp.asarray([[0.5, -1.0, 2.0], [NAN, 1.0, 0.0], [3.0, NAN, NAN]], jnp.float32),
}
VECTORS = {"numeric": jnp.asarray([[1.0, 2.0, 3.0, 4.0], [0.0, NAN, 1.0, -1.0]], jnp.float32)}


def config_of(combiner="sum", **fields):
    config = categorical.get_config(f"combiner={combiner}").model
    config.update({"dim": 12, "hidden": (), "dropout": 0.0, "embedding_scale": 0.5, **fields})
    return config


def make(combiner="sum", spec=PAIR, **fields):
    return models.make_model("categorical", config_of(combiner, **fields), spec, rngs=nnx.Rngs(0))


def head(model, h):
    output = model.dense.output
    return np.asarray(h, np.float64) @ np.asarray(output.kernel[...]) + np.asarray(output.bias[...])


def field_rows(model, slot):
    """The table of a field, cut out of the one that holds all."""
    tables = model.embedding["fields"]
    start = sum(tables.num_rows[:slot])
    return np.asarray(tables.table[...], np.float64)[start : start + tables.num_rows[slot]]


@pytest.mark.parametrize(
    ("combiner", "numeric"),
    [("attention", "raw"), ("concat", "linear"), ("product", "embedded"), ("max", "binned")],
)
def test_there_is_one_finite_output_per_row_whatever_is_missing(combiner, numeric):
    outputs = jax.jit(make(combiner, MIXED, numeric=numeric, hidden=(5,)))(ROWS)
    assert outputs.shape == (3, 1)
    assert outputs.dtype == jnp.float32
    assert np.isfinite(outputs).all()


@pytest.mark.parametrize("combiner", [name for name, cls in COMBINERS.items() if cls.arity == 2])
def test_combiners_of_exactly_two_vectors_combine_two_features(combiner):
    assert nnx.eval_shape(lambda: make(combiner, dim=16, match="embed")(PAIRS)).shape == (3, 1)


def test_classes_have_a_logit_each():
    spec = TableSpec(classes=("a", "b", "c"), categorical=PAIR.categorical)
    assert make("sum", spec)(PAIRS).shape == (3, 3)


def test_a_sum_of_two_features_with_one_linear_layer_is_what_its_formula_says():
    model = make("sum")
    users, films = field_rows(model, 0), field_rows(model, 1)
    ids = np.asarray(PAIRS["categories"])
    np.testing.assert_allclose(
        model(PAIRS), head(model, users[ids[:, 0]] + films[ids[:, 1]]), rtol=1e-5, atol=1e-6
    )


def test_a_product_is_of_one_plus_the_rows():
    model = make("product")
    users, films = field_rows(model, 0), field_rows(model, 1)
    ids = np.asarray(PAIRS["categories"])
    np.testing.assert_allclose(
        model(PAIRS), head(model, (1 + users[ids[:, 0]]) * (1 + films[ids[:, 1]])), rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("combiner", ["sum", "product"])
def test_missing_and_unseen_categories_say_nothing_before_training(combiner):
    model = make(combiner)
    known, unseen, nothing = model({"categories": jnp.asarray([[3, 0], [3, 1], [0, 1]], jnp.int32)})
    np.testing.assert_allclose(known, unseen)
    mean = np.full(12, COMBINERS[combiner].embedding_mean)
    np.testing.assert_allclose(nothing, head(model, mean), rtol=1e-5, atol=1e-6)
    assert np.abs(known - nothing).max() > 0


def test_equal_widths_share_one_array_with_a_range_of_rows_for_each_field():
    model = make("sum", MIXED, numeric="binned")
    assert list(nnx.to_flat_state(nnx.state(model.embedding, nnx.Param)).paths) == [("fields", "table")]
    assert model.embedding["fields"].table.shape == (5 + 6 + 8 + 3 * 3, 12)
    one_hot = jnp.eye(12)[:1] * 100
    tables = model.embedding["fields"]
    tables.table[...] = tables.table[...].at[5].set(one_hot[0])  # the first row of "color"
    slots = model._slots({**ROWS, "categories": jnp.zeros((3, 2), jnp.int32)})
    np.testing.assert_array_equal(slots[0], np.zeros((3, 12)))
    np.testing.assert_array_equal(slots[1], np.repeat(one_hot, 3, axis=0))


def test_unequal_widths_have_a_table_each():
    model = nnx.eval_shape(lambda: make("concat", MIXED, dim=13, numeric="embedded"))
    assert [table.shape for table in model.embedding["fields"].tables] == [(5, 3), (6, 2), (8, 2)]
    assert [table.shape for table in model.embedding["numeric"].tables] == [(4, 2)] * 3
    assert model.combiner.out_dim == 13
    slots = nnx.eval_shape(lambda: make("concat", MIXED, dim=13, numeric="embedded")._slots(ROWS))
    assert [slot.shape[1] for slot in slots] == [3, 2, 2, 2, 2, 2]


def test_widths_can_be_given_per_feature():
    model = nnx.eval_shape(lambda: make("concat", widths=(9, 3)))
    assert [table.shape for table in model.embedding["fields"].tables] == [(7, 9), (9, 3)]


@pytest.mark.parametrize(("bag_combiner", "pool"), [("mean", np.mean), ("sum", np.sum), ("max", np.max)])
def test_the_values_of_a_bag_are_combined_by_their_own_combiner(bag_combiner, pool):
    model = make("sum", MIXED, bag_combiner=bag_combiner)
    tags = field_rows(model, 2)
    np.testing.assert_allclose(
        model._slots(ROWS)[2],
        [pool(tags[[2, 3, 4]], axis=0), tags[7], np.zeros(12)],
        rtol=1e-5,
        atol=1e-6,
    )


@pytest.mark.parametrize("bag_combiner", ["mean", "product"])
@pytest.mark.parametrize("combiner", ["sum", "product"])
def test_an_empty_bag_is_where_the_main_combiner_does_not_notice_it(combiner, bag_combiner):
    model = make(combiner, MIXED, bag_combiner=bag_combiner)
    mean = COMBINERS[combiner].embedding_mean
    slot = np.asarray(model._slots(ROWS)[2])
    np.testing.assert_array_equal(slot[2], np.full(12, mean))
    # One value's vector is itself, whichever way it is combined.
    np.testing.assert_allclose(slot[1], mean + field_rows(model, 2)[7], rtol=1e-5, atol=1e-6)


def test_padding_of_a_bag_changes_nothing():
    model = make("sum", MIXED, bag_combiner="max")
    longer = {**ROWS, "bag_tags": jnp.pad(ROWS["bag_tags"][:, :3], ((0, 0), (1, 0)))}
    np.testing.assert_allclose(model(longer), model(ROWS), rtol=1e-6)


def test_bag_and_numeric_combiners_have_options_of_their_own():
    spec = TableSpec(categorical=MIXED.categorical, numeric=MEASURED.numeric, vectors=MEASURED.vectors)
    bag = {"bag_combiner": "power_mean", "bag_combiner_options": {"p": 2.0}}
    beside = {"numeric_combiner": "projected_concat", "numeric_combiner_options": {"features": 3}}
    model = make("sum", spec, numeric="raw", **bag, **beside)
    assert model.bag_combiners[0].p == 2.0
    assert model.numeric_combiner.out_dim == 3


def test_raw_vectors_lie_beside_the_combined_slots():
    model = make("sum", MIXED, numeric="raw")
    h = np.concatenate(
        [sum(map(np.asarray, model._slots(ROWS))), np.nan_to_num(np.asarray(ROWS["numeric"]))], axis=1
    )
    assert h.shape == (3, 12 + 3)
    np.testing.assert_allclose(model(ROWS), head(model, h), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("combiner", "width"), [("concat", 4), ("sum", 2)])
def test_without_slots_the_measured_vectors_are_what_the_main_combiner_combines(combiner, width):
    model = make(combiner, MEASURED, numeric="raw", numeric_combiner=combiner)
    assert model.combiner.name == combiner
    assert model.combiner.out_dim == width
    assert models.count_parameters(nnx.state(model, nnx.Param)) == {
        "embedding": 0,
        "other": width + 1,
        "total": width + 1,
    }
    x = np.nan_to_num(np.asarray(VECTORS["numeric"]))
    h = x if combiner == "concat" else x[:, :2] + x[:, 2:]
    np.testing.assert_allclose(model(VECTORS), head(model, h), rtol=1e-5, atol=1e-6)


def test_a_linear_slot_is_a_map_of_one_vector_with_a_bias():
    model = make("sum", MEASURED, numeric="linear")
    table = model.embedding["numeric"].table
    assert table.shape == (2 * 3, 12)
    np.testing.assert_array_equal(table[0], np.zeros(12))  # the bias starts at zero
    rows = np.asarray(table[...], np.float64)
    x = np.nan_to_num(np.asarray(VECTORS["numeric"]))
    first, second = model._slots(VECTORS)
    np.testing.assert_allclose(first, rows[0] + x[:, :2] @ rows[1:3], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(second, rows[3] + x[:, 2:] @ rows[4:6], rtol=1e-5, atol=1e-6)


def test_an_embedded_number_is_a_continuous_piecewise_linear_function_with_a_row_for_missing():
    spec = TableSpec(numeric=numbers("x"), vectors=((0,),))
    model = make("sum", spec, numeric="embedded")
    table = model.embedding["numeric"].table
    table[...] = table[...].at[0].set(7.0)
    grid = jnp.linspace(-2, 3, 501)[:, None]
    y = np.asarray(model._slots({"numeric": grid})[0], np.float64)
    slopes = np.diff(y, axis=0) / np.diff(np.asarray(grid, np.float64), axis=0)
    rows = np.asarray(table[...], np.float64)
    np.testing.assert_allclose(slopes[0], rows[2], rtol=1e-2, atol=1e-3)  # the bin from -1 to 0, and below
    np.testing.assert_allclose(slopes[-1], rows[3] / 2, rtol=1e-2, atol=1e-3)  # from 0 to 2, and above
    missing = model._slots({"numeric": jnp.full((1, 1), jnp.nan)})[0]
    np.testing.assert_array_equal(missing, np.full((1, 12), 7.0))


def test_a_binned_number_is_a_category():
    spec = TableSpec(numeric=numbers("x"), vectors=((0,),))
    model = make("sum", spec, numeric="binned")
    x = jnp.asarray([[-5.0], [-0.1], [0.0], [9.0], [jnp.nan]])
    (slot,) = model._slots({"numeric": x})
    rows = np.asarray(model.embedding["fields"].table[...])
    np.testing.assert_array_equal(slot, rows[[1, 1, 2, 2, 0]])


def test_the_main_combiner_gets_a_vector_per_slot():
    def count(spec, numeric, **fields):
        return models.CategoricalFeatures.num_vectors(config_of(numeric=numeric, **fields), spec)

    assert [count(MIXED, kind) for kind in ("raw", "linear", "embedded", "binned")] == [3, 5, 6, 6]
    assert [count(PAIR, kind) for kind in ("raw", "linear", "embedded", "binned")] == [2, 2, 2, 2]
    assert count(MEASURED, "raw", numeric_combiner="sum") == 2
    assert models.CategoricalFeatures.has_own_tables(config_of())


@pytest.mark.parametrize("numeric", ["linear", "embedded", "binned"])
def test_what_maps_numbers_and_categories_counts_as_embedding(numeric):
    model = nnx.eval_shape(lambda: make("sum", MIXED, numeric=numeric))
    counts = models.count_parameters(nnx.state(model, nnx.Param))
    assert counts["other"] == 12 + 1
    rows = {"linear": 3 + 2, "embedded": 3 * 4, "binned": 3 * 3}[numeric]
    assert counts["embedding"] == (5 + 6 + 8 + rows) * 12


@pytest.mark.parametrize(
    ("combiner", "dim", "numeric"),
    [("sum", 12, "raw"), ("concat", 13, "linear"), ("sum", 12, "embedded"), ("concat", 13, "binned")],
)
def test_every_table_and_layer_gets_a_gradient(combiner, dim, numeric):
    graphdef, params = nnx.split(make(combiner, MIXED, numeric=numeric, dim=dim, hidden=(5,)))

    def loss(params):
        return (nnx.merge(graphdef, params)(ROWS) ** 2).sum()

    for leaf in jax.tree.leaves(jax.jit(jax.grad(loss))(params)):
        assert np.isfinite(leaf).all()
        assert np.abs(leaf).max() > 0


def test_dropout_is_for_training_alone():
    model = make("sum", MIXED, dropout=0.5)
    np.testing.assert_array_equal(model(ROWS), model(ROWS))
    first, again, other = (model(ROWS, rngs=nnx.Rngs(dropout=seed)) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0


def test_bfloat16_stays_near_float32():
    half, full = (
        make("sum", MIXED, numeric="embedded", dtype=dtype)(ROWS) for dtype in ("bfloat16", "float32")
    )
    assert half.dtype == jnp.float32
    np.testing.assert_allclose(half, full, atol=0.1)
    assert np.abs(half - full).max() > 0


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: make("sum", MIXED, numeric="row"), "one of raw, linear, embedded, binned, got 'row'"),
        (
            lambda: make("sum", MIXED, bag_combiner="concat"),
            r"'concat' makes 48 numbers of .* 'tags', expected 12",
        ),
        (lambda: make("sum", MIXED, numeric_combiner="sum"), r"'sum' needs equal widths, got dim=\(2, 1\)"),
        (
            lambda: make("attention", MEASURED),
            "model.combiner='attention' has nothing to combine.*numeric_combiner='concat' is the combiner",
        ),
        (lambda: make("concat", MEASURED, match="params"), "match=params cannot be met: measured vectors"),
        (lambda: make("mutan", MIXED), "'mutan' combines exactly 2 vectors, not 3"),
        (lambda: make("concat", widths=(9, 9)), "2 positive numbers.*add up to model.dim=12"),
        (lambda: make("smu"), r"unknown combiner 'smu' \(did you mean 'sum'\?\)"),
    ],
)
def test_what_cannot_be_is_refused(build, message):
    with pytest.raises(ValueError, match=message):
        build()
