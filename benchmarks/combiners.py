"""Time per call of every combiner, forward and with its gradient, beside `sum`; the simplest beside hand-written jnp.

python -m benchmarks.combiners
python -m benchmarks.combiners --quick    three of them, few rounds
"""

import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from rich.console import Console
from rich.progress import track

from benchmarks.measure import alternate, compare, describe_machine, machine_line, parser, save
from combiners import COMBINERS, make_combiner

BATCH, NUM_VECTORS, DIM = 1024, 16, 64
ROUNDS, ROUND_SECONDS = 9, 0.05
FINE_ROUNDS = 51  # where a difference of a few percent is to be seen
LENGTHS, NUMBERS = (
    (16, 64, 256, 1024),
    2**20,
)  # bags whose product's gradient is timed, each time as many numbers in all

Call = Callable[..., jax.Array]  # (parameters, x, mask, weights) -> y


def main() -> None:
    """Times them all and writes benchmarks/results/combiners.{json,md}."""
    quick = parser(__doc__).parse_args().quick
    rounds, fine_rounds = (2, 2) if quick else (ROUNDS, FINE_ROUNDS)
    console = Console(stderr=True)
    chosen = ("sum", "mean", "attention") if quick else COMBINERS
    names = track(chosen, "combiners", console=console, disable=not console.is_terminal)
    table = {name: _beside_sum(name, rounds) for name in names}
    hand_written = {name: _beside_hand_written(name, fine_rounds) for name in _HAND_WRITTEN}
    lengths = _product_gradient(rounds)
    result = {
        "machine": describe_machine(),
        "settings": {
            "batch": BATCH,
            "num_vectors": NUM_VECTORS,
            "dim": DIM,
            "rounds": rounds,
            "fine_rounds": fine_rounds,
        },
        "table": table,
        "hand_written": hand_written,
        "product_gradient": lengths,
    }
    save("combiners", result, _markdown(result), quick=quick)


def _bags(n: int, batch: int = BATCH) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Returns vectors, a mask that hides an eighth of them, and positive weights."""
    keys = jax.random.split(jax.random.key(0), 3)
    x = 1 + 0.1 * jax.random.normal(keys[0], (batch, n, DIM))
    mask = jax.random.bernoulli(keys[1], 7 / 8, (batch, n))
    return x, mask, jax.random.uniform(keys[2], (batch, n), minval=0.5, maxval=2.0)


def _call_of(name: str, n: int) -> tuple[Call, Any]:
    """Returns a combiner as a function of its parameters, and these."""
    graphdef, parameters, rest = nnx.split(
        make_combiner(name, num_vectors=n, dim=DIM, rngs=nnx.Rngs(0)), nnx.Param, ...
    )

    def call(parameters: Any, x: jax.Array, mask: jax.Array, weights: jax.Array | None) -> jax.Array:
        return nnx.merge(graphdef, parameters, rest)(x, mask, weights)

    return call, parameters


def _works(
    call: Call, parameters: Any, n: int, *, weighted: bool, batch: int = BATCH
) -> dict[str, Callable[[], Any]]:
    """Returns "forward" and "backward": the compiled call alone, and the value with its gradient."""
    x, mask, weights = _bags(n, batch)
    weights = weights if weighted else None

    # The direction of the gradient is an input: as a constant it would be folded into some programs and not others.
    g = jax.random.normal(jax.random.key(1), jax.eval_shape(call, parameters, x, mask, weights).shape)

    @jax.jit
    def backward(
        parameters: Any, x: jax.Array, mask: jax.Array, weights: jax.Array | None, g: jax.Array
    ) -> Any:
        y, pull_back = jax.vjp(lambda p, x, weights: call(p, x, mask, weights), parameters, x, weights)
        return y, pull_back(g)

    forward = jax.jit(call)
    return {
        "forward": lambda: jax.block_until_ready(forward(parameters, x, mask, weights)),
        "backward": lambda: jax.block_until_ready(backward(parameters, x, mask, weights, g)),
    }


def _repeats(works: dict[str, Callable[[], Any]]) -> int:
    """Returns how many calls make a round long enough to time, from the fastest contender."""
    fastest = float("inf")
    for work in works.values():
        work()
        began = time.perf_counter()
        work()
        fastest = min(fastest, time.perf_counter() - began)
    return max(1, min(100, round(ROUND_SECONDS / fastest / len(works))))


def _milliseconds(contenders: dict[str, Callable[[], Any]], rounds: int) -> dict[str, dict[str, float]]:
    """Returns, for each of two contenders, the median milliseconds per call and how many times `peer`'s that is."""
    repeats = _repeats(contenders)

    def repeated(work: Callable[[], Any]) -> Callable[[], None]:
        def run() -> None:
            for _ in range(repeats):
                work()

        return run

    compared = compare(
        alternate({name: repeated(work) for name, work in contenders.items()}, rounds), ours="peer"
    )
    return {
        name: {"milliseconds": 1e3 * row["median_seconds"] / repeats, "times": row["ratio"]}
        for name, row in compared.items()
    }


