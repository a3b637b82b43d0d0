"""Properties of the state: what is trained, what is fixed, where randomness comes from, and how it is saved."""

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from .base import Combiner
from .checks_report import BrokenError, SkippedError, require, require_same
from .checks_trial import SEED, Trial, cast, path_name

_DRAWING = {
    "random_seed",
    "random_bits",
    "random_split",
    "random_fold_in",
    "threefry2x32",
    "rng_bit_generator",
}


# --- Parameters ---


def every_parameter_is_registered(trial: Trial) -> None:
    """No float array takes part that is no nnx.Param, in a buffer, a list or a closure, unless needs_rngs says so."""
    for path, leaf in jax.tree_util.tree_leaves_with_path(trial.rest):
        if jnp.issubdtype(leaf.dtype, jnp.floating) and not trial.combiner.needs_rngs:
            raise BrokenError(f"{path_name(path)} is a float array but no nnx.Param: nothing trains it")
    hidden = list(_constants(trial.traced.jaxpr))
    for array in hidden:
        shape = f"a float array of shape {array.shape}"
        require(not isinstance(array, jax.Array), f"{shape} is hidden from nnx: neither trained nor saved")
    if hidden:
        other = Trial(trial.cls, trial.num_vectors, trial.dim, trial.options, seed=SEED + 1)
        constants = list(_constants(other.traced.jaxpr))
        require(
            _equal(hidden, constants),
            "an array drawn at the start is hidden from nnx: neither trained nor saved",
        )


def _constants(program: Any) -> Iterator[Any]:
    """Yields the float arrays that a program has built in, its inner programs' too."""
    for array in getattr(program, "consts", ()):
        if jnp.issubdtype(array.dtype, jnp.floating):
            yield array
    for inner in _inner_programs(program):
        yield from _constants(inner)


def _inner_programs(program: Any) -> Iterator[Any]:
    for equation in getattr(program, "jaxpr", program).eqns:
        for value in equation.params.values():
            for inner in value if isinstance(value, tuple | list) else (value,):
                if hasattr(inner, "eqns"):
                    yield inner


def every_parameter_gets_a_gradient(trial: Trial) -> None:
    """With random parameters no gradient is zero: nothing is left out, cancelled or behind a dead unit."""
    for path, gradient, largest in _parameter_gradients(trial):
        require(np.abs(gradient).max() > 1e-9 * largest, f"{path_name(path)} gets none")


def a_gradient_step_moves_every_parameter_and_shows(trial: Trial) -> None:
    """Split, differentiated, stepped and merged again, each parameter alone changes what is computed."""
    bags = trial.bags(weighted=trial.weightings[-1])
    y = trial.answer(bags, np.float64).y
    leaves, structure = jax.tree.flatten(cast(trial.parameters, np.float64))
    for i, (path, gradient, _) in enumerate(_parameter_gradients(trial)):
        stepped = leaves[i] - 0.1 * gradient / max(np.abs(gradient).max(), 1e-30)
        require((stepped != leaves[i]).any(), f"{path_name(path)} does not move")
        parameters = jax.tree.unflatten(structure, [*leaves[:i], stepped, *leaves[i + 1 :]])
        after = trial.answer(bags, np.float64, parameters).y
        require(np.abs(after - y).max() > 1e-9, f"a step of {path_name(path)} changes nothing")


def it_can_learn_from_its_own_start(trial: Trial) -> None:
    """At the initial values the result is finite and some parameter gets a gradient."""
    _require_parameters(trial)
    answer = trial.answer(trial.bags(), np.float64, trial.start)
    require(np.isfinite(answer.y).all(), "the result at the initial values is not finite")
    gradients = jax.tree.leaves(answer.parameters)
    require(any(np.abs(gradient).max() > 1e-12 for gradient in gradients), "every gradient is zero there")


def _parameter_gradients(trial: Trial) -> Iterator[tuple[Any, np.ndarray, float]]:
    """Yields each parameter's path, its gradient in float64, and the largest gradient of all parameters."""
    _require_parameters(trial)
    answer = trial.answer(trial.bags(weighted=trial.weightings[-1]), np.float64)
    leaves = jax.tree_util.tree_leaves_with_path(answer.parameters)
    largest = max(np.abs(gradient).max() for _, gradient in leaves)
    for path, gradient in leaves:
        yield path, gradient, largest


def _require_parameters(trial: Trial) -> None:
    if not jax.tree.leaves(trial.parameters):
        raise SkippedError("has no parameters")
    if trial.num_vectors == 1:  # nothing to weigh, to gate or to carry over
        raise SkippedError("one vector may leave a parameter without a task")


# --- Randomness ---


