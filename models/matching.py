"""What is held equal when combiners are compared: the combined width, the embedding width, or the parameters.

Concatenating n vectors of width d gives n·d numbers where summing gives d, so a comparison must say which of the two
it grants. `config.model.match` is one of

  width   the combined vector has `dim` numbers, or the most below it that the combiner can make of equal parts;
          a concatenation so gives each part max(1, dim // n). Where every slot has a table of its own, the remainder
          is spread over the first parts, or `widths` says how the parts share the width.
  embed   every part has `dim` numbers; a concatenation is wider for it.
  params  as many trainable parameters as the summing model of width `dim`, within 1%: by the embedding width first,
          then by the width of the last hidden layer.
"""

import contextlib
import dataclasses
from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import jax
from flax import nnx

from combiners import Dim, combiner_class

MODES = ("width", "embed", "params")
TOLERANCE = 0.01  # how far "the same number of parameters" may be off


@dataclasses.dataclass(frozen=True)
class Sizes:
    """The widths that a model is built with.

    Attributes:
      dim: the width of one part; one width per slot where they differ.
      hidden: the widths of the dense layers between the combined vector and the output.
    """

    dim: Dim
    hidden: tuple[int, ...]


@runtime_checkable
class ModelClass(Protocol):
    """The class of a model, as far as its sizes go."""

    def __call__(self, config: Any, spec: Any, *, sizes: "Sizes", rngs: nnx.Rngs) -> nnx.Module:
        """Makes a model."""
        ...

    def num_vectors(self, config: Any, spec: Any) -> int:
        """Returns how many vectors its combiner gets at most."""
        ...

    def has_own_tables(self, config: Any) -> bool:
        """Returns whether every slot has its own embedding, so that their widths may differ."""
        ...


def match_sizes(model: ModelClass, config: Any, spec: Any) -> Sizes:
    """Chooses the sizes that `config.match` asks for.

    Args:
      model: the class of the model.
      config: the fields of config.model: combiner, combiner_options, match, dim, widths, hidden, and the model's own.
      spec: what the model must know of the data.

    Returns:
      The sizes.

    Raises:
      ValueError: for an unknown mode, and for one that cannot be met, with the reason.
    """
    if config.match not in MODES:
        raise ValueError(f"model.match must be one of {', '.join(MODES)}, got {config.match!r}")
    if config.dim < 1 or any(width < 1 for width in config.hidden):
        raise ValueError(
            f"model.dim and model.hidden must be positive, got {config.dim} and {tuple(config.hidden)}"
        )
    hidden = tuple(config.hidden)
    num_vectors, own_tables = model.num_vectors(config, spec), model.has_own_tables(config)
    if config.widths:
        return Sizes(_given_widths(config, num_vectors, own_tables), hidden)
    if config.match == "embed":
        return Sizes(config.dim, hidden)
    if config.match == "width":
        return Sizes(_equal_combined_width(config, num_vectors, own_tables), hidden)
    return _equal_parameters(model, config, spec)


def _given_widths(config: Any, num_vectors: int, own_tables: bool) -> tuple[int, ...]:
    widths = tuple(config.widths)
    if config.match != "width" or not own_tables:
        raise ValueError(
            "model.widths needs model.match=width and an embedding of its own for every slot "
            "(table_per_slot=True for words, shared_embedding=False for the parts of an image)"
        )
    if len(widths) != num_vectors or sum(widths) != config.dim or min(widths) < 1:
        raise ValueError(
            f"model.widths must be {num_vectors} positive numbers, one per slot, that add up to "
            f"model.dim={config.dim}; got {widths}"
        )
    return widths


def _equal_combined_width(config: Any, num_vectors: int, own_tables: bool) -> Dim:
    """Returns the widest part whose combination is no wider than config.dim.

    A part of one dimension is the least there is, so that more parts than dimensions are combined wider than asked.
    """
    combiner = combiner_class(config.combiner)
    options = dict(config.combiner_options)
    if combiner.accepts_unequal_widths and own_tables and config.dim >= num_vectors:
        share, remainder = divmod(config.dim, num_vectors)
        if remainder:
            return tuple(share + 1 if i < remainder else share for i in range(num_vectors))
    for dim in range(config.dim, 0, -1):
        with contextlib.suppress(ValueError):  # too wide to be made at all: narrower parts may do
            if combiner.output_width(num_vectors, dim, **options) <= config.dim:
                return dim
    least = combiner.output_width(num_vectors, 1, **options)
    if least > num_vectors:
        raise ValueError(
            f"model.match=width cannot be met: of {num_vectors} parts of one dimension {config.combiner!r} makes "
            f"{least:,} numbers, model.dim is {config.dim}; use match=embed"
        )
    return 1


def _equal_parameters(model: ModelClass, config: Any, spec: Any) -> Sizes:
    """Finds sizes whose model has the summing model's number of parameters within 1%."""

    def total(config: Any, sizes: Sizes) -> int:
        shapes = nnx.eval_shape(
            lambda: nnx.state(model(config, spec, sizes=sizes, rngs=nnx.Rngs(0)), nnx.Param)
        )
        return sum(leaf.size for leaf in jax.tree.leaves(shapes))

    hidden = tuple(config.hidden)
    sum_config = config.copy_and_resolve_references()
    sum_config.combiner, sum_config.combiner_options = "sum", type(config)()
    target = total(sum_config, Sizes(config.dim, hidden))

    nearest = _nearest_width(lambda dim: total(config, Sizes(dim, hidden)), target)
    candidates = [Sizes(nearest, hidden)]
    if hidden:  # a dense layer has finer steps than a table of thousands of rows
        for dim in (nearest, max(1, nearest - 1)):
            last = _nearest_width(
                lambda width, dim=dim: total(config, Sizes(dim, (*hidden[:-1], width))), target
            )
            candidates.append(Sizes(dim, (*hidden[:-1], last)))
    for sizes in candidates:
        if abs(total(config, sizes) - target) <= TOLERANCE * target:
            return sizes
    reached = min((total(config, sizes) for sizes in candidates), key=lambda count: abs(count - target))
    raise ValueError(
        f"model.match=params cannot be met: {config.combiner!r} comes to {reached:,} parameters at best, "
        f"the summing model has {target:,}; use match=width or match=embed, or add a hidden layer to adjust"
    )


def _nearest_width(count: Callable[[int], int], target: int) -> int:
    """Returns the width >= 1 whose count comes nearest to the target; counts must grow with the width."""
    high = 1
    while count(high) < target:
        high *= 2
    low = max(1, high // 2)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if count(middle) < target else (low, middle)
    return min((low, high), key=lambda width: abs(count(width) - target))
