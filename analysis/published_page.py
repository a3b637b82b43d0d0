"""The page of the published numbers: what was run with its verdict, and what was not with what it needs."""

from collections.abc import Mapping
from typing import Any


def published_page(content: Mapping[str, Any]) -> str:
    """Returns the Markdown of what `analysis.published.check_published` found."""
    entries = content["entries"]
    measured = {name: entry for name, entry in entries.items() if entry["outcome"] != "not run"}
    absent = {name: entry for name, entry in entries.items() if entry["outcome"] == "not run"}
    passed = sum(entry["outcome"] == "pass" for entry in measured.values())
    lines = [
        f"# {content['title']}",
        "",
        content["introduction"],
        "",
        f"{len(entries)} numbers: {passed} passed, {len(measured) - passed} failed, {len(absent)} not run.",
        "",
    ]
    if measured:
        lines += ["## Run", "", *_table(_run_header(), map(_run_row, measured.values())), ""]
        lines += [f"- {entry['finding']}: {entry['note']}" for entry in measured.values() if entry["note"]]
        lines += ["", *_provenance(measured), ""]
    if absent:
        header = ["finding", "published", "tolerance", "metric", "source", "what it needs"]
        rows = (
            [
                _cell(entry["finding"]),
                f"{entry['value']:g}",
                _allowed(entry),
                entry["metric"].replace("/", " "),
                _cell(entry["source"]),
                _cell(entry["reason"]),
            ]
            for entry in absent.values()
        )
        lines += ["## Not run", "", *_table(header, rows), ""]
    return "\n".join(lines)


def _run_header() -> list[str]:
    return ["finding", "published", "tolerance", "measured", "difference", "seeds", "verdict", "source"]


def _run_row(entry: Mapping[str, Any]) -> list[str]:
    measured = entry["measured"]
    mean, seeds = measured["mean"], len(measured["per_seed"])
    if mean is None:
        found, difference = "diverged", ""
    else:
        half = "" if measured["ci95"] is None else f" ± {measured['ci95'][1] - mean:.4f}"
        found, difference = f"{mean:.4f}{half}", f"{mean - entry['value']:+.4f}"
    outcome = entry["outcome"] if entry["outcome"] == "pass" else f"**{entry['outcome']}**"
    return [
        _cell(entry["finding"]),
        f"{entry['value']:g}",
        _allowed(entry),
        f"{found} ({entry['metric'].replace('/', ' ')})",
        difference,
        str(seeds),
        outcome,
        _cell(entry["source"]),
    ]


def _provenance(measured: Mapping[str, Mapping[str, Any]]) -> list[str]:
    header = ["entry", "examples (training / validation / test)", "parameters", "epochs", "seconds", "device"]
    rows = (
        [
            f"`{name}`",
            " / ".join(f"{entry['num_examples'][split]:,}" for split in ("train", "validation", "test")),
            f"{entry['num_params']:,}",
            str(entry["config"]["train"]["epochs"]),
            f"{entry['train_seconds']:.0f}",
            entry["device"],
        ]
        for name, entry in measured.items()
    )
    return _table(header, rows)


def _allowed(entry: Mapping[str, Any]) -> str:
    return f"{'±' if entry['relation'] == 'near' else '−'} {entry['tolerance']:g}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _table(header: list[str], rows: Any) -> list[str]:
    cells = (header, ["---"] * len(header), *rows)
    return [f"| {' | '.join(row)} |" for row in cells]
