"""How a step's time grows with vocabulary, width, bag length, seeds and examples, and where rows beat whole tables.

  python -m benchmarks.growth
  python -m benchmarks.growth --quick

The bag-of-words model of benchmarks/sentiment.py with the default optimizer.sparse=auto; one thing is varied at a time.
Then optimizer.sparse=off beside exact, over vocabularies: from where on the latter is faster is what auto has to know.
All points of a line are timed in turn, so that a machine whose speed drifts treats them alike.
"""

import dataclasses
import gc
import statistics
from typing import Any

import matplotlib
from matplotlib.ticker import LogLocator

from analysis.report import drawing
from benchmarks.measure import (
    alternate,
    compare,
    describe_machine,
    device_suffix,
    machine_line,
    memory_left,
    parser,
    results_folder,
    save,
)
from benchmarks.ours import BATCH, EngineTraining
from benchmarks.pages import milliseconds, ratio
from benchmarks.sentiment import BAG, WIDTH, make_bags, make_config
from data.atomic import write_bytes

ROUNDS = 5


@dataclasses.dataclass(frozen=True)
class Point:
    """One training that is timed.

    Attributes:
      vocabulary: rows of the table.
      width: of a row.
      bag: words of an example.
      seeds: in one program.
      steps: of an epoch.
      sparse: optimizer.sparse.
    """

    vocabulary: int = 20_000
    width: int = WIDTH
    bag: int = BAG
    seeds: int = 1
    steps: int = 300
    sparse: str = "auto"

    @property
    def examples(self) -> int:
        """Examples of an epoch."""
        return self.steps * BATCH

    @property
    def num_bytes(self) -> int:
        """Memory of its training, about: parameters, two moments, the best parameters, and a copy."""
        return 5 * 4 * self.seeds * self.vocabulary * self.width


# What is varied -> its points. More steps where the work of an epoch, which grows with the table, is to be small.
LINES = {
    "vocabulary": tuple(Point(vocabulary=v, steps=2000) for v in (20_000, 200_000, 2_000_000)),
    "width": tuple(Point(width=w) for w in (16, 32, 64, 128, 256)),
    "bag": tuple(Point(bag=b) for b in (8, 16, 32, 64, 128)),
    "seeds": tuple(Point(seeds=s, steps=40) for s in (1, 8, 64)),
    "examples": tuple(Point(steps=s) for s in (8, 64, 512, 4096)),
}
QUICK_LINES = {
    "vocabulary": tuple(Point(vocabulary=v, steps=10) for v in (2000, 20_000)),
    "width": tuple(Point(vocabulary=2000, width=w, steps=10) for w in (16, 32)),
    "seeds": tuple(Point(vocabulary=2000, seeds=s, steps=5) for s in (1, 2)),
}
# Rows of the table for every row that a step looks up.
TIMES_LOOKED_UP, QUICK_TIMES_LOOKED_UP = (2, 4, 8, 12, 16, 24, 32), (1, 2)
LABELS = {
    "vocabulary": "words in the vocabulary",
    "width": "width of an embedding",
    "bag": "words in a bag",
    "seeds": "seeds in one program",
    "examples": "examples in an epoch",
}


def main() -> None:
    """Times them all and writes benchmarks/results/growth.{json,md,png}."""
    quick = parser(__doc__).parse_args().quick
    lines = {
        name: _measure(name, points, 2 if quick else ROUNDS)
        for name, points in (QUICK_LINES if quick else LINES).items()
    }
    crossing = _cross(QUICK_TIMES_LOOKED_UP if quick else TIMES_LOOKED_UP, 2 if quick else ROUNDS)
    machine = describe_machine()
    result = {"machine": machine, "lines": lines, "crossing": crossing}
    save("growth", result, _page(result), quick=quick)
    write_bytes(results_folder(quick) / f"growth{device_suffix()}.png", _figure(lines))


def _measure(name: str, points: tuple[Point, ...], rounds: int) -> list[dict[str, Any]]:
    """Returns for every point its value on the axis and the milliseconds of every round, per step of a seed."""
    trainings = {}
    for point in points:
        if point.num_bytes < memory_left():
            data = make_bags(point.vocabulary, point.steps, point.bag)
            trainings[point] = EngineTraining(make_config(point.sparse, dim=point.width), data, point.seeds)
    seconds = alternate({str(i): _epoch(training) for i, training in enumerate(trainings.values())}, rounds)
    rows = []
    for point, values in zip(trainings, seconds.values(), strict=True):
        per_step = [value / (point.steps * point.seeds) for value in values]
        rows.append({**dataclasses.asdict(point), "value": getattr(point, name), "seconds": per_step})
    rows += [
        {**dataclasses.asdict(point), "value": getattr(point, name), "reason": "does not fit in memory"}
        for point in points
        if point not in trainings
    ]
    del trainings
    gc.collect()
    return rows


