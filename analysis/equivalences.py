"""When a sum is a concatenation: identities in floating point, unfolding, and two ways to train one function."""

import pathlib
from typing import Any

from data.atomic import write_text

from .dynamics import measure_dynamics
from .equivalences_page import equivalences_page, plot_dynamics, plot_unfolding
from .rounding import measure_rounding
from .unfolding import measure_unfolding


def measure_equivalences(config: Any) -> str:
    """Measures what is not measured yet and writes equivalences.md with its figures.

    Args:
      config: the fields of configs/equivalences.py.

    Returns:
      What was written, for the terminal.

    Raises:
      ValueError: for whatever a part refuses, and an output that holds results of other settings.
    """
    output = pathlib.Path(config.output)
    output.mkdir(parents=True, exist_ok=True)
    rounding = measure_rounding(config, output)
    unfolding = measure_unfolding(config, output)
    dynamics = measure_dynamics(config, output)
    plot_unfolding(unfolding, output / "unfolding.png")
    plot_dynamics(dynamics, output / "dynamics.png")
    write_text(output / "equivalences.md", equivalences_page(rounding, unfolding, dynamics, config))
    files = ("equivalences.md", "unfolding.png", "dynamics.png")
    return "\n".join(f"written: {output / name}" for name in files)
