"""Images from parts: cut, embed, combine, dense layers; with the sum, a dense network."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import models
from combiners import COMBINERS
from configs import mnist
from data.images import ImageSpec
from models.mnist import PARTS, cut

SPEC = ImageSpec(classes=tuple(map(str, range(10))))
SMALL = ImageSpec(classes=("a", "b", "c"))
PIXELS = jnp.asarray(np.random.default_rng(0).integers(0, 256, (4, 32, 32)), jnp.uint8)
NUM_PARTS = {"rows": 32, "4x4": 64, "8x8": 16, "16x16": 4}
SOME = ["sum", "mean", "max", "product", "concat", "position_sum", "attention", "gru"]


def make(combiner="sum", spec=SMALL, network="1024-512-10", **fields):
    config = mnist.get_config(f"combiner={combiner},network={network}").model
    config.update({"dropout": 0.0, **fields})
    return models.make_model("mnist", config, spec, rngs=nnx.Rngs(0))


def small(combiner="sum", **fields):
    return make(combiner, **{"dim": 12, "hidden": (5,), **fields})


def shapes(build):
    """Returns a model without its numbers, which take most of the time to make."""
    return nnx.eval_shape(build)


def dense_kernel(model, parts):
    """Returns the one matrix [pixels in image order, dim] that the embeddings of all parts make."""
    order = cut(jnp.arange(1024).reshape(1, 32, 32), parts).ravel()
    kernel = np.asarray(model.embedding.kernel[...])
    return jnp.zeros((1024, kernel.shape[-1])).at[order].set(kernel.reshape(1024, -1))


def weights(network):
    model = shapes(lambda: make(network=network, spec=SPEC))
    return sum(leaf.size for leaf in jax.tree.leaves(nnx.state(model, nnx.Param)) if leaf.ndim > 1)


@pytest.mark.parametrize(
    ("network", "expected"),
    [("1024-10", 10_240), ("1024-512-10", 529_408), ("1024-512-256-10", 657_920)],
)
def test_networks_have_the_weights_that_their_names_say_biases_apart(network, expected):
    layers = [int(width) for width in network.split("-")]
    assert sum(a * b for a, b in itertools.pairwise(layers)) == expected
    assert weights(network) == expected


@pytest.mark.parametrize("parts", PARTS)
def test_parts_are_cut_row_by_row_and_lose_no_pixel(parts):
    tall, wide = PARTS[parts][0], PARTS[parts][1] or 32
    cuts = np.asarray(cut(PIXELS, (tall, wide)))
    assert cuts.shape == (4, NUM_PARTS[parts], tall * wide)
    for i in range(cuts.shape[1]):
        row, column = divmod(i, 32 // wide)
        whole = PIXELS[:, row * tall : (row + 1) * tall, column * wide : (column + 1) * wide]
        np.testing.assert_array_equal(cuts[:, i], whole.reshape(4, -1))


@pytest.mark.parametrize(
    ("combiner", "shared"), [*((name, False) for name in SOME), ("sum", True), ("max", True)]
)
def test_logits_are_one_per_class_and_finite_for_a_blank_image_too(combiner, shared):
    logits = small(combiner, shared_embedding=shared)({"pixels": PIXELS.at[0].set(0)})
    assert logits.shape == (4, 3)
    assert logits.dtype == jnp.float32
    assert np.isfinite(logits).all()


@pytest.mark.parametrize("parts", PARTS)
def test_the_sum_is_a_dense_layer_forwards_and_backwards(parts):
    model = make(parts=parts, dim=24, hidden=(6,))
    graphdef, params, rest = nnx.split(model, nnx.Param, ...)
    part = (PARTS[parts][0], PARTS[parts][1] or 32)
    x = PIXELS.reshape(4, 1024) / 255.0

    def dense_network(kernel, params):
        dense = nnx.merge(graphdef, params, rest)
        h = jax.nn.relu(x @ kernel + dense.bias[...])
        h = jax.nn.relu(h @ dense.dense.hidden[0].kernel[...] + dense.dense.hidden[0].bias[...])
        return h @ dense.dense.output.kernel[...] + dense.dense.output.bias[...]

    def ours(params):
        return nnx.merge(graphdef, params, rest)({"pixels": PIXELS})

    kernel = dense_kernel(model, part)
    np.testing.assert_allclose(ours(params), dense_network(kernel, params), rtol=1e-5, atol=1e-6)

    direction = jnp.asarray(np.random.default_rng(1).normal(size=(4, 3)), jnp.float32)
    of_kernel, expected = jax.grad(lambda k, p: jnp.sum(direction * dense_network(k, p)), argnums=(0, 1))(
        kernel, params
    )
    found = jax.grad(lambda p: jnp.sum(direction * ours(p)))(params)
    model_of_gradients = nnx.merge(graphdef, found, rest)
    np.testing.assert_allclose(dense_kernel(model_of_gradients, part), of_kernel, rtol=1e-5, atol=1e-6)
    expected["embedding"] = found["embedding"]
    for leaf, other in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(leaf, other, rtol=1e-5, atol=1e-6)


def test_without_a_head_the_sum_is_linear_regression_on_pixels():
    model = make(network="1024-10", spec=SPEC)
    model.bias[...] = jnp.arange(10.0)
    expected = PIXELS.reshape(4, 1024) / 255.0 @ dense_kernel(model, (16, 16)) + jnp.arange(10)
    np.testing.assert_allclose(model({"pixels": PIXELS}), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("combiner", "parts", "shared", "mean"),
    [
        ("sum", "rows", False, 1.0),
        ("sum", "8x8", True, 1.0),
        ("mean", "16x16", False, 0.0),
        ("mean", "16x16", True, 0.5),
        ("sqrtn", "8x8", False, 0.5),
    ],
)
def test_multiples_of_the_sum_are_what_their_combiner_makes_of_the_vectors(combiner, parts, shared, mean):
    model = small(combiner, parts=parts, shared_embedding=shared, embedding_mean=mean)
    combined = model.combiner(model.embedding(cut(PIXELS, model.part)))
    expected = model.dense(jax.nn.relu(combined + model.bias[...]))
    np.testing.assert_allclose(model({"pixels": PIXELS}), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("parts", ["rows", "16x16"])
def test_a_margin_of_zeros_is_left_out_without_a_difference(parts):
    pixels = jnp.pad(PIXELS[:, 2:-2, 2:-2], [(0, 0), (2, 2), (2, 2)])
    model = small(parts=parts)

    def weighted(m, margin):
        return jnp.sum(m.embedding.summed(pixels, m.part, margin) * jnp.arange(12.0))

    whole, inside = (nnx.value_and_grad(weighted)(model, margin) for margin in (0, 2))
    np.testing.assert_allclose(whole[0], inside[0], rtol=1e-5)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5), whole[1], inside[1])


@pytest.mark.parametrize("combiner", ["mean", "product", "concat", "attention"])
def test_the_formula_of_every_combiner(combiner):
    model = small(combiner)
    vectors = [
        model.embedding.mean + cut(PIXELS, (16, 16))[:, i] / 255.0 @ model.embedding.kernel[i]
        for i in range(4)
    ]
    h = jax.nn.relu(model.combiner(jnp.stack(vectors, axis=1)) + model.bias[...])
    np.testing.assert_allclose(model({"pixels": PIXELS}), model.dense(h), rtol=1e-4, atol=1e-5)


def test_concatenation_gives_each_part_its_share_of_the_units():
    model = shapes(lambda: make("concat", spec=SPEC))
    assert model.embedding.kernel.shape == (4, 256, 128)
    assert model.combiner.out_dim == 512
    assert shapes(lambda: make("concat", parts="8x8")).embedding.kernel.shape == (16, 64, 32)
    unequal = small("concat", dim=10)
    assert [kernel.shape for kernel in unequal.embedding.kernels] == [(256, 3), (256, 3), (256, 2), (256, 2)]
    assert unequal({"pixels": PIXELS}).shape == (4, 3)
    given = shapes(lambda: small("concat", widths=(9, 1, 1, 1)))
    assert [kernel.shape for kernel in given.embedding.kernels] == [(256, 9), (256, 1), (256, 1), (256, 1)]


def test_a_shared_embedding_makes_a_bag_of_patches():
    model = small(shared_embedding=True)
    assert model.embedding.kernel.shape == (256, 12)
    patches = cut(PIXELS, (16, 16))
    turned = patches[:, ::-1].reshape(4, 2, 2, 16, 16).swapaxes(2, 3).reshape(4, 32, 32)
    np.testing.assert_allclose(model({"pixels": turned}), model({"pixels": PIXELS}), rtol=1e-5, atol=1e-5)
    own = small()
    assert np.abs(own({"pixels": turned}) - own({"pixels": PIXELS})).max() > 0.01


def test_embeddings_are_counted_apart():
    counts = models.count_parameters(nnx.state(shapes(lambda: make(spec=SPEC)), nnx.Param))
    assert counts == {"embedding": 1024 * 512, "other": 512 + 512 * 10 + 10, "total": 529_408 + 522}


@pytest.mark.parametrize("combiner", ["product", "sum"])
def test_vectors_start_around_the_value_that_the_combiner_declares(combiner):
    model = small(combiner, dim=200, embedding_scale=0.01)
    blank = model.embedding(cut(0 * PIXELS, (16, 16)))
    np.testing.assert_array_equal(blank, COMBINERS[combiner].embedding_mean)
    np.testing.assert_allclose(model.embedding.kernel[...].std(), 0.01, rtol=0.02)


def test_images_may_have_any_size_that_parts_divide():
    spec = ImageSpec(classes=("a", "b"), height=16, width=48)
    assert shapes(lambda: small(spec=spec, parts="rows")).embedding.kernel.shape == (16, 48, 12)
    assert shapes(lambda: small(spec=spec, parts="8x8")).embedding.kernel.shape == (12, 64, 12)


def test_dropout_is_for_training_alone():
    model = small(dropout=0.5)
    np.testing.assert_array_equal(*[model({"pixels": PIXELS}) for _ in range(2)])
    trained = [model({"pixels": PIXELS}, rngs=nnx.Rngs(dropout=seed)) for seed in (0, 0, 1)]
    np.testing.assert_array_equal(trained[0], trained[1])
    assert np.abs(trained[0] - trained[2]).max() > 0


def test_bfloat16_stays_near_float32():
    half, full = (small("mean", dtype=dtype)({"pixels": PIXELS}) for dtype in ("bfloat16", "float32"))
    assert half.dtype == jnp.float32
    np.testing.assert_allclose(half, full, atol=0.03)
    assert np.abs(half - full).max() > 0


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: small(parts="5x5"), "model.parts must be one of rows, 4x4, 8x8, 16x16, got '5x5'"),
        (lambda: small(dtype="float16"), "float32 or bfloat16, got 'float16'"),
        (lambda: small("smu"), r"unknown combiner 'smu' \(did you mean 'sum'\?\)"),
        (lambda: small(dropout=1.0), r"model.dropout must lie in \[0, 1\), got 1.0"),
        (lambda: small(head=False), r"model.head=False leaves no place for model.hidden=\(5,\)"),
        (
            lambda: make(network="1024-10"),
            r"'sum' makes 10 numbers of model.dim=10, expected 3, one per class",
        ),
        (
            lambda: make("concat", network="1024-10", parts="8x8", spec=SPEC),
            r"'concat' makes 16 numbers of model.dim=10, expected 10, one per class",
        ),
        (lambda: small("concat", widths=(3, 3, 3, 3), shared_embedding=True), "model.widths needs"),
        (lambda: small("mutan"), "combines exactly 2 vectors, not 4"),
        (
            lambda: small(spec=ImageSpec(classes=("a", "b"), height=28, width=28)),
            "model.parts=16x16 does not divide images of 28x28 pixels",
        ),
        (
            lambda: mnist.get_config("network=1024-100"),
            "network must be one of 1024-10, 1024-512-10, 1024-512-25",
        ),
    ],
)
def test_refusals_say_what_is_wrong(build, message):
    with pytest.raises(ValueError, match=message):
        build()
