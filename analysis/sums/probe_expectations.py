"""What probes are expected to find, stated from formulas and declarations before any run, and whether they do."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]

# Of these the order of the vectors matters once trained, but at the initial parameters all slots are treated alike:
# a_i = 1 in both weighted sums, gates of one half, and a transformer whose layers are silent, mean_i x_i + mean_i p_i.
ALIKE_AT_START = ("weighted_sum", "position_weights", "slot_excitation", "transformer")
# Σ_i x_i up to a factor and a constant, at the initial parameters and for a fixed n.
SUMS_AT_START = ("sum", "mean", "sqrtn", "gated_sum", "squeeze_excitation", *ALIKE_AT_START)
_MANY = 4  # words from which on a bag is long enough for what is said of long ones
_NOISE = 0.005  # by which rounding may move an accuracy: the order of a sum changes its last digit


@dataclasses.dataclass(frozen=True)
class Expectation:
    """A statement about one measure of one probe for some combiners.

    Attributes:
      statement: in words, with the reason.
      applies: (row, V) -> whether it says anything about a row.
      measure: "set", "counts", "exact" or "order".
      probe: "ridge" or "mlp".
      bounds: (row, V) -> between which values the mean over seeds lies.
    """

    statement: str
    applies: Callable[[Row, int], bool]
    measure: str
    probe: str
    bounds: Callable[[Row, int], tuple[float, float]]


def _is_wide(*names: str) -> Callable[[Row, int], bool]:
    return lambda row, num_words: row["combiner"] in names and row["dim"] >= num_words


def _is_long(*names: str) -> Callable[[Row, int], bool]:
    return lambda row, num_words: _is_wide(*names)(row, num_words) and row["n"] >= _MANY


def _between(low: float, high: float) -> Callable[[Row, int], tuple[float, float]]:
    return lambda *_: (low, high)


def _is_blind(row: Row, _: int) -> bool:
    return row["declared"]["permutation_invariant"]


def _is_alike_at_start(row: Row, _: int) -> bool:
    return row["combiner"] in ALIKE_AT_START or (row["combiner"] == "pairwise_dots" and row["n"] == 2)


def _sees_order(row: Row, num_words: int) -> bool:
    return not _is_blind(row, num_words) and not _is_alike_at_start(row, num_words)


_CHANCE = _between(0.5 - _NOISE, 0.5 + _NOISE)

EXPECTATIONS: tuple[Expectation, ...] = (
    Expectation(
        "What declares that the order of its vectors is without effect leaves the order at chance.",
        _is_blind,
        "order",
        "mlp",
        _CHANCE,
    ),
    Expectation(
        "What treats all slots alike at its initial parameters (`weighted_sum`, `position_weights`, "
        "`slot_excitation`, `transformer`; `pairwise_dots` of two vectors, whose one product is symmetric) leaves it "
        "at chance, too, though it may learn it.",
        _is_alike_at_start,
        "order",
        "mlp",
        _CHANCE,
    ),
    Expectation(
        "Every other combiner keeps something of the order: above 0.55.",
        _sees_order,
        "order",
        "mlp",
        _between(0.55, 1.0),
    ),
    Expectation(
        "A concatenation keeps the order: with d ≥ V above 0.9 for a linear probe.",
        _is_wide("concat", "padded_sum"),
        "order",
        "ridge",
        _between(0.9, 1.0),
    ),
    Expectation(
        "A linear map per slot keeps it, too, but folds n·d numbers into d: above 0.6 with d ≥ V.",
        _is_wide("position_sum"),
        "order",
        "mlp",
        _between(0.6, 1.0),
    ),
    Expectation(
        "One slot alone (`first`, `last`), or against all others (`difference`), tells the order where a mark stands "
        "in it, with the chance 2/n, and else nothing: 1/2 + 1/n.",
        _is_wide("first", "last", "difference"),
        "order",
        "mlp",
        lambda row, _: (0.5 + 1 / row["n"] - 0.05, 0.5 + 1 / row["n"] + 0.05),
    ),
    Expectation(
        "One slot alone holds one word of n, drawn independently: R² of the counts is 1/n with d ≥ V.",
        _is_wide("first", "last"),
        "counts",
        "ridge",
        lambda row, _: (1 / row["n"] - 0.05, 1 / row["n"] + 0.05),
    ),
    Expectation(
        "A concatenation keeps the counts: with d ≥ V a linear probe reads them exactly from 95% of the bags.",
        _is_wide("concat", "padded_sum"),
        "exact",
        "ridge",
        _between(0.95, 1.0),
    ),
    Expectation(
        "So does the sum, and what is a multiple of it at a fixed n (`mean`, `sqrtn`) or starts as one (`gated_sum`, "
        "`squeeze_excitation`, `weighted_sum`, `position_weights`, `slot_excitation`, `transformer`): V embeddings in "
        "general position are linearly independent where d ≥ V.",
        _is_wide(*SUMS_AT_START),
        "exact",
        "ridge",
        _between(0.95, 1.0),
    ),
    Expectation(
        "Where d < V they are not, and no linear probe reads long bags from a sum: below 5% exact.",
        lambda row, num_words: (
            row["combiner"] in SUMS_AT_START and row["dim"] < num_words and row["n"] >= _MANY
        ),
        "exact",
        "ridge",
        _between(0.0, 0.05),
    ),
    Expectation(
        "An extremum keeps the set: area above 0.9 in long bags with d ≥ V.",
        _is_long("max", "min"),
        "set",
        "mlp",
        _between(0.9, 1.0),
    ),
    Expectation(
        "It loses the counts: a repeated word changes nothing, so fewer than half of the long bags come out exactly.",
        _is_long("max", "min"),
        "exact",
        "mlp",
        _between(0.0, 0.5),
    ),
    Expectation(
        "Dot products between random vectors say little of which vectors they are: of two, the area stays below 0.7.",
        lambda row, _: row["combiner"] == "pairwise_dots" and row["n"] == 2,
        "set",
        "mlp",
        _between(0.0, 0.7),
    ),
)


def check_expectations(rows: Sequence[Row], num_words: int) -> list[dict[str, Any]]:
    """Holds every expectation against the rows that it speaks of.

    Args:
      rows: of `combiner_probes.probe_combiners`; those with a reason are passed over.
      num_words: V.

    Returns:
      One {"statement", "measure", "probe", "checked": how many rows, "failed": [{"combiner", "n", "dim", "mean",
      "expected": [low, high]}]} for each expectation that speaks of any row.
    """
    results = []
    for expectation in EXPECTATIONS:
        spoken_of = [row for row in rows if "reason" not in row and expectation.applies(row, num_words)]
        failed = []
        for row in spoken_of:
            mean = row[expectation.measure][expectation.probe]["mean"]
            low, high = expectation.bounds(row, num_words)
            if not low <= mean <= high:
                place = {key: row[key] for key in ("combiner", "n", "dim")}
                failed.append({**place, "mean": mean, "expected": [low, high]})
        if spoken_of:
            results.append(
                {
                    "statement": expectation.statement,
                    "measure": expectation.measure,
                    "probe": expectation.probe,
                    "checked": len(spoken_of),
                    "failed": failed,
                }
            )
    return results
