"""Every decoder on sums of embeddings of every kind: how far off its counts are, how often it is exact, how fast."""

import functools
import hashlib
import pathlib
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from threadpoolctl import threadpool_limits

from analysis.cells import measure_cells
from training.statistics import over_seeds

from .decoders import decoder, draw_counts
from .draws import wilson_interval
from .greedy import miscount
from .vocabularies import KINDS, make_vocabulary, trained_vectors


def measure_decoders(config: Any, output: pathlib.Path) -> dict[str, Any]:
    """Decodes `num_draws` sums with every decoder, for every kind of embeddings and every cell (V, d, n).

    The draws of a cell share one table, and all decoders get the same draws: an interval is over draws, given the
    table. What cannot be made (embeddings of a run that is not there, or not wide enough) is left out with the reason.

    Args:
      config: its field `decoders` is read: names, kinds, cells, num_draws, seed, trained_workdir and density.
      output: folder of decoders.json, which keeps what is finished.

    Returns:
      {"num_draws", "trained_workdir", "rows": [{"decoder", "kind", "vocabulary", "dim", "n", "miscount": {"mean",
      "ci95"} (Student's t over draws), "exact": {"mean", "ci95"} (Wilson's), "seconds": per draw, where the training
      of a probe is divided among the draws}], "left_out": [{"kind", "vocabulary", "dim", "n", "reason"}]}.

    Raises:
      ValueError: for an unknown decoder or kind of embeddings, a size that cannot be, and results of other settings.
    """
    settings = config.decoders
    check_decoders(config)
    trained, missing = None, ""
    if "trained" in settings.kinds:
        try:
            trained = trained_vectors(settings.trained_workdir)
        except ValueError as refusal:
            missing = str(refusal)

    cells, places, left_out = {}, {}, []
    for kind in settings.kinds:
        for vocabulary, dim, n in settings.cells:
            place = {"kind": kind, "vocabulary": vocabulary, "dim": dim, "n": n}
            version = ""
            if kind == "trained":
                try:
                    if trained is None:
                        raise ValueError(missing)
                    table = make_vocabulary(kind, vocabulary, dim, trained=trained)
                except ValueError as refusal:
                    left_out.append({**place, "reason": str(refusal)})
                    continue
                # Another run in the same folder is another measurement.
                version = f" {hashlib.sha256(table.tobytes()).hexdigest()[:8]}"
            name = f"{kind}{version} V={vocabulary} d={dim} n={n}"
            places[name] = place
            cells[name] = functools.partial(_measure, place, settings, trained)
    kept = {
        "names": tuple(settings.names),
        "num_draws": settings.num_draws,
        "seed": settings.seed,
        "density": settings.density,
    }
    with threadpool_limits(limits=1):  # all decoders compute on one core; threads would wait for each other
        measured = measure_cells(output / "decoders.json", kept, cells, "decoders")
    return {
        **kept,
        "trained_workdir": settings.trained_workdir,
        "rows": [
            {"decoder": decoder_name, **places[name], **result}
            for name, by_decoder in measured.items()
            for decoder_name, result in by_decoder.items()
        ],
        "left_out": left_out,
    }


def check_decoders(config: Any) -> None:
    """Raises ValueError for an unknown decoder or kind of embeddings, and for a size that cannot be."""
    settings = config.decoders
    for name in settings.names:
        decoder(name)
    for kind in settings.kinds:  # a table of one word shows whether the kind and its settings can be
        if kind != "trained":
            make_vocabulary(kind, 1, 1, np.random.default_rng(0), density=settings.density)
    if settings.num_draws < 2 or any(min(cell) < 1 for cell in settings.cells):
        raise ValueError(
            "decoders.num_draws must be at least 2 and the numbers of every cell (V, d, n) positive, got "
            f"{settings.num_draws} and {[tuple(cell) for cell in settings.cells]}"
        )


def _measure(
    place: Mapping[str, Any], settings: Any, trained: Float[np.ndarray, "rows width"] | None
) -> dict[str, Any]:
    """Returns {decoder: result} of one cell."""
    vocabulary, dim, n = place["vocabulary"], place["dim"], place["n"]
    seed = [settings.seed, vocabulary, dim, n]
    table = make_vocabulary(
        place["kind"],
        vocabulary,
        dim,
        np.random.default_rng([*seed, KINDS.index(place["kind"])]),
        density=settings.density,
        trained=trained,
    )
    # Every kind gets the same words in the same draws.
    counts = draw_counts(np.random.default_rng([*seed, len(KINDS)]), settings.num_draws, vocabulary, n)
    return {name: measure_decoder(name, table, counts) for name in settings.names}


def measure_decoder(
    name: str, embeddings: Float[np.ndarray, "V d"], counts: Int[np.ndarray, "draws V"]
) -> dict[str, Any]:
    """Decodes the sums of some bags, which must be of one size.

    Args:
      name: of the decoder.
      embeddings: the table.
      counts: how often each word is in each bag; the decoder gets the sums alone.

    Returns:
      {"miscount", "exact", "seconds"} as of `measure_decoders`.
    """
    totals, n = counts @ embeddings, int(counts[0].sum())
    started = time.perf_counter()
    found = decoder(name)(embeddings, totals, n)
    seconds = time.perf_counter() - started
    misses = miscount(counts, found)
    exact = float(np.mean(misses == 0))
    summary = over_seeds([float(miss) for miss in misses])
    return {
        "miscount": {"mean": summary["mean"], "ci95": summary["ci95"]},
        "exact": {"mean": exact, "ci95": list(wilson_interval(exact, len(counts)))},
        "seconds": seconds / len(counts),
    }