def _compare(
    ours: dict[str, Callable[[], Any]], peers: dict[str, Callable[[], Any]], rounds: int
) -> dict[str, Any]:
    rows = {
        what: _milliseconds({"peer": peers[what], "ours": ours[what]}, rounds)
        for what in ("forward", "backward")
    }
    return {
        what: {**row["ours"], "peer_milliseconds": row["peer"]["milliseconds"]} for what, row in rows.items()
    }


def _beside_sum(name: str, rounds: int) -> dict[str, Any]:
    """Times one combiner beside `sum` on the same vectors: {"forward": …, "backward": …}, or {"reason": …}."""
    n = COMBINERS[name].arity or NUM_VECTORS
    try:
        ours = _works(*_call_of(name, n), n, weighted=False)
    except ValueError as refusal:
        return {"reason": str(refusal)}
    return {"num_vectors": n, **_compare(ours, _works(*_call_of("sum", n), n, weighted=False), rounds)}


def _masked_sum(_: Any, x: jax.Array, mask: jax.Array, weights: jax.Array | None) -> jax.Array:
    del weights
    return jnp.sum(jnp.where(mask[..., None], x, 0), axis=-2)


def _masked_mean(_: Any, x: jax.Array, mask: jax.Array, weights: jax.Array | None) -> jax.Array:
    count = jnp.maximum(jnp.sum(mask, axis=-1, keepdims=True), 1)
    return _masked_sum(_, x, mask, weights) / count


def _masked_max(_: Any, x: jax.Array, mask: jax.Array, weights: jax.Array | None) -> jax.Array:
    del weights
    y = jnp.max(jnp.where(mask[..., None], x, -jnp.inf), axis=-2)
    return jnp.where(jnp.any(mask, axis=-1, keepdims=True), y, 0)


def _weighted_bag(_: Any, x: jax.Array, mask: jax.Array, weights: jax.Array | None) -> jax.Array:
    return jnp.einsum("bn,bnd->bd", jnp.where(mask, weights, 0), jnp.where(mask[..., None], x, 0))


# What a user would write without this library: name -> (combiner, function, whether weighted).
_HAND_WRITTEN: dict[str, tuple[str, Call, bool]] = {
    "sum": ("sum", _masked_sum, False),
    "mean": ("mean", _masked_mean, False),
    "max": ("max", _masked_max, False),
    "weighted bag": ("sum", _weighted_bag, True),
}


def _beside_hand_written(name: str, rounds: int) -> dict[str, Any]:
    combiner, function, weighted = _HAND_WRITTEN[name]
    ours = _works(*_call_of(combiner, NUM_VECTORS), NUM_VECTORS, weighted=weighted)
    return _compare(ours, _works(function, None, NUM_VECTORS, weighted=weighted), rounds)


def _product_gradient(rounds: int) -> dict[int, dict[str, float]]:
    """Times the product with its gradient, and the sum, on as many numbers cut into shorter or longer bags."""
    rows = {}
    for n in LENGTHS:
        batch = NUMBERS // (n * DIM)
        ours, peer = (
            _works(*_call_of(name, n), n, weighted=False, batch=batch)["backward"]
            for name in ("product", "sum")
        )
        rows[n] = {"batch": batch, **_milliseconds({"peer": peer, "ours": ours}, rounds)["ours"]}
    return rows


def _markdown(result: dict[str, Any]) -> str:
    def cells(row: dict[str, Any]) -> str:
        return " | ".join(
            f"{row[w]['milliseconds']:.2f} | {row[w]['times']:.2f}x" for w in ("forward", "backward")
        )

    lengths, settings = result["product_gradient"], result["settings"]
    lines = [
        "# Combiners: time per call",
        "",
        f"A batch of {BATCH:,} bags of {NUM_VECTORS} vectors (2 where the arity is 2) of width {DIM}, float32, an "
        f"eighth masked, jitted; medians of {settings['rounds']} alternating rounds in one process. With gradient: by "
        "the vectors, the parameters and the weights.",
        "",
        "## Beside the same by hand in jnp",
        "",
        f"Medians of {settings['fine_rounds']} rounds here.",
        "",
        "| | forward ms | times by hand | with gradient ms | times by hand |",
        "|---|---:|---:|---:|---:|",
        *(f"| {name} | {cells(row)} |" for name, row in result["hand_written"].items()),
        "",
        "## Beside `sum` on the same vectors",
        "",
        "| | vectors | forward ms | times `sum` | with gradient ms | times `sum` |",
        "|---|---:|---:|---:|---:|---:|",
        *(
            f"| `{name}` | {row['num_vectors']} | {cells(row)} |"
            if "reason" not in row
            else f"| `{name}` | {row['reason']} | | | | |"
            for name, row in result["table"].items()
        ),
        "",
        "## The product's gradient grows as n does",
        "",
        f"The product with its gradient on {NUMBERS:,} numbers, cut into fewer and longer bags: O(n) work leaves the "
        "time as it is, O(n²) would quadruple it from column to column.",
        "",
        f"| n | {' | '.join(map(str, lengths))} |",
        f"|---|{'---:|' * len(lengths)}",
        f"| ms | {' | '.join(format(row['milliseconds'], '.2f') for row in lengths.values())} |",
        f"| times `sum` | {' | '.join(format(row['times'], '.2f') for row in lengths.values())} |",
    ]
    return "\n".join([*lines, "", machine_line(result["machine"]), ""])


if __name__ == "__main__":
    main()
