"""Training throughput of the order task, with a GRU and a transformer layer, beside the same in PyTorch, Keras, Flax.

  python -m benchmarks.order
  python -m benchmarks.order --quick

An embedding, the combiner (configs/order.py:combiner=gru and combiner=transformer), a hidden layer of 64, two classes,
Adam, on random sentences that are all equally long, so that no peer needs packing or a mask. The peers are each
library's own GRU and transformer layer or attention, normalised first, with learned positions and the mean over words.
What some have and ours have not, the second bias of a GRU and the biases in attention, stays at zero and is not
trained. First all are started from the same parameters and must give the same losses.
"""

from typing import Any

import numpy as np

from benchmarks.limits import Cost, dense_layers, embedding, gru, transformer
from benchmarks.measure import beside, describe_machine, parser, save
from benchmarks.ours import BATCH, EngineTraining, first_losses, make_dataset, plain
from benchmarks.pages import add_differences, add_floors, page
from benchmarks.peers import sentences
from configs import order
from data import Dataset, TextSpec

VOCABULARY, WIDTH, LENGTH, HIDDEN, HEADS = 6000, 64, 32, 64, 4
STEPS, ROUNDS, CHECKED_STEPS = 100, 7, 20
SIZES = sentences.Sizes(vocabulary=VOCABULARY, width=WIDTH, length=LENGTH, hidden=HIDDEN, heads=HEADS)
OURS = "this project"


def main() -> None:
    """Checks that all learn the same, times them, and writes benchmarks/results/order.{json,md}."""
    quick = parser(__doc__).parse_args().quick
    steps, rounds, round_seconds = (5, 3, 0.2) if quick else (STEPS, ROUNDS, 1.5)
    tables = {}
    for heading, combiner in {"GRU": "gru", "Transformer": "transformer"}.items():
        config, data = make_config(combiner), make_sentences(steps)
        differences = _differences(config, combiner)
        own = EngineTraining(config, data)
        peers = sentences.contenders(data, combiner, SIZES)
        # Compiled code brings its own pool of threads into the process, so it comes last.
        groups = [
            {name: make for name, make in peers.items() if ("compile" in name) == last}
            for last in (False, True)
        ]
        table = beside((OURS, own), groups, rounds=rounds, round_seconds=round_seconds)
        add_differences(table, differences)
        cost = _cost(combiner, data)
        add_floors(table, dict.fromkeys(table, cost))
        tables[heading] = table
    machine = describe_machine()
    about = (
        f"Vocabulary {VOCABULARY:,}, width {WIDTH}, batch {BATCH}, sentences of {LENGTH} words, a hidden layer of "
        f"{HIDDEN}, Adam, float32. The second bias of PyTorch's and Keras's GRU and the biases in PyTorch's attention "
        "stay at zero, since ours has none."
    )
    settings = {"vocabulary": VOCABULARY, "width": WIDTH, "batch": BATCH, "length": LENGTH, "rounds": rounds}
    batches = dict.fromkeys(tables, BATCH)
    text = page("Order: training throughput", about, tables, batches, rounds, machine)
    save("order", {"machine": machine, "settings": settings, "tables": tables}, text, quick=quick)


def make_config(combiner: str) -> Any:
    """Returns the config that is trained with one of the two combiners."""
    config = plain(order.get_config(f"combiner={combiner}"))
    config.model.dim, config.model.hidden = WIDTH, (HIDDEN,)
    return config


def make_sentences(steps: int) -> Dataset:
    """Returns random sentences for so many steps."""
    rng = np.random.default_rng(0)
    tokens = rng.integers(1, VOCABULARY, (steps * BATCH, LENGTH), dtype=np.int32)
    targets = rng.integers(0, 2, steps * BATCH, dtype=np.int32)
    spec = TextSpec(num_slots=LENGTH, vocab_size=VOCABULARY, classes=("a", "b"))
    return make_dataset("random sentences", spec, {"tokens": tokens}, targets)


def _cost(combiner: str, data: Dataset) -> Cost:
    different = len(np.unique(data.splits["train"].inputs["tokens"][:BATCH]))
    encoder = (
        gru(BATCH, LENGTH, WIDTH)
        if combiner == "gru"
        else transformer(BATCH, LENGTH, WIDTH, HEADS, 4 * WIDTH)
    )
    rest = dense_layers(BATCH, (WIDTH, HIDDEN, 2)) + embedding(VOCABULARY, WIDTH, different, sparse=False)
    return encoder + rest


def _differences(config: Any, combiner: str) -> dict[str, float]:
    """Returns name -> the largest difference of a peer's losses from ours, from one start on the same batches."""
    data, differences = make_sentences(CHECKED_STEPS), {}
    ours, rows, losses = first_losses(config, data)
    for name, make in sentences.contenders(data, combiner, SIZES).items():
        if "compile" in name:
            continue  # the same loop, compiled
        peer = make()
        sentences.copy_into(peer, ours)
        differences[name] = float(np.abs(peer.losses(rows) - losses).max())
    return differences


if __name__ == "__main__":
    main()
