"""What the machine allows: measured rates of matrix products, memory and rows, and the floor that they set for a step.

  python -m benchmarks.limits           measures the rates alone and writes benchmarks/results/limits.{json,md}

The floor of a task is the time that its step needs for three things alone, one after the other, each at the best rate
that any library here reaches on the very sizes of the task:

  floor = Σ_products 2·m·k·n / sgemm(m, k, n)  +  bytes / bandwidth(working set)  +  rows read and written one by one

A product [m, k] × [k, n] counts with its two gradients where they are needed. Bytes are the optimiser's over dense
parameters: Adam reads parameter, gradient and both moments and writes all but the gradient, 7 passes or 28 bytes a
number; over an embedding table 24, because the gradient of nearly all rows is zero and need not be stored. A sparse
update of R different rows gathers and scatters R rows, three times as wide for the moments, instead. Activations, the
order of the examples, softmax and recurrence cost nothing here, so a floor is low rather than high. What overlaps may
beat it.
"""

import dataclasses
import functools
import itertools
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.measure import describe_machine, machine_line, parser, save

REPEATS, LEAST_SECONDS = 5, 0.03
Product = tuple[int, int, int]  # m, k, n of [m, k] x [k, n]
LARGEST = 2**30  # bytes of a working set: far outside of any cache

_BYTES = 4  # of a float32
_ADAM_PASSES, _ADAM_PASSES_WITHOUT_GRADIENT = 7, 6
_ADAM_TABLES = 3  # parameters and both moments


@dataclasses.dataclass(frozen=True)
class Rows:
    """Rows that a step reads and writes one by one.

    Attributes:
      table_rows: of each table.
      width: numbers in a row.
      rows: of a step, different ones.
      gathers: tables that they are read from.
      scatters: tables that they are written to.
    """

    table_rows: int
    width: int
    rows: int
    gathers: int
    scatters: int


@dataclasses.dataclass(frozen=True)
class Cost:
    """What a step cannot do without.

    Attributes:
      products: matrix products, gradients included.
      stream_bytes: that the optimiser moves over dense parameters.
      working_set: bytes of the arrays that it goes through, which decide on the level of memory.
      rows: that are looked up.
    """

    products: tuple[Product, ...] = ()
    stream_bytes: int = 0
    working_set: int = 0
    rows: tuple[Rows, ...] = ()

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(
            self.products + other.products,
            self.stream_bytes + other.stream_bytes,
            self.working_set + other.working_set,
            self.rows + other.rows,
        )


class Rates(Protocol):
    """What a machine does in a second; `Machine` measures it."""

    def sgemm(self, product: Product) -> float:
        """Returns floating-point operations per second of a product."""

    def bandwidth(self, working_set: int) -> float:
        """Returns bytes per second, read or written, over arrays of so many bytes in all."""

    def row_seconds(self, table_rows: int, width: int, rows: int) -> tuple[float, float]:
        """Returns the seconds that gathering and scattering so many random rows take."""


def floor(cost: Cost, rates: Rates) -> dict[str, float]:
    """Returns the seconds of a step: of its "products", its "optimiser", its "rows", and the "total"."""
    products = sum(2 * m * k * n / rates.sgemm((m, k, n)) for m, k, n in cost.products)
    optimiser = cost.stream_bytes / rates.bandwidth(cost.working_set) if cost.stream_bytes else 0.0
    rows = 0.0
    for part in cost.rows:
        gather, scatter = rates.row_seconds(part.table_rows, part.width, part.rows)
        rows += part.gathers * gather + part.scatters * scatter
    return {
        "products": products,
        "optimiser": optimiser,
        "rows": rows,
        "total": products + optimiser + rows,
    }


def trained_product(m: int, k: int, n: int, *, input_gradient: bool = True) -> tuple[Product, ...]:
    """Returns [m, k] × [k, n] with the products of its gradients by the weights and, if needed, by the input."""
    return ((m, k, n), (k, m, n), *(((m, n, k),) if input_gradient else ()))


def dense_adam(numbers: int) -> Cost:
    """Returns what Adam moves over dense parameters."""
    return Cost(
        stream_bytes=_ADAM_PASSES * _BYTES * numbers, working_set=(_ADAM_TABLES + 1) * _BYTES * numbers
    )


def embedding(table_rows: int, width: int, rows: int, *, sparse: bool) -> Cost:
    """Returns what looking up different rows and updating them by Adam moves: of these rows, or of the whole table."""
    if sparse:
        # Moments beside the vector: reading one long row is faster than three short ones.
        return Cost(rows=(Rows(table_rows, _ADAM_TABLES * width, rows, gathers=1, scatters=1),))
    numbers = table_rows * width
    return Cost(
        stream_bytes=_ADAM_PASSES_WITHOUT_GRADIENT * _BYTES * numbers,
        working_set=_ADAM_TABLES * _BYTES * numbers,
        rows=(Rows(table_rows, width, rows, gathers=1, scatters=0),),
    )


