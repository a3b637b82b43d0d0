"""Finds a combiner by name: one of `COMBINERS`, or a user's own class as 'my_module:MyCombiner'."""

import difflib
import importlib
import inspect
from collections.abc import Iterable
from typing import Any

from flax import nnx

from .attention import Attention
from .base import Combiner, Dim
from .concatenation import Concat, PaddedSum, PositionSum
from .pooling import Max, Mean, SqrtN, Sum
from .products import Hybrid, Product

COMBINERS: dict[str, type[Combiner]] = {
    "sum": Sum,
    "mean": Mean,
    "sqrtn": SqrtN,
    "max": Max,
    "product": Product,
    "hybrid": Hybrid,
    "concat": Concat,
    "padded_sum": PaddedSum,
    "position_sum": PositionSum,
    "attention": Attention,
}

_DECLARED = ("name", "formula", "citation", "permutation_invariant")


def make_combiner(
    name: str, *, num_vectors: int, dim: Dim, rngs: nnx.Rngs | None = None, **options: Any
) -> Combiner:
    """Makes a combiner by name.

    Args:
      name: a key of `COMBINERS`, or 'module:Class' for a class of the user's own.
      num_vectors: the largest number of vectors to combine.
      dim: the width of one vector, a tuple of widths where they differ.
      rngs: initialises the parameters, if the combiner has any.
      **options: the combiner's own options.

    Returns:
      The combiner: y = combiner(x, mask=None, weights=None), x [..., n, dim] -> y [..., out_dim].

    Raises:
      ValueError: for an unknown name or option (with the nearest known one), or a size that cannot be.
    """
    cls = combiner_class(name)
    known = combiner_options(cls)
    for option in options:
        if option not in known:
            expected = f"its options are {', '.join(known)}" if known else "it has no options"
            raise ValueError(
                f"combiner {name!r} has no option {option!r}{_nearest(option, known)}; {expected}"
            )
    return cls(num_vectors=num_vectors, dim=dim, rngs=rngs, **options)


def combiner_class(name: str) -> type[Combiner]:
    """Returns the class of a combiner's name; raises ValueError, with the nearest name, where there is none."""
    if name in COMBINERS:
        return COMBINERS[name]
    if ":" not in name:
        raise ValueError(
            f"unknown combiner {name!r}{_nearest(name, COMBINERS)}; known are {', '.join(COMBINERS)}, "
            "or 'my_module:MyCombiner' for your own"
        )
    module_name, _, class_name = name.partition(":")
    if not module_name or module_name.startswith("."):
        raise ValueError(f"combiner {name!r}: expected 'my_module:MyCombiner', the module by its full name")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise  # the user's module is there, but imports something that is not
        raise ValueError(
            f"combiner {name!r}: no module {module_name!r} beside train.py or on PYTHONPATH"
        ) from error
    cls = getattr(module, class_name, None)
    if cls is None:
        classes = [key for key, value in vars(module).items() if inspect.isclass(value)]
        raise ValueError(
            f"combiner {name!r}: {module_name} has no {class_name!r}{_nearest(class_name, classes)}"
        )
    if not (inspect.isclass(cls) and issubclass(cls, Combiner)):
        raise ValueError(f"combiner {name!r}: {class_name} must be a subclass of combiners.Combiner")
    if inspect.isabstract(cls):
        raise ValueError(
            f"combiner {name!r}: {class_name} must define {', '.join(sorted(cls.__abstractmethods__))}"
        )
    undeclared = [fact for fact in _DECLARED if not hasattr(cls, fact)]
    if undeclared:
        raise ValueError(f"combiner {name!r}: {class_name} must declare {', '.join(undeclared)}")
    return cls


def combiner_options(cls: type[Combiner]) -> dict[str, Any]:
    """Returns the options of a combiner's class with their defaults (inspect.Parameter.empty where there is none)."""
    parameters = inspect.signature(cls.__init__).parameters.values()
    return {
        p.name: p.default
        for p in parameters
        if p.kind is p.KEYWORD_ONLY and p.name not in ("num_vectors", "dim", "rngs")
    }


def _nearest(name: str, known: Iterable[str]) -> str:
    matches = difflib.get_close_matches(name, list(known), n=1)
    return f" (did you mean {matches[0]!r}?)" if matches else ""
