"""From a config and the shape of the data to what the engine compiles."""

from typing import Any

import jax
from flax import nnx

import models
from data import Spec
from data.nearest import nearest
from models.row_tables import RowTable

from .objectives import make_objective
from .optimizers import make_optimizer, make_schedule
from .precision import check_matmul_precision
from .replication import check_replica_mode
from .rows import make_row_optimizer
from .step import Network, Program, Variables


def make_network(config: Any, spec: Spec) -> Network:
    """Returns the model of a config without its arrays; raises ValueError for what model or combiner refuse."""
    if config.task not in models.MODELS:
        raise ValueError(
            f"unknown task {config.task!r}{nearest(config.task, models.MODELS)}; known are {', '.join(models.MODELS)}"
        )
    sizes = models.match_sizes(models.MODELS[config.task], config.model, spec)

    def make(rngs: nnx.Rngs) -> nnx.Module:
        return models.make_model(config.task, config.model, spec, sizes=sizes, rngs=rngs)

    def init(rngs: nnx.Rngs) -> Variables:
        _, params, fixed = nnx.split(make(rngs), nnx.Param, ...)
        return Variables(params, fixed)

    abstract = nnx.eval_shape(lambda: make(nnx.Rngs(0)))
    graphdef, _, _ = nnx.split(abstract, nnx.Param, ...)
    return Network(
        graphdef=graphdef,
        init=init,
        objective=make_objective(spec),
        combined_width=abstract.combiner.out_dim,
        variable_length=abstract.combiner.variable_length,
        num_rows=sum(len(table) for table in jax.tree.leaves(nnx.state(abstract, RowTable))),
        precision=check_matmul_precision(config.engine.get("matmul_precision", "default")),
    )


def make_program(config: Any, network: Network, spec: Spec, num_examples: int) -> Program:
    """Returns all that is fixed when training is compiled; raises ValueError for a setting that cannot be."""
    metrics = network.objective.higher_is_better
    if config.train.monitor not in metrics:
        raise ValueError(f"train.monitor must be one of {', '.join(metrics)}, got {config.train.monitor!r}")
    check_replica_mode(config.engine.replicas)
    for field in ("epochs", "batch_size", "patience", "length_buckets"):
        if config.train[field] < 1:
            raise ValueError(f"train.{field} must be at least 1, got {config.train[field]}")
    num_buckets = config.train.length_buckets if network.variable_length else 1
    steps_per_epoch = -(-num_examples // config.train.batch_size)
    total_steps = config.train.epochs * steps_per_epoch
    schedule = make_schedule(config.optimizer, total_steps)
    lookups = config.train.batch_size * models.MODELS[config.task].num_lookups(config.model, spec)
    rows = make_row_optimizer(config.optimizer, schedule, network.num_rows, lookups)
    return Program(
        network=network,
        optimizer=make_optimizer(config.optimizer, total_steps, clips=rows is None),
        rows=rows,
        batch_size=config.train.batch_size,
        monitor=config.train.monitor,
        patience=config.train.patience,
        widths=_bucket_widths(spec.max_length or 1, num_buckets),
    )


def _bucket_widths(longest: int, num_buckets: int) -> tuple[int, ...]:
    """Returns the widths of length buckets: the longest example, its half, its quarter, …, but at least 8."""
    return tuple(sorted({max(-(-longest // 2**k), min(8, longest)) for k in range(num_buckets)}))
