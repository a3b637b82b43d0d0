"""Training throughput of the bag-of-words model beside the same model in PyTorch, Keras and Flax.

  python -m benchmarks.sentiment                      vocabulary 20,000
  python -m benchmarks.sentiment --vocabulary=200k    or 2m: tables that a sparse update is for
  python -m benchmarks.sentiment --quick

All train summed embeddings with one linear layer on the same random bags by Adam. Words are drawn uniformly, which
is the hardest for a sparse update: hardly a row of a batch occurs twice. First all are started from the same parameters
and must give the same losses.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.limits import Cost, dense_layers, embedding
from benchmarks.measure import Contender, beside, describe_machine, parser, require_memory, save
from benchmarks.ours import BATCH, EngineTraining, first_losses, make_dataset, plain
from benchmarks.pages import add_differences, add_floors, page
from benchmarks.peers import bags
from configs import sentiment
from data import Dataset, TextSpec

WIDTH, BAG, ROUNDS = 64, 32, 7
OURS = "this project"
REFERENCE = "this project, vocabulary 20,000"
# vocabulary -> steps in a round of ours: sparse, dense. An epoch's own work, such as keeping the best parameters, is
# counted, so that its steps are to be as many as an epoch of so many words has.
VOCABULARIES = {"20k": (20_000, 500, 500), "200k": (200_000, 2000, 100), "2m": (2_000_000, 4000, 8)}
CHECKED_VOCABULARY, CHECKED_STEPS = 2000, 20


def main() -> None:
    """Checks that all learn the same, times them, and writes benchmarks/results/sentiment….{json,md}."""
    arguments = parser(__doc__)
    arguments.add_argument("--vocabulary", choices=VOCABULARIES, default="20k")
    options = arguments.parse_args()
    vocabulary, steps, dense_steps = VOCABULARIES[options.vocabulary]
    rounds, round_seconds = (3, 0.2) if options.quick else (ROUNDS if vocabulary < 10**6 else 5, 1.5)
    if options.quick:
        vocabulary, steps, dense_steps = vocabulary // 10, 20, 4

    differences = check_alike()
    data = make_bags(vocabulary, steps)
    costs = {sparse: _cost(data, vocabulary, sparse=sparse) for sparse in (False, True)}
    own = EngineTraining(make_config(), data)
    table = beside(
        (OURS, own), _groups(data, vocabulary, steps, dense_steps), rounds=rounds, round_seconds=round_seconds
    )
    add_differences(table, differences)
    add_floors(
        table, {name: costs[_is_sparse(name, own.updates_rows)] for name in table if name != REFERENCE}
    )
    machine = describe_machine()
    about = (
        f"Vocabulary {vocabulary:,}, width {WIDTH}, batch {BATCH}, bags of {BAG} words drawn uniformly, Adam, float32. "
        f"`this project` has optimizer.sparse=auto, as by default. Rows with a lazy or sparse update have the floor of "
        f"one ({_cost_words(costs[True])}), the others that of a dense one."
    )
    settings = {"vocabulary": vocabulary, "width": WIDTH, "batch": BATCH, "bag": BAG, "rounds": rounds}
    result = {"machine": machine, "settings": settings, "table": table}
    title = f"Sentiment, vocabulary {vocabulary:,}: training throughput"
    text = page(title, about, {"": table}, {"": BATCH}, rounds, machine)
    name = "sentiment" if options.vocabulary == "20k" else f"sentiment_{options.vocabulary}"
    save(name, result, text, quick=options.quick)


def make_config(sparse: str = "auto", dim: int = WIDTH) -> Any:
    """Returns the config that is trained: summed embeddings and one linear layer."""
    config = plain(sentiment.get_config("combiner=sum"), sparse=sparse)
    config.model.dim, config.model.hidden = dim, ()
    return config


def make_bags(vocabulary: int, steps: int, bag: int = BAG) -> Dataset:
    """Returns random bags for so many steps."""
    rng = np.random.default_rng(0)
    tokens = rng.integers(1, vocabulary, (steps * BATCH, bag), dtype=np.int32)
    targets = rng.integers(0, 2, steps * BATCH, dtype=np.int32)
    spec = TextSpec(num_slots=bag, vocab_size=vocabulary, classes=("a", "b"))
    return make_dataset("random bags", spec, {"tokens": tokens}, targets)


def check_alike() -> dict[str, float]:
    """Returns name -> the largest difference of a contender's losses from those of ours that update alike."""
    data = make_bags(CHECKED_VOCABULARY, CHECKED_STEPS)
    differences = {}
    losses = {}
    for mode in ("off", "lazy", "exact"):
        model, rows, losses[mode] = first_losses(make_config(mode), data)
    differences["this project, sparse=exact"] = float(np.abs(losses["exact"] - losses["off"]).max())
    for name, make in bags.contenders(data, CHECKED_VOCABULARY, WIDTH).items():
        if "compile" in name:
            continue  # the same loop, compiled; compiling it twice would take longer than timing it
        peer = make()
        bags.copy_into(peer, model)
        alike = "lazy" if "SparseAdam" in name else "off"
        differences[name] = float(np.abs(peer.losses(rows) - losses[alike]).max())
    return differences


