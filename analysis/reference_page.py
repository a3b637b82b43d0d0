"""Writes docs/combiners.md: every combiner's formula, facts, reference and measured time, from its declarations."""

import importlib
import inspect
import json
import pathlib
from collections.abc import Mapping
from typing import Any

from combiners import COMBINERS, Combiner, combiner_options
from data.atomic import write_text

NUM_VECTORS, DIM = 16, 64  # at which widths and parameters are shown; 2 vectors where the arity is 2


def write_reference_page(config: Any) -> str:
    """Writes the page.

    Args:
      config: the fields of configs/combiner_reference.py.

    Returns:
      One line that says what was written.

    Raises:
      ValueError: if the times were never measured.
    """
    times = pathlib.Path(config.times)
    if not times.exists():
        raise ValueError(
            f"{times} is missing: python -m benchmarks.combiners measures the times and writes it"
        )
    output = pathlib.Path(config.output)
    output.parent.mkdir(parents=True, exist_ok=True)
    write_text(output, reference_page(json.loads(times.read_text("utf-8"))))
    return f"{len(COMBINERS)} combiners; written: {output}"


def reference_page(benchmark: Mapping[str, Any]) -> str:
    """Returns the page as Markdown.

    Args:
      benchmark: what benchmarks/combiners.py measured: {"machine": …, "table": {name: {"forward": {"times": …}, …}}}.
    """
    families: dict[str, list[type[Combiner]]] = {}
    for cls in COMBINERS.values():
        families.setdefault(cls.__module__, []).append(cls)
    machine = benchmark["machine"]
    lines = [_TEXT.format(count=len(COMBINERS), processor=machine["processor"], cores=machine["cores"])]
    for module, classes in families.items():
        for cls in classes:
            lines.append(_overview(cls, _title(module), benchmark["table"].get(cls.name, {})))
    for module, classes in families.items():
        lines += ["", f"## {_title(module)}", "", _first_line(module)]
        for cls in classes:
            lines += _entry(cls, benchmark["table"].get(cls.name, {}))
    return "\n".join([*lines, ""])


def _title(module: str) -> str:
    return module.rpartition(".")[2].replace("_", " ").capitalize()


def _first_line(module: str) -> str:
    return (inspect.getdoc(importlib.import_module(module)) or "").splitlines()[0]


def _overview(cls: type[Combiner], family: str, times: Mapping[str, Any]) -> str:
    order = "blind" if cls.permutation_invariant else "sees"
    n = cls.arity or NUM_VECTORS
    try:
        sizes = [f"{cls.output_width(n, DIM):,}", f"{cls.parameter_count(n, DIM):,}"]
        measured = [f"{times[what]['times']:.1f}x" for what in ("forward", "backward")]
    except (ValueError, KeyError):
        sizes, measured = ["", ""], ["", ""]
    cells = [f"[`{cls.name}`](#{cls.name})", family, "2" if cls.arity else "n", order, *sizes, *measured]
    return f"| {' | '.join(cells)} |"


def _entry(cls: type[Combiner], times: Mapping[str, Any]) -> list[str]:
    n = cls.arity or NUM_VECTORS
    return [
        "",
        f"### {cls.name}",
        "",
        f"    {cls.formula}",
        "",
        f"{_properties(cls)}.",
        "",
        f"- Use when {cls.use_when}.",
        f"- Loses: {cls.loses}.",
        f"- {_sizes(cls, n)}.",
        *([f"- Options: {options}."] if (options := _options(cls)) else []),
        f"- Time beside `sum`: {_time(cls, times)}.",
        f"- Source: {cls.citation}.",
    ]


def _properties(cls: type[Combiner]) -> str:
    number = "exactly 2 vectors" if cls.arity == 2 else "any number of vectors"
    if cls.arity is None and not cls.variable_length:
        number = "a fixed number of vectors"
    facts = [number, "order-blind" if cls.permutation_invariant else "sees order"]
    if cls.accepts_weights:
        counts = "2 = the vector twice" if cls.weights_are_counts else "2 is not the vector twice"
        facts.append(f"takes weights ({counts})")
    if cls.accepts_unequal_widths:
        facts.append("takes unequal widths")
    if cls.embedding_mean:
        facts.append(f"embeddings start around {cls.embedding_mean:g}")
    if cls.needs_rngs:
        facts.append("draws fixed random numbers at the start")
    if cls.numpy_reference is not Combiner.numpy_reference:
        facts.append("tested against float64 NumPy")
    sentence = ", ".join(facts)
    return sentence[0].upper() + sentence[1:]


def _sizes(cls: type[Combiner], n: int) -> str:
    try:
        width, parameters = cls.output_width(n, DIM), cls.parameter_count(n, DIM)
    except ValueError as refusal:
        return f"Refused for {n} vectors of width {DIM}: {refusal}"
    return f"{n} vectors of width {DIM} give {width:,} numbers, with {parameters:,} parameters"


def _options(cls: type[Combiner]) -> str:
    return ", ".join(f"`{name}` (default {default!r})" for name, default in combiner_options(cls).items())


def _time(cls: type[Combiner], times: Mapping[str, Any]) -> str:
    if "reason" in times:
        return f"not measured ({times['reason']})"
    if not times:
        return "not measured yet"
    both = f"{times['forward']['times']:.1f}x forward, {times['backward']['times']:.1f}x with its gradient"
    return f"{both} ({cls.arity} vectors each)" if cls.arity else both


_TEXT = """\
# The combiners

All {count}, from what their classes declare; written by `python analyze.py --config=configs/combiner_reference.py` and
tested to be up to date. Every declaration is itself tested: `python -m combiners.check NAME`. Vectors are x_1 … x_n, or
u and v where there are two; ∘ multiplies elementwise.

Times are multiples of `sum`'s on the same vectors: 1,024 bags of 16 vectors of width 64, float32, with a mask, jitted;
medians of alternating rounds. *With its gradient* adds the gradient by the vectors and the parameters. Measured on
{processor}, {cores} cores (`benchmarks/results/combiners.md` has milliseconds): orders of magnitude, which a GPU may
order otherwise. Widths and parameters are those of 16 vectors of width 64 (of 2 where exactly two are combined).

| combiner | family | vectors | order | width | parameters | forward | with its gradient |
|---|---|---|---|---:|---:|---:|---:|"""