def dense_layers(
    batch: int, widths: Sequence[int], *, read_inputs: int | None = None, input_gradient: bool = True
) -> Cost:
    """Returns the cost of linear layers and of their Adam.

    Args:
      batch: examples.
      widths: of the input, the hidden layers and the output.
      read_inputs: how many of the inputs go into the first product; the others are known to be zero. None = all.
      input_gradient: whether what comes in has a gradient.
    """
    numbers = sum((m + 1) * n for m, n in itertools.pairwise(widths))
    read = [read_inputs or widths[0], *widths[1:]]
    cost = dense_adam(numbers)
    for layer, (m, n) in enumerate(itertools.pairwise(read)):
        cost += Cost(products=trained_product(batch, m, n, input_gradient=layer > 0 or input_gradient))
    return cost


def gru(batch: int, length: int, width: int) -> Cost:
    """Returns the cost of a GRU: the maps of all inputs at once, those of the states one step after the other."""
    products = trained_product(batch * length, width, 3 * width)
    # The gradient of the recurrent weights can be one product over all steps.
    per_step = ((batch, width, 3 * width), (batch, 3 * width, width)) * length
    over_all = ((width, batch * length, 3 * width),)
    return dense_adam(3 * width * (2 * width + 1)) + Cost(products=products + per_step + over_all)


