"""Chooses how tables are updated: whole, or in the rows of a batch alone."""

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any

import optax

from data.nearest import nearest

from .optimizer import RowOptimizer
from .rules import Adagrad, Adam, Rule, Sgd

MODES = ("auto", "exact", "lazy", "off")
_RULES: Mapping[str, Callable[..., Rule]] = {
    "adagrad": Adagrad,
    "adam": Adam,
    "adamw": Adam,
    "rowwise_adagrad": Adagrad,
    "sgd": Sgd,
}
# A dense step passes over all rows, a sparse one over those looked up, several times and in no order: it is the faster
# one where tables have more than this many times as many rows, as measured on a CPU (docs/performance.md).
_DENSE_BELOW = 6


def make_row_optimizer(
    config: Any, schedule: optax.Schedule, num_rows: int, lookups: int
) -> RowOptimizer | None:
    """Returns the optimiser of the rows of tables; None where tables are updated whole.

    Args:
      config: config.optimizer; `sparse` is 'off', 'exact' (the result of a dense update, to rounding), 'lazy' (rows
        rest while no batch looks them up) or 'auto' (exact where that is possible and faster).
      schedule: step, from 0 -> factor of the learning rate.
      num_rows: of all tables.
      lookups: of a step, at most.

    Raises:
      ValueError: for a mode that does not exist, or that this model or optimiser cannot have.
    """
    mode = config.sparse
    if mode not in MODES:
        raise ValueError(
            f"unknown optimizer.sparse {mode!r}{nearest(mode, MODES)}; known are {', '.join(MODES)}"
        )
    if mode == "off":
        return None
    reason = "the model looks up no table that is trained" if not num_rows else _why_not(config, mode)
    if mode == "auto":
        if reason or num_rows < _DENSE_BELOW * lookups:
            return None
    elif reason:
        raise ValueError(f"optimizer.sparse={mode} is not possible: {reason}; set it to off")
    rule = _RULES[config.name](**_options(config))
    return RowOptimizer(rule, schedule, config.weight_decay, config.clip_norm, exact=mode != "lazy")


def _why_not(config: Any, mode: str) -> str:
    """Returns why an optimiser cannot update rows alone, '' if it can."""
    if config.name not in _RULES:
        return f"{config.name} has no form for rows ({', '.join(_RULES)} have)"
    known = {field.name for field in dataclasses.fields(_RULES[config.name])} - {"row_wise"}
    if unknown := sorted(set(config.options) - known):
        return f"rows know no option {unknown[0]!r} of {config.name}"
    rule = _RULES[config.name](**_options(config))
    if mode != "lazy" and isinstance(rule, Adam):
        # Beyond, what is pending does not fade, or faster than its denominator is known to be smooth.
        slowest = math.sqrt(rule.b2) * (1 - config.learning_rate * config.weight_decay)
        if not 0 < rule.b1 < slowest or rule.b2 < 0.98:
            return (
                f"exact rows need 0 < b1 < √b2 and b2 of 0.98 at least, found b1={rule.b1} and b2={rule.b2}"
            )
    return ""


def _options(config: Any) -> dict[str, Any]:
    options = dict(config.options)
    if config.name == "rowwise_adagrad":
        options["row_wise"] = True
    return options