def one_seed_gives_one_start(trial: Trial) -> None:
    """Made twice with the same rngs, the state is the same to the last bit."""
    first, second = (nnx.state(trial.new(SEED)) for _ in range(2))
    if not jax.tree.leaves(first):
        raise SkippedError("has no state")
    require_same(second, first, "another start from the same seed")


def another_seed_gives_another_start(trial: Trial) -> None:
    """What is drawn at the start, parameters or declared fixed randomness, comes from rngs."""
    rngs = nnx.Rngs(SEED + 1)

    def make() -> Combiner:
        return trial.cls(num_vectors=trial.num_vectors, dim=trial.dim, rngs=rngs, **trial.options)

    other = make()
    uses_rngs = any(np.any(count) for count in jax.tree.leaves(nnx.state(rngs, nnx.RngCount)))
    if not uses_rngs and not trial.combiner.needs_rngs:
        drawing = _primitives(jax.make_jaxpr(lambda: nnx.state(make()))()) & _DRAWING
        require(not drawing, "draws its start from a seed of its own")
        raise SkippedError("its initial values are fixed")
    _, parameters, rest = nnx.split(other, nnx.Param, ...)
    if trial.combiner.needs_rngs:
        require(
            not _equal(rest, trial.rest), "declares needs_rngs and keeps nothing that depends on the seed"
        )
    else:
        require(not _equal(parameters, trial.start), "draws from rngs and starts the same from every seed")


def rngs_are_needed_only_where_declared(trial: Trial) -> None:
    """Without rngs it can be made unless it has parameters or declares needs_rngs, and then a ValueError says so."""
    needs_rngs = trial.combiner.needs_rngs or len(jax.tree.leaves(trial.parameters)) > 0
    try:
        trial.new(None)
    except ValueError as error:
        require(needs_rngs, f"without rngs: {error}")
        require("rngs" in str(error), f"without rngs the error does not name them: {error}")
    else:
        require(not needs_rngs, "is made without rngs, although it draws or has parameters")


def nothing_is_drawn_at_call_time(trial: Trial) -> None:
    """No random number is drawn in a call, nothing is rebuilt at every call, and two calls give the same."""
    drawing = sorted(_primitives(trial.traced.jaxpr) & _DRAWING)
    require(not drawing, f"a call draws random numbers ({', '.join(drawing)})")
    bags = cast(trial.bags(), np.float32)
    require_same(trial.combiner(*bags), trial.combiner(*bags), "the same call again gives something else")


def _primitives(program: Any) -> set[str]:
    names = {equation.primitive.name for equation in getattr(program, "jaxpr", program).eqns}
    return names.union(*(_primitives(inner) for inner in _inner_programs(program)))


def a_call_changes_no_state(trial: Trial) -> None:
    """A call leaves no trace: neither counters nor caches nor statistics."""
    bags = cast(trial.bags(), np.float32)
    graph, state = nnx.split(trial.combiner)
    before = jax.tree.leaves(state)  # the arrays themselves: a variable of the state is that of the combiner
    trial.combiner(*bags)
    graph_after, state_after = nnx.split(trial.combiner)
    require(graph_after == graph, "a call changes an attribute")
    require_same(jax.tree.leaves(state_after), before, "a call changes the state")


# --- Saving ---


def its_state_moves_into_a_fresh_instance(trial: Trial) -> None:
    """An instance from another seed, or one never initialised, gives the same once it has the state."""
    bags = cast(trial.bags(), np.float32)
    y = trial.combiner(*bags)
    state = nnx.state(trial.combiner)
    other = trial.new(SEED + 1)
    nnx.update(other, state)
    require_same(other(*bags), y, "an instance of another seed with this state gives something else")
    graph, shapes = nnx.split(nnx.eval_shape(lambda: trial.new(SEED)))
    expected = jax.tree.map(lambda leaf: (leaf.shape, str(leaf.dtype)), shapes)
    require(jax.tree.map(lambda leaf: (leaf.shape, str(leaf.dtype)), state) == expected, "its shapes vary")
    merged = nnx.merge(graph, state)
    require_same(merged(*bags), y, "an abstract instance with this state gives something else")


def _equal(tree: Any, other: Any) -> bool:
    try:
        require_same(tree, other, "")
    except BrokenError:
        return False
    return True


PROPERTIES = (
    every_parameter_is_registered,
    every_parameter_gets_a_gradient,
    a_gradient_step_moves_every_parameter_and_shows,
    it_can_learn_from_its_own_start,
    one_seed_gives_one_start,
    another_seed_gives_another_start,
    rngs_are_needed_only_where_declared,
    nothing_is_drawn_at_call_time,
    a_call_changes_no_state,
    its_state_moves_into_a_fresh_instance,
)
