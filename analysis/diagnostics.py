"""How strongly a combiner speaks and listens at initialisation, against the number of vectors it is given.

Bags of n random vectors, x = mean + scale · normal, go through a freshly made combiner. Measured, with a random
direction g of the output, |g| ≈ 1:

  output     the standard deviation of y between bags, averaged over its dimensions, as a multiple of the vectors' own
  gradient   |∂(g·y)/∂x|₂ over the whole bag: how far y moves along g per unit of a step down the gradient (SGD)
  response   |∂(g·y)/∂x|₁ / √dim: how far y moves along g when every number of x moves by one, each in the direction of
             its gradient's sign. That is Adam's first step, so a learning rate of η moves y by about η times this.
"""

import dataclasses
import math
import pathlib
import statistics
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Bool, Float
from rich.console import Console
from rich.progress import track

from combiners import Combiner, combiner_class
from data.atomic import write_text
from training.workdir import write_json

from .diagnostics_page import MEASURES, diagnostics_page, plot_diagnostics


@dataclasses.dataclass(frozen=True)
class Arm:
    """One line of the figure: a combiner and the value around which its vectors lie."""

    combiner: str
    mean: float

    def __str__(self) -> str:
        declared = combiner_class(self.combiner).embedding_mean
        return self.combiner if self.mean == declared else f"{self.combiner}, vectors around {self.mean:g}"


def diagnose(config: Any) -> str:
    """Measures every combiner of a config and writes diagnostics.json, diagnostics.md and diagnostics.png.

    Args:
      config: the fields of configs/diagnostics.py.

    Returns:
      One line that says what was written.

    Raises:
      ValueError: for an unknown combiner, and for sizes that cannot be.
    """
    if min(*config.num_vectors, config.dim, config.bags) < 1 or config.scale <= 0 or not config.seeds:
        raise ValueError(
            "num_vectors, dim, bags and scale must be positive and seeds not empty, got "
            f"{tuple(config.num_vectors)}, {config.dim}, {config.bags}, {config.scale}, {tuple(config.seeds)}"
        )
    arms = _arms(config.combiners)
    output = pathlib.Path(config.output)
    output.mkdir(parents=True, exist_ok=True)
    console = Console(stderr=True)
    rows = [
        {
            "arm": str(arm),
            "combiner": arm.combiner,
            "mean": arm.mean,
            "num_vectors": n,
            **_measure(arm, n, config),
        }
        for arm in track(arms, "combiners", console=console, disable=not console.is_terminal)
        for n in config.num_vectors
    ]
    settings = {key: config[key] for key in ("num_vectors", "dim", "scale", "bags", "seeds", "tuned_rates")}
    settings["tuned_rates"] = dict(settings["tuned_rates"])
    write_json(output / "diagnostics.json", {"settings": settings, "rows": rows})
    plot_diagnostics(rows, output / "diagnostics.png")
    write_text(output / "diagnostics.md", diagnostics_page(rows, settings))
    return f"{len(arms)} arms measured; written: {output}/diagnostics.md, .json and .png"


def _arms(names: Sequence[str]) -> list[Arm]:
    """Returns one arm per combiner as it starts, and a second around zero for those that start elsewhere."""
    arms = []
    for name in names:
        mean = combiner_class(name).embedding_mean
        arms += [Arm(name, mean), *([Arm(name, 0.0)] if mean else [])]
    return arms


def _measure(arm: Arm, n: int, config: Any) -> dict[str, Any]:
    """Returns the three measures, averaged over seeds; or {"reason": …} where they cannot be taken."""
    cls = combiner_class(arm.combiner)
    try:
        if cls.arity not in (None, n):
            raise ValueError(f"combines exactly {cls.arity} vectors")
        numbers = max(cls.parameter_count(n, config.dim), cls.output_width(n, config.dim))
        if numbers > config.max_numbers:
            raise ValueError(f"{numbers:,} numbers, more than max_numbers={config.max_numbers:,}")
        per_seed = _statistics(cls, arm.mean, n, config)
    except ValueError as refusal:
        return {"reason": str(refusal)}
    if not all(math.isfinite(value) for values in per_seed.values() for value in values):
        return {"reason": "overflows"}
    return {measure: statistics.fmean(values) for measure, values in per_seed.items()}


def _statistics(cls: type[Combiner], mean: float, n: int, config: Any) -> dict[str, list[float]]:
    combiners = [cls(num_vectors=n, dim=config.dim, rngs=nnx.Rngs(seed)) for seed in config.seeds]
    graphdef, width = nnx.graphdef(combiners[0]), combiners[0].out_dim
    mask = np.ones((config.bags, n), bool)

    @jax.jit
    def of_seed(
        state: nnx.State,
        x: Float[Array, "bags n dim"],
        mask: Bool[Array, "bags n"],
        g: Float[Array, "bags out"],
    ) -> Float[Array, "measures"]:
        y, pull_back = jax.vjp(lambda x: nnx.merge(graphdef, state)(x, mask), x)
        gradient = pull_back(g)[0].reshape(config.bags, -1)
        return jnp.stack(
            [
                jnp.mean(jnp.std(y, axis=0)) / config.scale,
                jnp.mean(jnp.linalg.norm(gradient, axis=-1)),
                jnp.mean(jnp.sum(jnp.abs(gradient), axis=-1)) / math.sqrt(config.dim),
            ]
        )

    of_seeds = []
    for seed, combiner in zip(config.seeds, combiners, strict=True):
        rng = np.random.default_rng(seed)
        x = mean + config.scale * rng.standard_normal((config.bags, n, config.dim), np.float32)
        g = rng.standard_normal((config.bags, width), np.float32) / math.sqrt(width)
        of_seeds.append(of_seed(nnx.state(combiner), np.float32(x), mask, np.float32(g)).tolist())
    return {measure: [values[i] for values in of_seeds] for i, measure in enumerate(MEASURES)}
