"""What is held equal between combiners: combined width, embedding width or parameters."""

import jax
import pytest
from flax import nnx

import models
from combiners import COMBINERS, combiner_class
from configs import sentiment
from data import TextSpec
from models.matching import TOLERANCE

SPEC = TextSpec(num_slots=5, vocab_size=500, classes=("bad", "good"))
PAIRS = TextSpec(num_slots=2, vocab_size=500, classes=("bad", "good"))
TWO_VECTORS = [name for name, cls in COMBINERS.items() if cls.arity == 2]


def spec_of(combiner):
    """Pairs for what combines exactly two vectors, bags of five for the others."""
    return PAIRS if combiner in TWO_VECTORS else SPEC


def config_of(combiner, **fields):
    config = sentiment.get_config(f"combiner={combiner}").model
    config.update({"dim": 16, "hidden": (8,), **fields})
    return config


def sizes_of(combiner, **fields):
    return models.match_sizes(models.BagOfWords, config_of(combiner, **fields), spec_of(combiner))


def parameters_of(combiner, spec=SPEC, **fields):
    model = nnx.eval_shape(
        lambda: models.make_model("sentiment", config_of(combiner, **fields), spec, rngs=nnx.Rngs(0))
    )
    return models.count_parameters(nnx.state(model, nnx.Param))


@pytest.mark.parametrize("combiner", [name for name in COMBINERS if name != "tensor_fusion"])  # refused below
def test_width_makes_the_widest_combined_vector_that_is_no_wider_than_asked(combiner):
    cls, n = combiner_class(combiner), spec_of(combiner).num_slots
    sizes = sizes_of(combiner, match="width")
    fitting = [dim for dim in range(1, 17) if cls.output_width(n, dim) <= 16]
    assert sizes.dim == max(fitting, default=1)
    assert sizes.hidden == (8,)


def test_width_is_refused_where_the_combined_width_does_not_depend_on_the_parts():
    assert sizes_of("pairwise_dots", match="width").dim == 16  # five vectors have ten pairs
    message = "of 5 parts of one dimension 'pairwise_dots' makes 10 numbers, model.dim is 9; use match=embed"
    with pytest.raises(ValueError, match=message):
        sizes_of("pairwise_dots", match="width", dim=9)


def test_width_is_refused_where_even_the_narrowest_parts_make_too_much():
    with pytest.raises(ValueError, match="of 5 parts of one dimension 'tensor_fusion' makes 32 numbers"):
        sizes_of("tensor_fusion", match="width")
    long = TextSpec(num_slots=64, vocab_size=500, classes=("bad", "good"))
    with pytest.raises(
        ValueError, match=r"'tensor_fusion' would be .* for num_vectors=64 and dim=1; expected at most 2\^20"
    ):
        models.match_sizes(models.BagOfWords, config_of("tensor_fusion", match="width"), long)


@pytest.mark.parametrize("match", ["width", "embed", "params"])
@pytest.mark.parametrize("combiner", TWO_VECTORS)
def test_a_combiner_of_two_vectors_is_refused_for_bags_of_five(combiner, match):
    config = config_of(combiner, match=match)
    with pytest.raises(ValueError, match=f"'{combiner}' combines exactly 2 vectors, not 5"):
        models.make_model("sentiment", config, SPEC, rngs=nnx.Rngs(0))


@pytest.mark.parametrize(("dim", "part"), [(16, 3), (5, 1), (4, 1), (1, 1)])
def test_width_splits_a_concatenation_into_equal_parts_of_at_least_one(dim, part):
    assert sizes_of("concat", match="width", dim=dim).dim == part


def test_width_spreads_the_remainder_where_every_slot_has_its_own_table():
    assert sizes_of("concat", match="width", table_per_slot=True).dim == (4, 3, 3, 3, 3)
    assert sizes_of("concat", match="width", table_per_slot=True, dim=15).dim == 3
    assert sizes_of("sum", match="width", table_per_slot=True).dim == 16


def test_widths_can_be_given():
    given = (8, 2, 2, 2, 2)
    assert sizes_of("concat", table_per_slot=True, widths=given).dim == given


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"widths": (8, 8)}, "needs model.match=width and an embedding of its own for every slot"),
        (
            {"widths": (8, 8), "table_per_slot": True},
            r"5 positive numbers.*add up to model.dim=16; got \(8, 8\)",
        ),
        ({"widths": (4, 4, 4, 4, 4), "table_per_slot": True}, r"add up to model.dim=16"),
        ({"match": "size"}, "one of width, embed, params, got 'size'"),
        ({"dim": 0}, "must be positive, got 0"),
        ({"hidden": (8, 0)}, r"must be positive, got 16 and \(8, 0\)"),
    ],
)
def test_sizes_that_cannot_be_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        sizes_of("concat", **fields)


@pytest.mark.parametrize("combiner", COMBINERS)
def test_embed_gives_every_part_the_full_width(combiner):
    assert sizes_of(combiner, match="embed").dim == 16


@pytest.mark.parametrize("combiner", COMBINERS)
def test_params_meets_the_summing_models_parameters_within_one_percent(combiner):
    spec = spec_of(combiner)
    target = parameters_of("sum", spec, match="width")["total"]
    assert abs(parameters_of(combiner, spec, match="params")["total"] - target) <= TOLERANCE * target


def test_params_is_refused_with_both_counts_where_it_cannot_be_met():
    spec = TextSpec(num_slots=5, vocab_size=8, classes=("bad", "good"))
    config = config_of("position_sum", match="params", dim=5, hidden=())
    with pytest.raises(
        ValueError, match=r"'position_sum' comes to 42 parameters at best, the summing model has 52"
    ):
        models.match_sizes(models.BagOfWords, config, spec)


def test_parameters_are_counted_with_the_embedding_apart():
    counts = parameters_of("sum")
    assert counts == {"embedding": 500 * 16, "other": 16 * 8 + 8 + 8 * 2 + 2, "total": 8000 + 154}
    own_tables = parameters_of("concat", table_per_slot=True)
    assert own_tables["embedding"] == 500 * 16  # 16 dimensions shared among five tables
    assert own_tables["other"] == 154


def test_counting_adds_up_to_every_trainable_number():
    model = models.make_model("sentiment", config_of("attention"), SPEC, rngs=nnx.Rngs(0))
    params = nnx.state(model, nnx.Param)
    assert models.count_parameters(params)["total"] == sum(leaf.size for leaf in jax.tree.leaves(params))