def transformer(batch: int, length: int, width: int, heads: int, hidden: int) -> Cost:
    """Returns the cost of an encoder layer; attention's many small products count as one tall one."""
    tokens = batch * length
    products = trained_product(tokens, width, 3 * width)
    products += trained_product(tokens * heads, width // heads, length)
    products += trained_product(tokens * heads, length, width // heads)
    products += trained_product(tokens, width, width)
    products += trained_product(tokens, width, hidden) + trained_product(tokens, hidden, width)
    numbers = 4 * width**2 + 2 * width * hidden + hidden + 5 * width + length * width
    return dense_adam(numbers) + Cost(products=products)


class Machine:
    """Measures rates when they are asked for, each once: the best repeat of the best library."""

    @functools.cache  # noqa: B019  one machine lives as long as the process
    def sgemm(self, product: Product) -> float:
        """Returns FLOP/s, the best of NumPy, PyTorch and XLA."""
        m, k, n = product
        seconds = min(_best_seconds(work) for work in _product_works(m, k, n))
        return 2 * m * k * n / seconds

    @functools.cache  # noqa: B019
    def bandwidth(self, working_set: int) -> float:
        """Returns bytes/s, the best of scaling an array in place and of a triad, by PyTorch and XLA."""
        size = max(2**12, min(LARGEST, working_set))
        return max(moved / _best_seconds(work) for moved, work in _stream_works(size))

    @functools.cache  # noqa: B019
    def row_seconds(self, table_rows: int, width: int, rows: int) -> tuple[float, float]:
        """Returns seconds, the best of NumPy, PyTorch and XLA, the tables of the optimiser as large as the model's."""
        ids = np.random.default_rng(0).choice(table_rows, min(rows, table_rows), replace=False)
        gathers, scatters = _row_works(table_rows, width, ids)
        return min(map(_best_seconds, gathers)), min(map(_best_seconds, scatters))


def _best_seconds(work: Callable[[], Any]) -> float:
    """Returns the least seconds of a call, over repeats that are each long enough to time."""
    work()
    began = time.perf_counter()
    work()
    calls = max(1, round(LEAST_SECONDS / max(1e-7, time.perf_counter() - began)))
    best = float("inf")
    for _ in range(REPEATS):
        began = time.perf_counter()
        for _ in range(calls):
            work()
        best = min(best, (time.perf_counter() - began) / calls)
    return best


def _torch() -> Any:
    """Returns PyTorch and the device that JAX uses too, or None where one is missing."""
    try:
        import torch

        from benchmarks.peers.torch_loop import torch_device

        return torch, torch_device()
    except Exception:  # not installed, or without this accelerator: the others measure
        return None


def _synchronised(torch: Any, device: Any, work: Callable[[], Any]) -> Callable[[], Any]:
    if device.type == "cpu":
        return work

    def run() -> None:
        work()
        torch.cuda.synchronize()

    return run


def _product_works(m: int, k: int, n: int) -> list[Callable[[], Any]]:
    rng = np.random.default_rng(0)
    a, b = rng.random((m, k), np.float32), rng.random((k, n), np.float32)
    left, right = jnp.asarray(a), jnp.asarray(b)
    product = jax.jit(jnp.matmul)
    works = [lambda: product(left, right).block_until_ready()]
    if jax.default_backend() == "cpu":
        out = np.empty((m, n), np.float32)
        works.append(lambda: np.matmul(a, b, out=out))
    if found := _torch():
        torch, device = found
        x, y = (torch.from_numpy(array).to(device) for array in (a, b))
        z = torch.empty(m, n, device=device)
        works.append(_synchronised(torch, device, lambda: torch.mm(x, y, out=z)))
    return works


def _stream_works(size: int) -> list[tuple[int, Callable[[], Any]]]:
    """Returns (bytes moved, work) over arrays of `size` bytes in all."""
    numbers, third = size // _BYTES, size // _BYTES // 3
    scale = jax.jit(lambda x: x * jnp.float32(0.999), donate_argnums=0)
    array = [jnp.ones(numbers, jnp.float32)]

    def in_place() -> None:
        array[0] = scale(array[0]).block_until_ready()

    works: list[tuple[int, Callable[[], Any]]] = [(2 * _BYTES * numbers, in_place)]
    if found := _torch():
        torch, device = found
        x, y, z, whole = (torch.ones(length, device=device) for length in (third, third, third, numbers))
        works.append((2 * _BYTES * numbers, _synchronised(torch, device, lambda: whole.mul_(0.999))))
        triad = _synchronised(torch, device, lambda: torch.add(x, y, alpha=0.5, out=z))
        works.append((3 * _BYTES * third, triad))
    return works


def _row_works(
    table_rows: int, width: int, ids: np.ndarray
) -> tuple[list[Callable[[], Any]], list[Callable[[], Any]]]:
    """Returns ways to gather, and ways to scatter."""
    where = jnp.asarray(ids, jnp.int32)
    rows = jnp.ones((len(ids), width), jnp.float32)
    # One table for all: each library writes into memory that it owns, so they take turns with it as an array.
    table = [jnp.zeros((table_rows, width), jnp.float32)]
    take = jax.jit(lambda table, ids: table.at[ids].get(mode="promise_in_bounds"))
    put = jax.jit(
        lambda table, ids, rows: table.at[ids].set(rows, mode="promise_in_bounds", unique_indices=True),
        donate_argnums=0,
    )

    def scatter() -> None:
        table[0] = put(table[0], where, rows).block_until_ready()

    gathers: list[Callable[[], Any]] = [lambda: take(table[0], where).block_until_ready()]
    scatters: list[Callable[[], Any]] = [scatter]
    if found := _torch():
        torch, device = found
        theirs = torch.zeros(table_rows, width, device=device)
        index = torch.from_numpy(ids).long().to(device)
        values = torch.ones(len(ids), width, device=device)
        out = torch.empty(len(ids), width, device=device)
        gathers.append(_synchronised(torch, device, lambda: torch.index_select(theirs, 0, index, out=out)))
        scatters.append(_synchronised(torch, device, lambda: theirs.index_copy_(0, index, values)))
    return gathers, scatters


def main() -> None:
    """Measures the rates and writes benchmarks/results/limits.{json,md}."""
    quick = parser(__doc__).parse_args().quick
    products = [(128, 784, 512), (784, 128, 512), (128, 512, 10), (4096, 64, 192), (4096, 64, 256)]
    products += [(512,) * 3] if quick else [(1024,) * 3, (2048,) * 3]
    sizes = [2**20, 2**24] if quick else [2**18, 2**20, 2**23, 2**25, 2**27, 2**30]
    tables = [(20_000, 192)] if quick else [(20_000, 192), (200_000, 192), (2_000_000, 192)]
    rates, machine = Machine(), describe_machine()
    result = {
        "machine": machine,
        "gflops": {" x ".join(map(str, p)): rates.sgemm(p) / 1e9 for p in products},
        "gigabytes_per_second": {f"{size / 2**20:g} MiB": rates.bandwidth(size) / 1e9 for size in sizes},
        "rows": {},
    }
    for rows, width in tables:
        gather, scatter = rates.row_seconds(rows, width, 4096)
        result["rows"][f"{rows:,} x {width}"] = {"gather_ms": 1e3 * gather, "scatter_ms": 1e3 * scatter}
    save("limits", result, _page(result), quick=quick)


def _page(result: dict[str, Any]) -> str:
    lines = [
        "# What the machine allows",
        "",
        f"The best of {REPEATS} repeats of the best of NumPy's BLAS, PyTorch and XLA, float32.",
        "",
        "| product, m × k × n | GFLOP/s |",
        "|---|---:|",
        *(f"| {name.replace('x', '×')} | {value:,.0f} |" for name, value in result["gflops"].items()),
        "",
        "| working set | GB/s, reads and writes |",
        "|---|---:|",
        *(f"| {name} | {value:,.1f} |" for name, value in result["gigabytes_per_second"].items()),
        "",
        "| 4,096 random rows of a table of | gather, ms | scatter, ms |",
        "|---|---:|---:|",
        *(
            f"| {name.replace('x', '×')} | {row['gather_ms']:.3f} | {row['scatter_ms']:.3f} |"
            for name, row in result["rows"].items()
        ),
        "",
        machine_line(result["machine"]),
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
