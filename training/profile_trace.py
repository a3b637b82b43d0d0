"""Reads a trace of jax.profiler: which operations of compiled programs ran when, and what each of them is for.

The trace (XSpace, tsl/profiler/protobuf/xplane.proto) holds the programs themselves, so that an operation's name leads
to its instruction, and that to the primitive and the named scope it was traced from.
"""

import collections
import dataclasses
import heapq
import pathlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from jax.profiler import ProfileData

ROWS = "gather and scatter of rows"
PRODUCTS = "matrix products"
OPTIMISER = "optimiser"
RANDOM = "random numbers"
BATCHES = "order and examples of batches"
VALIDATION = "validation"
COPIES = "copies, slices and fills"
REST = "the rest: combiner, activations, loss"
LOOPS = "loops themselves"
OUTSIDE = "outside the program"
PURPOSES = (ROWS, PRODUCTS, OPTIMISER, RANDOM, BATCHES, VALIDATION, COPIES, REST, LOOPS, OUTSIDE)

# Named scopes of the engine (jax.named_scope), and the purposes that they give to all operations in them.
_SCOPES = {"validation": VALIDATION, "batches": BATCHES}
_CONTROL = ("while", "conditional", "call")
_PRODUCT_CODES = ("dot", "convolution")
_ROW_CODES = ("gather", "scatter")
# What moves numbers without computing any. A table that is copied at every step shows here.
_MOVES = {
    *(
        "copy",
        "copy-start",
        "copy-done",
        "broadcast",
        "slice",
        "dynamic-slice",
        "dynamic-update-slice",
        "concatenate",
    ),
    *("transpose", "reshape", "bitcast", "parameter", "constant", "tuple", "get-tuple-element", "iota"),
}
_RANDOM_NAMES = re.compile(r"random_\w+|threefry2x32|_(uniform|bernoulli|normal|randint)")


class Operation(NamedTuple):
    """One instruction of a compiled program: a kernel, a library call or a loop."""

    program: int
    name: str


@dataclasses.dataclass(frozen=True)
class Instruction:
    """What a program says of an operation.

    Attributes:
      code: the HLO opcode.
      origin: the path of scopes and the primitive that it was traced from, as "jit(f)/while/body/optimiser/mul".
      inner: (code, origin) of what was fused into it.
    """

    code: str
    origin: str
    inner: tuple[tuple[str, str], ...] = ()


class Run(NamedTuple):
    """One execution of an operation.

    Attributes:
      operation: which.
      start: in nanoseconds.
      stop: when the thread that started it went on.
      end: when it was known to be done: not before `stop`; other threads may have worked on it till then.
    """

    operation: Operation
    start: float
    stop: float
    end: float


def read_runs(trace: pathlib.Path) -> list[Run]:
    """Returns the executions of all operations in an .xplane.pb file, of all threads and devices."""
    begun, ends = [], {}
    for plane in ProfileData.from_file(str(trace)).planes:
        for line in plane.lines:
            for event in line.events:
                stats = dict(event.stats)
                if "hlo_op" in stats:
                    operation = Operation(int(stats.get("program_id", 0)), str(stats["hlo_op"]))
                    begun.append((operation, event.start_ns, event.duration_ns, stats.get("_p")))
                elif event.name.startswith("end: "):
                    ends[stats.get("_c")] = event.start_ns
    return [
        Run(
            operation,
            start,
            start + duration,
            max(start + duration, ends.get(flow, 0)) if flow else start + duration,
        )
        for operation, start, duration, flow in begun
    ]


def time_by_operation(runs: Sequence[Run], control: frozenset[Operation]) -> dict[Operation, float]:
    """Divides time among operations, each moment once, so that the sum is the time in which anything ran.

    A moment belongs in equal parts to the operations that threads are in; if there are none, to those that were started
    and are not known to be done; if there are none either, to the loops around them.

    Args:
      runs: in any order.
      control: operations that only hold others: loops and branches.

    Returns:
      {operation: nanoseconds}.
    """
    # (time, +1 or -1, rank, operation); a lower rank takes a moment from the higher ones.
    edges = []
    for run in runs:
        is_control = run.operation in control
        spans = (
            [(run.start, run.end, 2)] if is_control else [(run.start, run.stop, 0), (run.stop, run.end, 1)]
        )
        for start, end, rank in spans:
            if end > start:
                edges += [(start, 1, rank, run.operation), (end, -1, rank, run.operation)]
    heapq.heapify(edges)
    running: list[collections.Counter[Operation]] = [collections.Counter() for _ in range(3)]
    totals: collections.Counter[Operation] = collections.Counter()
    now = 0.0
    while edges:
        time, change, rank, operation = heapq.heappop(edges)
        if time > now:
            active = next((counts for counts in running if counts), None)
            if active:
                share = (time - now) / active.total()
                for each, count in active.items():
                    totals[each] += share * count
            now = time
        running[rank][operation] += change
        if not running[rank][operation]:
            del running[rank][operation]
    return dict(totals)


