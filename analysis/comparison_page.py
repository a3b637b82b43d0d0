"""The page of a comparison: a table per experiment, with what was expected of each arm and whether it came."""

from collections.abc import Mapping
from typing import Any

NO_BOUND = 1e9  # from here on a bound is none; JSON has no infinity


def comparison_page(content: Mapping[str, Any]) -> str:
    """Returns the Markdown of what `analysis.comparison.compare` found."""
    lines = [f"# {content['title']}", "", content["introduction"], ""]
    for table in content["tables"].values():
        lines += [
            f"## {table['title']}",
            "",
            f"Expected beforehand: {table['expected']}",
            "",
            *_table(table),
            "",
        ]
        judged = [arm["as_expected"] for arm in table["arms"].values() if "as_expected" in arm]
        if judged:
            lines += [f"As expected: {sum(judged)} of {len(judged)} arms.", ""]
    return "\n".join(lines)


def _table(table: Mapping[str, Any]) -> list[str]:
    arms = table["arms"]
    reference, is_judged = table["reference"], any("expected" in arm for arm in arms.values())
    header = ["arm", *(metric.replace("/", " ") for metric in table["metrics"])]
    if reference:
        header += [f"ratio to {reference.replace('_', ' ')}"]
        header += ["difference, paired"] if table["repeats"] > 1 else []
    header += ["expected", "found"] if is_judged else []
    header += ["width", "parameters", "seconds"]
    rows = [_row(label, arm, table, is_judged) for label, arm in arms.items()]
    if reference:
        known = next(iter(arms.values()))["reference"]
        rows.append([f"*{reference.replace('_', ' ')}*", _interval(known, 4), *[""] * (len(header) - 2)])
    numeric = ["---", *["---:"] * (len(header) - 1)]
    return [f"| {' | '.join(cells)} |" for cells in (header, numeric, *rows)]


def _row(label: str, arm: Mapping[str, Any], table: Mapping[str, Any], is_judged: bool) -> list[str]:
    cells = [f"`{label}`", *(_interval(arm["metrics"][metric], 4) for metric in table["metrics"])]
    if table["reference"]:
        cells.append("" if arm["ratio"] is None else f"{arm['ratio']:.3f}")
        cells += [_interval(arm["difference"], 4, "+")] if table["repeats"] > 1 else []
    if is_judged and "expected" in arm:
        cells += [_bounds(*arm["expected"]), "yes" if arm["as_expected"] else "**no**"]
    elif is_judged:
        cells += ["", ""]
    return [
        *cells,
        str(arm["combined_width"]),
        f"{arm['num_params']['total']:,}",
        f"{arm['train_seconds']:.0f}",
    ]


def _interval(summary: Mapping[str, Any], digits: int, sign: str = "") -> str:
    if summary["mean"] is None:
        return "diverged"
    mean = f"{summary['mean']:{sign}.{digits}f}"
    if summary["ci95"] is None:
        return mean
    return f"{mean} ± {(summary['ci95'][1] - summary['ci95'][0]) / 2:.{digits}f}"


def _bounds(low: float, high: float) -> str:
    if high >= NO_BOUND:
        return f"≥ {low:g}"
    return f"≤ {high:g}" if not low else f"{low:g} to {high:g}"