def _cross(times: tuple[int, ...], rounds: int) -> list[dict[str, Any]]:
    """Returns, for tables of so many times the rows that a step looks up, what whole tables take against rows."""
    rows = []
    for factor in times:
        vocabulary = factor * BATCH * BAG
        data = make_bags(vocabulary, 40)
        modes = {mode: EngineTraining(make_config(mode), data) for mode in ("off", "exact")}
        seconds = alternate({mode: _epoch(training) for mode, training in modes.items()}, rounds)
        compared = compare(seconds, "exact")
        medians = {mode: row["median_seconds"] / 40 for mode, row in compared.items()}
        rows.append({"times": factor, "vocabulary": vocabulary, "seconds": medians, **compared["off"]})
    return rows


def _epoch(training: EngineTraining) -> Any:
    return lambda: training.take(training.steps)


def _page(result: dict[str, Any]) -> str:
    lines = [
        "# How a step grows",
        "",
        f"The bag-of-words model; where nothing else is said a vocabulary of 20,000, width {WIDTH}, batch {BATCH}, "
        f"bags of {BAG}, one seed, Adam, optimizer.sparse=auto. Milliseconds per step and seed, the epoch's own work "
        "included: median of alternating rounds of one epoch (least to greatest). `times` is against the first row.",
        "",
        "| varied | value | steps in an epoch | ms per step and seed | times |",
        "|---|---:|---:|---:|---:|",
    ]
    for name, rows in result["lines"].items():
        first = rows[0]
        for row in rows:
            if "reason" in row:
                lines.append(f"| {LABELS[name]} | {row['value']:,} | | {row['reason']} | |")
                continue
            ratios = [a / b for a, b in zip(row["seconds"], first["seconds"], strict=True)]
            least, most = (milliseconds(of(row["seconds"])) for of in (min, max))
            cells = (
                LABELS[name],
                f"{row['value']:,}",
                f"{row['steps']:,}",
                f"{milliseconds(statistics.median(row['seconds']))} ({least} to {most})",
                f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})",
            )
            lines.append(f"| {' | '.join(cells)} |")
    lines += [
        "",
        "## Whole tables or rows",
        "",
        f"A step looks up {BATCH * BAG:,} rows; the ratio is that of optimizer.sparse=off to exact.",
        "",
        "| rows of the table | times those looked up | off, ms | exact, ms | exact is faster by (least to greatest) |",
        "|---:|---:|---:|---:|---:|",
    ]
    for row in result["crossing"]:
        off, exact = (milliseconds(row["seconds"][mode]) for mode in ("off", "exact"))
        lines.append(f"| {row['vocabulary']:,} | {row['times']} | {off} | {exact} | {ratio(row)} |")
    lines += ["", f"![How a step grows](growth{device_suffix()}.png)", "", machine_line(result["machine"])]
    return "\n".join([*lines, ""])


def _figure(lines: dict[str, list[dict[str, Any]]]) -> bytes:
    """Returns the figure: a panel for everything that is varied, both axes logarithmic."""
    matplotlib.use("Agg")
    figure = drawing.new_figure(1.9 * -(-len(lines) // 2))
    panels = figure.subplots(-(-len(lines) // 2), 2, squeeze=False, sharey=True).flat
    styles = drawing.make_styles(list(lines))
    for axes, (name, rows) in zip(panels, lines.items(), strict=False):
        style, shown = styles[name], [row for row in rows if "seconds" in row]
        x = [row["value"] for row in shown]
        y = [1e3 * statistics.median(row["seconds"]) for row in shown]
        low, high = ([1e3 * of(row["seconds"]) for row in shown] for of in (min, max))
        axes.fill_between(x, low, high, color=style.colour, alpha=0.2, linewidth=0)
        axes.plot(x, y, style.marker + style.line, color=style.colour)
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.minorticks_off()
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter(lambda value, _: drawing.short(value))
        axes.set_xticks(x, [drawing.short(value) for value in x])
        axes.set_xlabel(LABELS[name])
    for axes in list(figure.axes)[len(lines) :]:
        axes.set_axis_off()
    figure.supylabel("ms per step and seed")
    return drawing.to_png(figure)


if __name__ == "__main__":
    main()
