"""Properties of what is computed: the formula, its gradients, whether order matters, and every way to call it."""

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .checks_report import BrokenError, SkippedError, require, require_finite, require_near
from .checks_trial import NUM_BAGS, Bags, Trial, cast, path_name, taken

# Relative to the largest number of a row. bfloat16 keeps 8 bits, a rounding of at most 2^-9, and a few of them follow
# each other.
TOLERANCES = {"float32": 1e-5, "float64": 1e-9, "bfloat16": 2**-6}


def near_reference(trial: Trial, bags: Bags, dtype: Any) -> None:
    """Raises BrokenError unless the answer in a dtype is near the reference of the same rounded numbers."""
    dtype = jnp.dtype(dtype)
    bags = cast(bags, dtype)
    y = trial.answer(bags, dtype).y
    require(y.dtype == dtype, f"{dtype} vectors give {y.dtype}")
    require_near(y, trial.reference(bags), TOLERANCES[dtype.name], f"in {dtype}")


def equals_its_float64_reference(trial: Trial) -> None:
    """The float32 result is numpy_reference, on generic bags and on drawn ones with zeros, ties and empty bags."""
    for weighted in trial.weightings:
        near_reference(trial, trial.bags(weighted), np.float32)
        for seed in range(6):
            near_reference(trial, trial.drawn_bags(weighted, seed), np.float32)


def computes_float64_in_float64(trial: Trial) -> None:
    """Nothing on the way is rounded to float32: the reference is met to nine digits, float32 could not hold y."""
    for weighted in trial.weightings:
        bags = trial.bags(weighted)
        y = trial.answer(bags, np.float64).y
        require(y.dtype == np.float64, f"float64 vectors give {y.dtype}")
        require(
            not y.any() or (y != y.astype(np.float32)).any(),
            "all numbers of the result are rounded to float32",
        )
        near_reference(trial, bags, np.float64)


def bfloat16_stays_near_the_reference(trial: Trial) -> None:
    """A bfloat16 result is bfloat16 and within 2^-6 of the reference, or of float32 where there is no closed form."""
    for weighted in trial.weightings:
        bags = cast(trial.bags(weighted), jnp.bfloat16)
        try:
            near_reference(trial, bags, jnp.bfloat16)
        except SkippedError:
            y = trial.answer(bags, jnp.bfloat16).y
            require(y.dtype == jnp.bfloat16, f"bfloat16 vectors give {y.dtype}")
            require_near(y, trial.answer(bags).y, TOLERANCES["bfloat16"], "bfloat16 beside float32")


# --- Gradients ---


def gradients_equal_finite_differences(trial: Trial) -> None:
    """In float64 to 1e-6, by the vectors, the weights and every parameter, along random directions."""
    rng, h = np.random.default_rng(3), 1e-5
    for weighted in trial.weightings:
        bags = trial.bags(weighted)
        point = {"parameters": trial.parameters, "x": bags.x, "weights": bags.weights}
        named, structure = jax.tree_util.tree_flatten_with_path(cast(point, np.float64))
        leaves = [leaf for _, leaf in named]
        answer = trial.answer(bags, np.float64)
        gradients = jax.tree.leaves({key: getattr(answer, key) for key in point})
        for i, (path, leaf) in enumerate(named):
            for direction in rng.normal(size=(2, *leaf.shape)):
                losses = []
                for end in (leaf + h * direction, leaf - h * direction):
                    at = jax.tree.unflatten(structure, [*leaves[:i], end, *leaves[i + 1 :]])
                    moved = Bags(at["x"], bags.mask, at["weights"])
                    losses.append(trial.loss(trial.answer(moved, np.float64, at["parameters"]).y).sum())
                slope, expected = np.sum(gradients[i] * direction), (losses[0] - losses[1]) / (2 * h)
                require_near(slope, expected, 1e-6, f"slope by {path_name(path)}")


def gradients_are_finite_at_ties_and_zeros(trial: Trial) -> None:
    """All gradients, where vectors are zero, equal or opposite and where weights are equal, zero or cancel."""
    for what, bags in _special_bags(trial):
        for dtype in (np.float32, jnp.bfloat16):
            require_finite(trial.answer(bags, dtype)._asdict(), f"{jnp.dtype(dtype)}, {what}")


