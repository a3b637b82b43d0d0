"""What becomes of one function when it is trained as a concatenation and as the sum that it folds into.

Both start as the same function. A step of size η down the gradient G_i of the loss with respect to E'_i = E_i W_i moves

    the sum              E'_i  by  −η G_i
    the concatenation    E'_i  by  −η (G_i W_iᵀ W_i + E_i E_iᵀ G_i) + O(η²)

The first term is the sum's step, preconditioned by W_iᵀ W_i; it is all there is where W is kept fixed. So a sum whose
gradient is multiplied by W_iᵀ W_i must follow a concatenation with fixed W to rounding: the check of the theory.
"""

import functools
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jaxtyping import Array, Float, Int

import data
import models
from models.folding import first_layer
from training.network import make_network
from training.step import Network, Variables, forward_with_loss, predict_batch

from .cells import measure_cells

# Pairs that start as the same function, by optimiser: (name, its concatenation, its sum).
PAIRS = {
    "sgd": (("concat", "sum"), ("concat, W fixed", "sum, preconditioned")),
    "adam": (("concat", "sum"),),
}
Gradient = Any  # a pytree like the parameters


def measure_dynamics(config: Any, output: pathlib.Path) -> dict[str, Any]:
    """Trains every pair from every seed and measures it on the validation split as it goes.

    Args:
      config: `dynamics` of configs/equivalences.py: `run` (a config of the task categorical whose combiner is concat),
        `rates` (optimiser -> learning rate), `steps`, `points` (at which it is measured), `batch` and `seeds`.
      output: folder of dynamics.json, in which finished seeds are kept.

    Returns:
      "<optimiser>, seed <seed>" -> {"steps": […], "rmse": {arm: […]}, "apart": {concatenation: […]}}: the RMSE of each
      arm on the validation split and the root mean square difference between the outputs of a pair, in standard
      deviations of the target.

    Raises:
      ValueError: for an unknown optimiser.
    """
    settings = config.dynamics
    for name in settings.rates:
        if name not in PAIRS:
            raise ValueError(f"dynamics.rates.{name}: known optimisers are {', '.join(PAIRS)}")
    run = settings.run
    dataset = data.load(run.task, run.data)
    network = make_network(run, dataset.spec)
    cells = {
        f"{name}, seed {seed}": functools.partial(_measure, network, dataset, settings, name, rate, seed)
        for name, rate in settings.rates.items()
        for seed in settings.seeds
    }
    return measure_cells(output / "dynamics.json", settings.to_dict(), cells, "trajectories")


def _measure(
    network: Network, dataset: data.Dataset, settings: Any, optimizer: str, rate: float, seed: int
) -> dict[str, Any]:
    run = settings.run
    start = network.init(nnx.Rngs(params=seed))
    model = nnx.merge(network.graphdef, *start)
    fields, folded = models.fold(model, run.model, dataset.spec, max_bytes=2**31)
    config = run.copy_and_resolve_references()
    config.model = fields
    sum_network = make_network(config, dataset.spec)
    _, params, fixed = nnx.split(folded, nnx.Param, ...)
    sum_start = Variables(params, fixed)

    points = np.unique(np.geomspace(1, settings.steps, settings.points).astype(int))
    train = _arrays(dataset.splits["train"])
    validation = _arrays(dataset.splits["validation"])
    rng = np.random.default_rng(seed)
    rows = rng.integers(0, len(dataset.splits["train"]), (settings.steps, settings.batch), np.int32)
    follow = functools.partial(
        _trajectory,
        optimizer={"sgd": optax.sgd, "adam": optax.adam}[optimizer](rate),
        train=train,
        rows=jnp.asarray(rows),
        validation={name: array for name, array in validation.items() if name != "targets"},
        points=[0, *points.tolist()],
    )
    changes = {"concat, W fixed": _without_first_matrix, "sum, preconditioned": _preconditioner(model)}
    outputs = {}
    for pair in PAIRS[optimizer]:
        for arm in pair:
            side = (network, start) if arm.startswith("concat") else (sum_network, sum_start)
            outputs[arm] = follow(*side, change=changes.get(arm, lambda gradient: gradient))
    objective, targets = network.objective, validation["targets"]
    standardised = (np.asarray(targets) - objective.mean) / objective.scale
    return {
        "steps": [0, *points.tolist()],
        "rmse": {
            arm: np.sqrt(np.mean((made - standardised) ** 2, axis=1)).tolist()
            for arm, made in outputs.items()
        },
        "apart": {
            concat: np.sqrt(np.mean((outputs[concat] - outputs[total]) ** 2, axis=1)).tolist()
            for concat, total in PAIRS[optimizer]
        },
    }


def _trajectory(
    network: Network,
    start: Variables,
    *,
    optimizer: optax.GradientTransformation,
    train: dict[str, Array],
    rows: Int[Array, "steps batch"],
    validation: dict[str, Array],
    points: Sequence[int],
    change: Callable[[Gradient], Gradient],
) -> Float[np.ndarray, "points examples"]:
    """Returns the outputs on the validation split after so many steps."""

    def step(index: Int[Array, ""], carry: Any) -> Any:
        params, state = carry
        batch = {name: array[rows[index]] for name, array in train.items()}
        batch["present"] = jnp.ones(rows.shape[1])
        (_, _), gradient = jax.value_and_grad(forward_with_loss, has_aux=True)(
            params, start.fixed, batch, network
        )
        updates, state = optimizer.update(change(gradient), state, params)
        return optax.apply_updates(params, updates), state

    advance = jax.jit(lambda carry, first, last: jax.lax.fori_loop(first, last, step, carry))
    predict = jax.jit(functools.partial(predict_batch, network=network))
    carry, outputs, done = (start.params, optimizer.init(start.params)), [], 0
    for point in points:
        carry = advance(carry, done, point)
        outputs.append(np.asarray(predict(Variables(carry[0], start.fixed), validation))[:, 0])
        done = point
    return np.stack(outputs).astype(np.float64)


def _arrays(split: data.Split) -> dict[str, Array]:
    return {name: jnp.asarray(array) for name, array in {**split.inputs, "targets": split.targets}.items()}


def _names(path: Sequence[Any]) -> list[str]:
    return [str(getattr(key, "key", key)) for key in path]


def _without_first_matrix(gradient: Gradient) -> Gradient:
    def of(path: Sequence[Any], leaf: Array) -> Array:
        return jnp.zeros_like(leaf) if _names(path)[:4] == ["dense", "hidden", "0", "kernel"] else leaf

    return jax.tree_util.tree_map_with_path(of, gradient)


def _preconditioner(model: models.CategoricalFeatures) -> Callable[[Gradient], Gradient]:
    """Returns what multiplies the gradient of slot i's table by W_iᵀ W_i, with W_i of a concatenating model."""
    kernel, _ = first_layer(model.dense)
    tables = model.embedding["fields"]
    parts = np.split(kernel, len(tables.num_rows))
    matrices = [jnp.asarray(part.T @ part, jnp.float32) for part in parts]
    cuts = np.cumsum(tables.num_rows)[:-1]

    def of(path: Sequence[Any], leaf: Array) -> Array:
        if _names(path)[:3] != ["embedding", "fields", "table"]:
            return leaf
        return jnp.concatenate([part @ m for part, m in zip(jnp.split(leaf, cuts), matrices, strict=True)])

    return lambda gradient: jax.tree_util.tree_map_with_path(of, gradient)