def purpose(instruction: Instruction | None) -> str:
    """Returns what an operation is for, one of PURPOSES; validation and batches whole, the steps by kind."""
    if instruction is None:
        return REST
    if instruction.code in _CONTROL:
        return LOOPS
    parts = set(re.split(r"[/()]", instruction.origin))
    for scope, named in _SCOPES.items():
        if scope in parts:
            return named
    codes = {instruction.code, *(code for code, _ in instruction.inner)}
    if any(_RANDOM_NAMES.fullmatch(part) for part in parts):
        return RANDOM
    if codes.intersection(_PRODUCT_CODES) or instruction.origin.endswith("dot_general"):
        return PRODUCTS
    # A dense gradient of a table is zeros that a scatter adds to; the zeros come of the same primitive.
    if codes.intersection(_ROW_CODES) or re.search(r"/(gather|scatter[-a-z]*)$", instruction.origin):
        return ROWS
    if codes - {"fusion"} <= _MOVES:
        return COPIES
    origins = [instruction.origin] if instruction.origin else [origin for _, origin in instruction.inner]
    scoped = [OPTIMISER in re.split(r"[/()]", origin) for origin in origins]
    return OPTIMISER if scoped and sum(scoped) * 2 >= len(scoped) else REST


def read_instructions(trace: pathlib.Path) -> dict[Operation, Instruction]:
    """Returns the instructions of all programs that an .xplane.pb file holds."""
    instructions: dict[Operation, Instruction] = {}
    for plane in _values(trace.read_bytes(), 1):
        if bytes(_first(plane, 2, b"")) != b"/host:metadata":
            continue
        for entry in _values(plane, 4):  # map from id to XEventMetadata: a program each
            stats = list(_values(_first(entry, 2, b""), 5))
            # uint64_value: the id of the program; bytes_value: an HloProto.
            numbers = [number for stat in stats for number in _values(stat, 3)]
            protos = [proto for stat in stats for proto in _values(stat, 6)]
            for number, proto in zip(numbers, protos, strict=False):
                instructions.update(_of_module(_first(proto, 1, b""), number))
    return instructions


def _of_module(module: Any, program: int) -> Mapping[Operation, Instruction]:
    """Returns the instructions of an HloModuleProto (xla/service/hlo.proto)."""
    computations = {}
    for computation in _values(module, 3):
        rows = []
        for instruction in _values(computation, 2):
            metadata = _first(instruction, 7, b"")
            name, code = (_text(_first(instruction, field, b"")) for field in (1, 2))
            rows.append((name, code, _text(_first(metadata, 2, b"")), _called(instruction)))
        computations[_first(computation, 5, 0)] = rows
    found = {}
    for rows in computations.values():
        for name, code, origin, called in rows:
            fused = [row for key in called for row in computations.get(key, [])] if code == "fusion" else []
            found[Operation(program, name)] = Instruction(
                code, origin, tuple((row[1], row[2]) for row in fused)
            )
    return found


def _called(instruction: Any) -> Iterable[int]:
    """Returns the ids of the computations that an HloInstructionProto calls: packed or not."""
    for value in _values(instruction, 38):
        if isinstance(value, int):
            yield value
        else:
            position = 0
            while position < len(value):
                number, position = _varint(value, position)
                yield number


# What is read here of protocol buffers: the four ways in which a field can be written
# (https://protobuf.dev/programming-guides/encoding).


def _fields(message: Any) -> Iterator[tuple[int, Any]]:
    """Yields (field number, integer or bytes) of a message."""
    message, position = memoryview(message), 0
    while position < len(message):
        key, position = _varint(message, position)
        number, kind = key >> 3, key & 7
        if kind == 0:
            value, position = _varint(message, position)
            yield number, value
            continue
        size = {1: 8, 5: 4}.get(kind)
        if size is None:
            size, position = _varint(message, position)
        yield number, message[position : position + size]
        position += size


def _varint(message: Any, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[position]
        value |= (byte & 127) << shift
        position, shift = position + 1, shift + 7
        if byte < 128:
            return value, position


def _values(message: Any, number: int) -> Iterator[Any]:
    return (value for field, value in _fields(message) if field == number)


def _first(message: Any, number: int, default: Any) -> Any:
    return next(_values(message, number), default)


def _text(value: Any) -> str:
    return bytes(value).decode("utf-8", "replace")