def _special_bags(trial: Trial) -> Iterator[tuple[str, Bags]]:
    n = trial.num_vectors
    generic = trial.bags()
    x = generic.x
    shapes = {
        "all vectors zero": np.zeros_like(x),
        "one vector zero": np.where(np.arange(n)[:, None] == n // 2, 0, x),
        "two vectors zero": np.where(np.arange(n)[:, None] < 2, 0, x),
        "all vectors equal": np.broadcast_to(x[:, :1], x.shape),
        "two vectors equal": np.where(np.arange(n)[:, None] == 1, x[:, :1], x),
        "two vectors opposite": np.where(np.arange(n)[:, None] == 1, -x[:, :1], x),
        "all numbers one": np.ones_like(x),
        "one dimension zero": np.where(np.arange(trial.dim) == 0, 0, x),
    }
    for what, special in shapes.items():
        yield what, Bags(special, generic.mask)
    if trial.combiner.accepts_weights:
        ones = np.ones((NUM_BAGS, n))
        signs = np.where(np.arange(n) % 2 == 0, 1.0, -1.0)
        for what, weights in {"zero": 0 * ones, "one": ones, "cancelling": signs * ones}.items():
            yield f"all weights {what}", Bags(x, generic.mask, weights)
        yield "all vectors and weights zero", Bags(0 * x, generic.mask, 0 * ones)


# --- Order ---


def order_has_no_effect(trial: Trial) -> None:
    """Where permutation_invariant is declared, the slots in another order, masked ones too, give the same."""
    if not trial.combiner.permutation_invariant:
        raise SkippedError("declared to depend on the order")
    if trial.num_vectors == 1:
        raise SkippedError("one vector has one order")
    for weighted in trial.weightings:
        bags = trial.bags(weighted)
        y = trial.answer(bags, np.float64).y
        for order in trial.orders():
            shuffled = trial.answer(taken(bags, order), np.float64).y
            require_near(shuffled, y, 1e-6, f"slots in the order {order.tolist()}")


def order_has_an_effect(trial: Trial) -> None:
    """Where permutation_invariant=False is declared, some other order gives something else."""
    if trial.combiner.permutation_invariant:
        raise SkippedError("declared independent of the order")
    if trial.num_vectors == 1:
        raise SkippedError("one vector has one order")
    bags = trial.bags()
    y = trial.answer(bags, np.float64).y
    for order in trial.orders():
        try:
            require_near(trial.answer(taken(bags, order), np.float64).y, y, 1e-3, "")
        except BrokenError:
            return
    raise BrokenError("no other order changes anything: declare permutation_invariant = True")


# --- Ways to call it ---


def eager_equals_compiled(trial: Trial) -> None:
    """Operation by operation and under jax.jit the result and its gradients are the same."""
    for weighted in trial.weightings:
        bags = cast(trial.bags(weighted), np.float32)
        compiled = trial.answer(bags)
        require_near(trial.combiner(*bags), compiled.y, 1e-5, "eager beside compiled")
        gradients = zip(jax.tree.leaves(trial.eager_answer(bags)), jax.tree.leaves(compiled), strict=True)
        for eager, other in gradients:
            require_near(eager, other, 1e-4, "eager beside compiled gradients")


def vmap_scan_and_batch_shape_have_no_effect(trial: Trial) -> None:
    """Single bags under jax.vmap, within jax.lax.scan, and bags in a batch of two axes give what a batch gives."""

    @jax.jit
    def all_ways(parameters: Any, rest: Any, bags: Bags) -> dict[str, jax.Array]:
        combiner = trial.merged(parameters, rest)
        halves = jax.tree.map(lambda array: array.reshape(2, -1, *array.shape[1:]), bags)
        of_single_bags = jax.vmap(lambda bag: combiner(*bag))
        _, scanned = jax.lax.scan(lambda carry, half: (carry, of_single_bags(half)), None, halves)
        ways = {"under vmap in a scan": scanned, "in a batch of two axes": combiner(*halves)}
        return {way: y.reshape(NUM_BAGS, -1) for way, y in ways.items()}

    for weighted in trial.weightings:
        bags = cast(trial.bags(weighted), np.float32)
        y = trial.answer(bags).y
        for way, other in all_ways(trial.parameters, trial.rest, bags).items():
            require(other.dtype == y.dtype, f"{way}: {other.dtype}, not {y.dtype}")
            require_near(other, y, 1e-5, way)


PROPERTIES = (
    equals_its_float64_reference,
    computes_float64_in_float64,
    bfloat16_stays_near_the_reference,
    gradients_equal_finite_differences,
    gradients_are_finite_at_ties_and_zeros,
    order_has_no_effect,
    order_has_an_effect,
    eager_equals_compiled,
    vmap_scan_and_batch_shape_have_no_effect,
)
