"""Refuses a training that cannot fit in memory before anything of it is allocated, and says what would help."""

import math
import os
import pathlib
import re
from typing import Any

import jax

MEMINFO = pathlib.Path("/proc/meminfo")
CGROUPS = (  # the limit of a container, and what it has in use: version 2, then 1
    (pathlib.Path("/sys/fs/cgroup/memory.max"), pathlib.Path("/sys/fs/cgroup/memory.current")),
    (
        pathlib.Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
        pathlib.Path("/sys/fs/cgroup/memory/memory.usage_in_bytes"),
    ),
)

# What the fields of a state are; those of a training of word vectors too.
_NAMES = {
    **{"params": "parameters", "tables": "parameters", "others": "parameters"},
    **{"best_params": "best parameters", "opt_state": "optimiser", "squares": "optimiser"},
}


def check_fits(state: Any, *, examples: int = 0, dense: bool = True, free: bool = False) -> None:
    """Raises ValueError if the state of a training is larger than memory; allocates nothing.

    What is counted is the least that training takes: its state, the examples on the device, and, where gradients are
    as large as the tables, those of one replica. What XLA needs besides is not.

    Args:
      state: the shapes of the state of all replicas, with a leading replica axis: a tree with "params".
      examples: bytes of the examples that lie on each device, and of their order.
      dense: whether gradients are as large as the parameters.
      free: whether to compare with what is free now instead of all there is. Another training's memory is not free.
    """
    devices = _devices(state)
    shared = devices[0].platform == "cpu"  # a host's simulated devices have one memory between them
    per_device = {name: _bytes_of(tree) for name, tree in _parts(state, dense).items()}
    copies = len(devices) if shared else 1
    needed = copies * (sum(per_device.values()) + examples)
    there = _free_bytes(devices) if free else _all_bytes(devices)
    if there is None or needed <= there:
        return
    sizes = {name: copies * size for name, size in (*per_device.items(), ("examples", examples))}
    parts = ", ".join(f"{name} {_gb(size)}" for name, size in sizes.items() if size > needed / 1000)
    where = "memory" if shared else f"memory of {devices[0].device_kind}"
    remedies = ["a smaller model.dim", "engine.mesh.rows over several devices"]
    if _replicas(state) > 1:
        remedies.insert(0, f"fewer than {_replicas(state)} seeds")
    if dense:
        remedies.insert(0, "optimizer.sparse=exact")
    raise ValueError(
        f"the model needs {_gb(needed)} ({parts}; {_largest(state)}), {_gb(there)} of {where} are "
        f"{'free' if free else 'there'}; {', '.join(remedies[:-1])} or {remedies[-1]} may help"
    )


def _parts(state: Any, dense: bool) -> dict[str, Any]:
    """Returns what takes memory, by name: the fields of a state, and the gradient of one replica."""
    fields = state._asdict()
    parts: dict[str, Any] = {name: [] for name in (*_NAMES.values(), "rest")}
    for name, tree in fields.items():
        parts[_NAMES.get(name, "rest")].append(tree)
    if dense and "params" in fields:
        parts["gradient of a seed"] = jax.tree.map(
            lambda leaf: jax.ShapeDtypeStruct((1, *leaf.shape[1:]), leaf.dtype), fields["params"]
        )
    return parts


def _bytes_of(tree: Any) -> int:
    """Returns the bytes of a tree of shapes on each device."""
    return sum(
        math.prod(leaf.sharding.shard_shape(leaf.shape) if leaf.sharding else leaf.shape)
        * leaf.dtype.itemsize
        for leaf in jax.tree.leaves(tree)
    )


def _devices(state: Any) -> list[jax.Device]:
    """Returns this process's devices that a state of these shapes lies on."""
    found = {
        device
        for leaf in jax.tree.leaves(state)
        if leaf.sharding
        for device in leaf.sharding.device_set
        if device.process_index == jax.process_index()
    }
    return sorted(found, key=lambda device: device.id) or jax.local_devices()[:1]


def _replicas(state: Any) -> int:
    return jax.tree.leaves(state)[0].shape[0]


def _largest(state: Any) -> str:
    """Returns in words how large the largest array of parameters is."""
    path, leaf = max(
        jax.tree_util.tree_leaves_with_path(_trained(state)), key=lambda item: math.prod(item[1].shape)
    )
    name = ".".join(str(key.key) for key in path if hasattr(key, "key"))
    size = math.prod(leaf.shape) * leaf.dtype.itemsize
    shape = " x ".join(f"{length:,}" for length in leaf.shape[1:])
    seeds = f" for each of {leaf.shape[0]} seeds" if leaf.shape[0] > 1 else ""
    return f"the largest table, {name}, is {shape}{seeds}: {_gb(size)}"


def _trained(state: Any) -> Any:
    """Returns the parameters of a state, without what the optimiser keeps in their rows."""
    fields = state._asdict()
    return next(fields[name] for name in ("best_params", "params", "tables") if name in fields)


def _all_bytes(devices: list[jax.Device]) -> int | None:
    """Returns how much memory there is: of a device, or of the machine or its container; None if unknown."""
    if devices[0].platform != "cpu":
        return _of_devices(devices, in_use=False)
    try:
        pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return None
    limits = [limit for limit, _ in _container()]
    return min([pages, *limits])


def _free_bytes(devices: list[jax.Device]) -> int | None:
    """Returns how much of that is not in use."""
    if devices[0].platform != "cpu":
        return _of_devices(devices, in_use=True)
    free = [limit - used for limit, used in _container()]
    if MEMINFO.exists() and (match := re.search(r"MemAvailable:\s+(\d+) kB", MEMINFO.read_text())):
        free.append(int(match[1]) * 1024)
    return min(free) if free else _all_bytes(devices)


def _of_devices(devices: list[jax.Device], *, in_use: bool) -> int | None:
    stats = [device.memory_stats() or {} for device in devices]
    if not all("bytes_limit" in each for each in stats):
        return None
    return min(each["bytes_limit"] - (each.get("bytes_in_use", 0) if in_use else 0) for each in stats)


def _container() -> list[tuple[int, int]]:
    """Returns (limit, bytes in use) of the container that this runs in, where it has a limit."""
    found = []
    for limit, used in CGROUPS:
        try:
            found.append((int(limit.read_text()), int(used.read_text())))
        except (OSError, ValueError):  # no such container, or its limit is the word max
            continue
    return found


def _gb(size: int) -> str:
    return f"{size / 1e9:,.1f} GB" if size >= 1e8 else f"{size / 1e6:,.1f} MB"
