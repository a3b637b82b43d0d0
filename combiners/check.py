"""Holds combiners to everything they declare: `python -m combiners.check [NAME | module:Class …] [option=value …]`.

    python -m combiners.check                                every combiner of this package, one line each
    python -m combiners.check my_module:MyCombiner           your own class, every property
    python -m combiners.check attention position_sum         some by name
    python -m combiners.check position_sum features=5        with an option
    python -m combiners.check my_module:Heads dim=4 heads=2  with other sizes than num_vectors=4 dim=3

The properties follow from what a class declares: its formula in NumPy, whether order matters, how many parameters it
has, and so on. Exit code 0 if all hold, 1 if one does not, 2 for a command line that cannot be.
"""

import ast
import collections
import concurrent.futures
import functools
import inspect
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

import jax
from flax import nnx

from . import checks_declarations, checks_masks, checks_state, checks_values, checks_weights
from .base import Combiner
from .checks_report import BrokenError, Result, SkippedError
from .checks_trial import SEED, Trial
from .registry import COMBINERS, combiner_class, combiner_options, make_combiner

PROPERTIES: tuple[Callable[[Trial], None], ...] = (
    *checks_declarations.PROPERTIES,
    *checks_values.PROPERTIES,
    *checks_masks.PROPERTIES,
    *checks_weights.PROPERTIES,
    *checks_state.PROPERTIES,
)
_MADE = "it can be made"


def check(
    cls: type[Combiner], *, num_vectors: int | None = None, dim: int = 3, **options: Any
) -> list[Result]:
    """Tries every property on a combiner with random parameters.

    Args:
      cls: the class.
      num_vectors: how many vectors it is made for; by default its arity, or 4.
      dim: the width of one vector; 3 leaves room for ties and is quick.
      **options: the combiner's own options.

    Returns:
      One result for each property, in a fixed order.
    """
    # An accelerator would multiply float32 matrices in fewer digits than a reference can be compared with.
    with jax.default_matmul_precision("highest"):
        try:
            trial = Trial(cls, num_vectors, dim, options)
        except Exception as error:
            made = Result(_MADE, "fail", _one_line(error))
            return [made, *(Result(sentence(p), "skip", "it cannot be made") for p in PROPERTIES)]
        return [Result(_MADE, "pass"), *(try_property(p, trial) for p in PROPERTIES)]


def try_property(holds: Callable[[Trial], None], trial: Trial) -> Result:
    """Returns whether a trial has a property; whatever else goes wrong on the way is a failure as well."""
    try:
        holds(trial)
    except SkippedError as skip:
        return Result(sentence(holds), "skip", str(skip))
    except BrokenError as broken:
        return Result(sentence(holds), "fail", str(broken))
    except Exception as error:
        return Result(sentence(holds), "fail", _one_line(error))
    return Result(sentence(holds), "pass")


def sentence(holds: Callable[[Trial], None]) -> str:
    """Returns the name of a property: that of its function, in words."""
    return holds.__name__.replace("_", " ")


def main(arguments: Sequence[str]) -> int:
    """Runs the command line and returns its exit code."""
    if {"-h", "--help"} & set(arguments):
        print(_help())
        return 0
    try:
        names, options = _parsed(arguments)
        classes = {name: _checked_class(name, options) for name in names or COMBINERS}
    except (ValueError, ImportError, SyntaxError) as error:
        print(f"error: {_one_line(error)}", file=sys.stderr)
        return 2
    failed = 0
    # Nearly all the time goes into compiling, which is done outside Python and so on several cores at once.
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        checked = pool.map(functools.partial(check, **options), classes.values())
        for name, results in zip(classes, checked, strict=True):
            failed += any(result.status == "fail" for result in results)
            print("\n".join(_table(name, options, results) if names else _line(name, results)), flush=True)
    number = f"{len(classes)} combiner{'s' if len(classes) > 1 else ''}"
    print(f"{failed} of {number} failed" if failed else f"{number} passed")
    return 1 if failed else 0


def _parsed(arguments: Sequence[str]) -> tuple[list[str], dict[str, Any]]:
    """Returns the names of combiners, and the options as Python values."""
    names, options = [], {}
    for argument in arguments:
        name, is_option, value = argument.partition("=")
        if argument.startswith("-"):
            raise ValueError(
                f"unknown flag {argument!r}; options are written name=value, and there is --help"
            )
        if not is_option:
            names.append(name)
            continue
        try:
            options[name] = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            options[name] = value  # a word is a text, without quotes
    if options and not names:
        raise ValueError(f"option {next(iter(options))!r} of which combiner? name it before its options")
    return names, options


def _checked_class(name: str, options: dict[str, Any]) -> type[Combiner]:
    """Returns the class of a name; raises ValueError where there is none or it cannot be made with the options."""
    cls = combiner_class(name)
    needed = [key for key, default in combiner_options(cls).items() if default is inspect.Parameter.empty]
    missing = [key for key in needed if key not in options]
    if missing:
        raise ValueError(f"combiner {name!r} needs a value for {', '.join(missing)}: add {missing[0]}=VALUE")
    if options:
        sizes = {"num_vectors": options.get("num_vectors", cls.arity or 4), "dim": options.get("dim", 3)}
        if not isinstance(sizes["dim"], int):
            raise ValueError(
                f"dim must be an integer, got {sizes['dim']!r}; unequal widths are tried where declared"
            )
        make_combiner(name, rngs=nnx.Rngs(SEED), **(options | sizes))
    return cls


def _table(name: str, options: dict[str, Any], results: list[Result]) -> list[str]:
    width = max(len(result.name) for result in results)
    lines = [" ".join([name, *(f"{key}={value!r}" for key, value in options.items())])]
    for result in results:
        status = result.status.upper() if result.status == "fail" else result.status
        lines.append(f"  {status}  {result.name:{width}}  {result.reason}".rstrip())
    return [*lines, f"  {_counts(results)}", ""]


def _line(name: str, results: list[Result]) -> list[str]:
    failures = [f"    FAIL  {result.name}: {result.reason}" for result in results if result.status == "fail"]
    return [f"{name:{max(map(len, COMBINERS))}}  {_counts(results)}", *failures]


def _counts(results: list[Result]) -> str:
    counts = collections.Counter(result.status for result in results)
    return f"{counts['pass']:2} passed, {counts['fail']} failed, {counts['skip']} skipped"


def _help() -> str:
    width = max(len(sentence(holds)) for holds in PROPERTIES)
    properties = [f"  {sentence(holds):{width}}  {inspect.getdoc(holds)}" for holds in PROPERTIES]
    return "\n".join([inspect.cleandoc(__doc__), "", "Properties:", *properties])


def _one_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    message = lines[0] if lines else ""
    return message if isinstance(error, ValueError) and message else f"{type(error).__name__}: {message}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
