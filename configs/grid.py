"""Helpers for the `sweep()` of a sweep's config: sequences of override dicts from shorter ones.

  product({"model.combiner": "sum"}, over("model.match", "width", "embed"))   every combination
  zip(over("model.dim", 16, 32), over("train.epochs", 10, 20))                the first with the first, …
  chain(over("model.combiner", "sum", "mean"), [{"model.combiner": "concat", "model.match": "embed"}])

An override dict is {"model.combiner": "sum", …}; a single one stands for a sequence of one.
"""

import builtins
import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

Overrides = dict[str, Any]
Several = Mapping[str, Any] | Iterable[Mapping[str, Any]]


def over(field: str, *values: Any) -> list[Overrides]:
    """Returns [{field: value}, …]."""
    return [{field: value} for value in values]


def product(*factors: Several) -> Iterator[Overrides]:
    """Yields every combination of one override dict from each; the last factor changes fastest."""
    for parts in itertools.product(*map(_several, factors)):
        yield _merge(parts)


def zip(*factors: Several) -> Iterator[Overrides]:  # noqa: A001 the name that everybody knows
    """Yields the first of all together, then the second of all, …; raises ValueError for different lengths."""
    for parts in builtins.zip(*map(_several, factors), strict=True):
        yield _merge(parts)


def chain(*parts: Several) -> Iterator[Overrides]:
    """Yields the override dicts of one after those of the other."""
    for part in parts:
        yield from map(dict, _several(part))


def _several(overrides: Several) -> list[Mapping[str, Any]]:
    return [overrides] if isinstance(overrides, Mapping) else list(overrides)


def _merge(parts: Iterable[Mapping[str, Any]]) -> Overrides:
    merged: Overrides = {}
    for part in parts:
        if again := merged.keys() & part.keys():
            raise ValueError(f"{', '.join(sorted(again))}: set twice in one arm")
        merged.update(part)
    return merged
