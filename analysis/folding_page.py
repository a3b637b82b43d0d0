"""Shows what folding a run came to: that it predicts the same, its size, and its speed."""

import statistics
from collections.abc import Mapping
from typing import Any

BYTES_PER_NUMBER = 4  # float32


def folding_page(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """Returns a page in Markdown.

    Args:
      before: results.json of the run that was folded.
      after: that of the summing run, with "folded_from".
    """
    origin = after["folded_from"]
    lines = [
        f"# {before['combiner']} folded into a sum",
        "",
        f"The run in `{origin['workdir']}` ({before['dataset']}, seeds {', '.join(map(str, before['seeds']))}), its "
        f"`{before['combiner']}` and the linear map behind it folded into the tables.",
        "",
        "## Predictions",
        "",
        "| split | predictions of all seeds | largest difference of an output | largest output | other answers |",
        "|---|---:|---:|---:|---:|",
    ]
    for split, found in origin["differences"].items():
        cells = [
            split,
            f"{found['predictions']:,}",
            f"{found['outputs']:.1e}",
            f"{found['largest_output']:.3g}",
        ]
        lines.append(f"| {' | '.join(cells)} | {found.get('different', '')} |")
    lines += ["", "## Size and speed", "", *_size_and_speed(before, after), ""]
    return "\n".join(lines)


def _size_and_speed(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    origin = after["folded_from"]
    speeds = origin["examples_per_second"]
    ratios = [new / old for new, old in zip(speeds["after"], speeds["before"], strict=True)]
    rows = [
        ("parameters of tables", *(f"{results['num_params']['embedding']:,}" for results in (before, after))),
        ("other parameters", *(f"{results['num_params']['other']:,}" for results in (before, after))),
        ("bytes", *(f"{BYTES_PER_NUMBER * results['num_params']['total']:,}" for results in (before, after))),
        ("numbers combined to", *(f"{results['combined_width']:,}" for results in (before, after))),
        (
            "operations per example",
            *(_flops(results.get("flops_per_example")) for results in (before, after)),
        ),
        (
            "examples per second",
            *(f"{statistics.median(speeds[name]):,.0f}" for name in ("before", "after")),
        ),
    ]
    return [
        f"| | {before['combiner']} | sum |",
        "|---|---:|---:|",
        *(f"| {' | '.join(row)} |" for row in rows),
        "",
        f"One seed, one call for {origin['batch']:,} examples, on {after['device']}: the sum is "
        f"{statistics.median(ratios):.2f} times as fast ({min(ratios):.2f} to {max(ratios):.2f} in {len(ratios)} "
        "rounds of both in turn).",
    ]


def _flops(count: float | None) -> str:
    return "" if count is None else f"{count:,.0f}"
