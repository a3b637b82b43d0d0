"""Many seeds in one program beside one seed after the other, in our own engine and in PyTorch, per seed and step.

  python -m benchmarks.seeds
  python -m benchmarks.seeds --quick

The bag-of-words model of benchmarks/sentiment.py. Of the loops over seeds one seed is run; the others would take as
long. On a GPU 1, 8, 64 and 256 seeds; on a CPU 8 and 64.
"""

from collections.abc import Callable

import jax
import torch

from benchmarks.measure import Contender, beside, describe_machine, machine_line, parser, require_memory, save
from benchmarks.ours import BATCH, EngineTraining
from benchmarks.pages import milliseconds, ratio, steps_sentence
from benchmarks.peers import bags
from benchmarks.sentiment import BAG, WIDTH, make_bags, make_config

VOCABULARY, ROUNDS = 20_000, 7
ALONE = "this project, one seed after the other"
PEERS = ("PyTorch eager, Adam", "PyTorch eager, Adam(fused=True)")


class PerSeed:
    """Many seeds of our engine, whose steps are counted once for each of them.

    Attributes:
      steps: of an epoch, times seeds.
      most_steps: the same.
    """

    def __init__(self, seeds: int, vocabulary: int, steps: int):
        require_memory(5 * 4 * seeds * vocabulary * WIDTH)
        self._training = EngineTraining(make_config(), make_bags(vocabulary, steps), seeds)
        self.steps = self.most_steps = seeds * steps

    def take(self, steps: int) -> None:
        """Trains all seeds for an epoch."""
        self._training.take(self._training.steps * steps // self.steps)


def main() -> None:
    """Times them and writes benchmarks/results/seeds.{json,md}."""
    quick = parser(__doc__).parse_args().quick
    vocabulary, rounds, round_seconds = (2000, 3, 0.2) if quick else (VOCABULARY, ROUNDS, 1.0)
    counts = (2, 4) if quick else (8, 64) if jax.default_backend() == "cpu" else (1, 8, 64, 256)
    steps = 5 if quick else 200

    def many(seeds: int) -> Callable[[], Contender]:
        # On a CPU seeds follow each other inside the program, and need fewer steps each to be timed.
        return lambda: PerSeed(seeds, vocabulary, max(5, steps // 8) if seeds > 8 else steps)

    ours = {f"this project, {seeds} seeds in one program": many(seeds) for seeds in counts}
    data = make_bags(vocabulary, steps)
    peers = bags.contenders(data, vocabulary, WIDTH)
    loops = {f"{name}, one seed after the other": peers[name] for name in PEERS}
    alone = EngineTraining(make_config(), data)
    table = beside((ALONE, alone), [{**ours, **loops}], rounds=rounds, round_seconds=round_seconds)
    machine = {**describe_machine(), "torch": torch.__version__}
    settings = {"vocabulary": vocabulary, "width": WIDTH, "batch": BATCH, "bag": BAG, "rounds": rounds}
    lines = [
        "# Many seeds: training throughput per seed",
        "",
        f"Vocabulary {vocabulary:,}, width {WIDTH}, batch {BATCH}, bags of {BAG}, Adam, float32. Milliseconds per step "
        "of one seed. Of loops over seeds one seed was run: the others take as long.",
        "",
        "| | ms per seed and step (least to greatest) | times as long as one seed after the other of ours |",
        "|---|---:|---:|",
    ]
    for name, row in table.items():
        if "reason" in row:
            lines.append(f"| {name} | left out: {row['reason']} | |")
            continue
        least, most = (milliseconds(of(row["seconds_per_step"])) for of in (min, max))
        lines.append(f"| {name} | {milliseconds(row['median_seconds'])} ({least} to {most}) | {ratio(row)} |")
    lines += ["", steps_sentence(table, rounds), "", machine_line(machine), ""]
    result = {"machine": machine, "settings": settings, "table": table}
    save("seeds", result, "\n".join(lines), quick=quick)


if __name__ == "__main__":
    main()