def _groups(
    data: Dataset, vocabulary: int, steps: int, dense_steps: int
) -> list[dict[str, Callable[[], Contender]]]:
    """Returns all contenders but `this project`, in groups that fit in memory together."""
    table_bytes = 4 * vocabulary * WIDTH

    def ours(sparse: str, data: Dataset) -> Callable[[], Contender]:
        def make() -> Contender:
            require_memory(5 * table_bytes)  # parameters, two moments, best parameters, gradient
            return EngineTraining(make_config(sparse), data)

        return make

    def needing(make: Callable[[], Contender]) -> Callable[[], Contender]:
        def made() -> Contender:
            require_memory(6 * table_bytes)  # undonated: parameters and two moments, twice
            return make()

        return made

    off = {f"{OURS}, sparse=off": ours("off", make_bags(vocabulary, dense_steps))}
    sparse = {f"{OURS}, sparse={mode}": ours(mode, data) for mode in ("lazy", "exact")}
    if vocabulary > 20_000:
        reference = make_bags(20_000, steps)
        sparse[REFERENCE] = lambda: EngineTraining(make_config(), reference)
    peers = {name: needing(make) for name, make in bags.contenders(data, vocabulary, WIDTH).items()}
    # Compiled code brings its own pool of threads into the process, so it comes last.
    compiled = {name: peers.pop(name) for name in list(peers) if "compile" in name}
    if table_bytes < 2**28:
        return [off | sparse | peers, compiled]
    torch = {name: make for name, make in peers.items() if "PyTorch" in name}
    lean = {name: make for name, make in torch.items() if "SparseAdam" in name}
    dense = {name: make for name, make in torch.items() if name not in lean}
    return [
        sparse | lean,
        dense,
        off | {name: make for name, make in peers.items() if name not in torch},
        compiled,
    ]


def _is_sparse(name: str, ours_is: bool) -> bool:
    if name == OURS:
        return ours_is
    return "SparseAdam" in name or "sparse=lazy" in name or "sparse=exact" in name


def _cost(data: Dataset, vocabulary: int, *, sparse: bool) -> Cost:
    """Returns the cost of a step on the first batch."""
    different = len(np.unique(data.splits["train"].inputs["tokens"][:BATCH]))
    return embedding(vocabulary, WIDTH, different, sparse=sparse) + dense_layers(BATCH, (WIDTH, 2))


def _cost_words(cost: Cost) -> str:
    (rows,) = cost.rows
    return f"{rows.rows:,} different rows of {rows.width} numbers, moments included, gathered and scattered"


if __name__ == "__main__":
    main()
