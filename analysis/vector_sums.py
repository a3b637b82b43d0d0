"""Sums of vectors: what can be read back out of a sum, and what other combiners keep and lose."""

import pathlib
from typing import Any

from data.atomic import write_text

from .sums.classic import measure_classic
from .sums.combiner_probes import check_probes, probe_combiners
from .sums.decoder_grid import check_decoders, measure_decoders
from .sums.draws import measure_draws
from .sums.figures import plot_classic, plot_draws, plot_illustration, plot_law
from .sums.law import measure_law
from .sums.probe_figures import plot_decoders, plot_probes
from .sums.probe_page import decoder_section, probe_section
from .sums.recovery_page import classic_section, draws_section, illustration_section, law_section


def measure_vector_sums(config: Any) -> str:
    """Measures what is not measured yet and writes vector_sums.md with its figures.

    Args:
      config: the fields of configs/vector_sums.py.

    Returns:
      What was written, for the terminal.

    Raises:
      ValueError: for whatever a part refuses, and an output that holds results of other settings.
    """
    check_decoders(config)  # now, and not after minutes of draws
    check_probes(config)
    output = pathlib.Path(config.output)
    output.mkdir(parents=True, exist_ok=True)
    classic = measure_classic(config, output)
    draws = measure_draws(config, output)
    law = measure_law(draws)
    decoders = measure_decoders(config, output)
    probes = probe_combiners(config, output)
    plot_classic(classic["classic"], output / "classic.png")
    plot_illustration(classic["illustration"], output / "illustration.png")
    plot_draws(draws["rows"], output / "draws.png")
    plot_law(law, output / "law.png")
    plot_decoders(decoders, output / "decoders.png")
    plot_probes(probes, output / "probes.png")
    page = [
        "# What can be read back out of a sum",
        "",
        "Written by `python analyze.py --config=configs/vector_sums.py`.",
        "",
        classic_section(classic["classic"], "classic.png"),
        illustration_section(classic["illustration"], "illustration.png"),
        draws_section(draws, "draws.png"),
        law_section(law, "law.png"),
        decoder_section(decoders, "decoders.png"),
        probe_section(probes, "probes.png"),
    ]
    write_text(output / "vector_sums.md", "\n".join(page))
    figures = ("classic", "illustration", "draws", "law", "decoders", "probes")
    return "\n".join(
        f"written: {output / name}" for name in ("vector_sums.md", *(f"{f}.png" for f in figures))
    )
