"""Reads the argument of a config, --config=configs/sentiment.py:combiner=product,smoke."""

from typing import Any

from data.nearest import nearest


def parse_argument(argument: str | None, **defaults: Any) -> dict[str, Any]:
    """Parses 'name=value,flag,…'.

    Args:
      argument: what stands behind the colon; None or '' for nothing.
      **defaults: the known names; a bool makes the name a flag, which is True when it is mentioned.

    Returns:
      The defaults, overridden.

    Raises:
      ValueError: for an unknown name, with the nearest one, and a missing or superfluous value.
    """
    values = dict(defaults)
    for item in filter(None, (argument or "").split(",")):
        name, has_value, value = item.partition("=")
        if name not in defaults:
            raise ValueError(
                f"unknown config argument {name!r}{nearest(name, defaults)}; known are {', '.join(defaults)}"
            )
        is_flag = isinstance(defaults[name], bool)
        if is_flag == bool(has_value):
            raise ValueError(
                f"config argument {name!r} {'takes no' if is_flag else 'needs a'} value, got {item!r}"
            )
        values[name] = True if is_flag else value
    return values
