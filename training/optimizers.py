"""Optimisers and learning-rate schedules by optax's names."""

import inspect
from collections.abc import Callable, Iterable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int

from data.nearest import nearest

from .adagrad import rowwise_adagrad
from .adam import adam

# Names of optax functions that make an optimiser from a learning rate, and those of this project.
OPTIMIZERS = (
    "adabelief",
    "adadelta",
    "adagrad",
    "adam",
    "adamax",
    "adamw",
    "lamb",
    "lion",
    "nadam",
    "radam",
    "rmsprop",
    "rowwise_adagrad",
    "sgd",
    "yogi",
)
SCHEDULES = ("constant", "cosine", "linear")

LearningRate = float | Float[Array, ""]

# adamw is adam with the decoupled decay that every optimiser here has.
_OWN = {"adam": adam, "adamw": adam, "rowwise_adagrad": rowwise_adagrad}


def make_optimizer(
    config: Any, total_steps: int, *, clips: bool = True
) -> Callable[[LearningRate], optax.GradientTransformation]:
    """Returns a function from a peak learning rate to an optimiser.

    The learning rate may be a traced scalar, so that replicas of one compiled program can each have their own.

    Args:
      config: config.optimizer: name, schedule, warmup_fraction, weight_decay, clip_norm, options. Weight decay is
        decoupled for every optimiser (Loshchilov & Hutter 2019): a step takes learning rate times decay off each
        parameter. It spares vectors (biases, a learned query).
      total_steps: of the whole training, which the schedule spans.
      clips: whether it bounds the norm; if not, whoever knows all gradients does.

    Raises:
      ValueError: for a name or option that does not exist, with the nearest one.
    """
    _check_name("optimizer.name", config.name, OPTIMIZERS)
    build = _OWN[config.name] if config.name in _OWN else getattr(optax, config.name)
    known = inspect.signature(build).parameters
    options = dict(config.options)
    for option in options:
        _check_name(f"optimizer.options of {config.name}", option, [p for p in known if p != "learning_rate"])
    before = []
    if clips and config.clip_norm is not None:
        before.append(optax.clip_by_global_norm(config.clip_norm))
    has_own_decay = "weight_decay" in known
    if has_own_decay:
        options.setdefault("weight_decay", config.weight_decay)
        if "mask" in known:
            options.setdefault("mask", _is_matrix)
    shape = make_schedule(config, total_steps)

    def optimizer(learning_rate: LearningRate) -> optax.GradientTransformation:
        def rate(step: Int[Array, ""]) -> LearningRate:
            return learning_rate * shape(step)

        after = (
            [] if has_own_decay or not config.weight_decay else [_decoupled_decay(rate, config.weight_decay)]
        )
        return optax.chain(*before, build(learning_rate=rate, **options), *after)

    return optimizer


def _decoupled_decay(rate: optax.Schedule, decay: float) -> optax.GradientTransformation:
    """Takes rate(step) · decay off every matrix, after the optimiser's own update."""

    def init(params: Any) -> Int[Array, ""]:
        del params
        return jnp.int32(0)

    def update(updates: Any, step: Int[Array, ""], params: Any) -> tuple[Any, Int[Array, ""]]:
        shrink = rate(step) * decay
        updates = jax.tree.map(lambda u, p: u - shrink * p if p.ndim >= 2 else u, updates, params)
        return updates, step + 1

    return optax.GradientTransformation(init, update)


def _is_matrix(params: Any) -> Any:
    return jax.tree.map(lambda leaf: leaf.ndim >= 2, params)


def make_schedule(config: Any, total_steps: int) -> optax.Schedule:
    """Returns step -> factor in [0, 1]: a linear warm-up, then constant or falling to zero at the last step.

    Args:
      config: config.optimizer: schedule, warmup_fraction.
      total_steps: of the whole training.

    Raises:
      ValueError: for a schedule that does not exist, or a warm-up that is no part of the training.
    """
    _check_name("optimizer.schedule", config.schedule, SCHEDULES)
    if not 0 <= config.warmup_fraction < 1:
        raise ValueError(f"optimizer.warmup_fraction must lie in [0, 1), got {config.warmup_fraction}")
    warmup = int(config.warmup_fraction * total_steps)
    rest = max(1, total_steps - warmup)
    after = {
        "constant": optax.constant_schedule(1.0),
        "cosine": optax.cosine_decay_schedule(1.0, rest),
        "linear": optax.linear_schedule(1.0, 0.0, rest),
    }[config.schedule]
    if warmup == 0:
        return after
    # The first step already moves: (step + 1) / warmup.
    rise = optax.linear_schedule(1.0 / warmup, 1.0, max(1, warmup - 1))
    return optax.join_schedules([rise, after], [warmup])


def _check_name(what: str, name: str, known: Iterable[str]) -> None:
    known = list(known)
    if name not in known:
        raise ValueError(f"unknown {what} {name!r}{nearest(name, known)}; known are {', '.join(known)}")
