"""How replicas, batches and embedding tables lie on several devices: every sharding of this project is decided here.

A mesh has three axes. `replicas`: every device trains replicas of its own, without a word between them within an
epoch. `batch`: the examples of a step are divided, and the devices add up their gradients in every step. `rows`: the
rows of embedding tables are divided, with all that the optimiser keeps of them, for tables that one device cannot hold.
"""

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.experimental import multihost_utils
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from models.row_tables import RowTable

from .batches import Arrays
from .replication import check_replica_mode, replica_mode, replicate
from .step import Network, Variables

AXES = ("replicas", "batch", "rows")


@dataclasses.dataclass(frozen=True)
class Layout:
    """Where replicas run, and how.

    Attributes:
      mode: of `replication.replicate`, on each device.
      mesh: of the axes AXES; None for one device, where nothing is sharded and all methods do nothing.
    """

    mode: str
    mesh: Mesh | None = None

    @property
    def everywhere(self) -> NamedSharding | None:
        """The sharding of what every device has a copy of."""
        return self._sharding()

    @property
    def by_replica(self) -> NamedSharding | None:
        """The sharding of what every replica has its own of, in the first axis."""
        return self._sharding("replicas")

    @property
    def replica_shards(self) -> int:
        """How many parts the replicas are divided into."""
        return self.mesh.shape["replicas"] if self.mesh else 1

    @property
    def row_shards(self) -> int:
        """How many parts tables are divided into."""
        return self.mesh.shape["rows"] if self.mesh else 1

    def of_state(self, state: Any) -> Any:
        """Returns the shapes of a state with a leading replica axis, each with its sharding.

        Numbers of a replica, such as the epochs that it has trained for, are everywhere: the host looks at them.

        Args:
          state: the shapes, or arrays; its `RowTable`s say how many rows tables have, and what else has as many in its
            second axis is taken for an optimiser's share of them.
        """
        if self.mesh is None:
            return state
        variables = jax.tree.leaves(state, is_leaf=_is_variable)
        rows = {leaf.get_value().shape[1] for leaf in variables if isinstance(leaf, RowTable)}

        def placed(leaf: Any) -> jax.ShapeDtypeStruct:
            is_table = leaf.ndim > 1 and leaf.shape[1] in rows
            axes = () if leaf.ndim == 1 else ("replicas", "rows") if is_table else ("replicas",)
            return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=self._sharding(*axes))

        return jax.tree.map(placed, state)

    def replicate(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """As `replication.replicate`; every device, or group of them along batch and rows, has its own replicas."""
        of_all = replicate(function, self.mode)
        if self.mesh is None:
            return of_all

        def on_mesh(replicas: Any, *shared: Any) -> Any:
            return jax.shard_map(
                of_all,
                mesh=self.mesh,
                in_specs=(P("replicas"), *(P() for _ in shared)),
                out_specs=P("replicas"),
                axis_names={"replicas"},
                check_vma=False,
            )(replicas, *shared)

        return on_mesh

    def jit(
        self, function: Callable[..., Any], out: Any = None, *, donate: bool = False
    ) -> Callable[..., Any]:
        """Compiles a function; its results have the shardings `out`: a tree of them, or of prefixes of it."""
        shardings = {} if self.mesh is None else {"out_shardings": out}
        return jax.jit(function, donate_argnums=(0,) if donate else (), **shardings)

    def divide_batch(self, batch: Arrays) -> Arrays:
        """Has the examples of a batch [batch, …] divided over the batch axis, inside a compiled program."""
        if self.mesh is None or self.mesh.shape["batch"] == 1:
            return batch
        return jax.lax.with_sharding_constraint(batch, P("batch"))

    def put(self, arrays: Any, *axes: str | None) -> Any:
        """Moves host arrays, the same in every process, to the devices: whole, or divided along mesh axes."""
        if self.mesh is None:
            return jax.device_put(arrays)
        sharding = self._sharding(*axes)
        if jax.process_count() == 1:
            return jax.device_put(arrays, sharding)
        return jax.tree.map(
            lambda array: jax.make_array_from_callback(array.shape, sharding, lambda index: array[index]),
            arrays,
        )

    def put_like(self, state: Any, placed: Any) -> Any:
        """Moves a state to where `of_state` wants it; does nothing to what lies there already."""
        if self.mesh is None:
            return state

        def move(leaf: Any, wanted: Any) -> jax.Array:
            if jax.process_count() > 1 and leaf.is_fully_addressable:
                host = np.asarray(leaf)
                return jax.make_array_from_callback(host.shape, wanted.sharding, lambda index: host[index])
            return jax.device_put(leaf, wanted.sharding)

        return jax.tree.map(move, state, placed)

    def gather(self, arrays: Any) -> Any:
        """Returns arrays from all over the mesh, whole, on this process's first device."""
        if self.mesh is None:
            return arrays
        if jax.process_count() > 1:
            arrays = multihost_utils.process_allgather(arrays, tiled=True)
        return jax.device_put(arrays, jax.local_devices()[0])

    def _sharding(self, *axes: str | None) -> NamedSharding | None:
        return NamedSharding(self.mesh, P(*axes)) if self.mesh else None


def make_layout(engine: Any, num_replicas: int, batch_size: int) -> Layout:
    """Returns the layout that config.engine asks for.

    Args:
      engine: config.engine: `replicas`, a mode of `replication.replicate`, and `mesh`, {axis: devices}; 0 replicas are
        as many as there are devices for and as divide the number of replicas.
      num_replicas: that are trained together.
      batch_size: examples per step.

    Raises:
      ValueError: for a mesh that the devices, the replicas or the batch cannot be divided by.
    """
    check_replica_mode(engine["replicas"])
    sizes = {axis: engine["mesh"][axis] for axis in AXES}
    devices = jax.devices()
    for axis, size in sizes.items():
        if size < (0 if axis == "replicas" else 1):
            raise ValueError(f"engine.mesh.{axis} must be at least {int(axis != 'replicas')}, got {size}")
    within = sizes["batch"] * sizes["rows"]
    size = math.prod(sizes.values()) or within
    if len(devices) % size:
        raise ValueError(
            f"engine.mesh = {_text(sizes)} takes {size} devices, which do not divide the {len(devices)} there are"
        )
    if batch_size % sizes["batch"]:
        raise ValueError(f"engine.mesh.batch={sizes['batch']} does not divide train.batch_size={batch_size}")
    if not sizes["replicas"]:
        sizes["replicas"] = _spread(num_replicas, len(devices) // within, within)
    if num_replicas % sizes["replicas"]:
        raise ValueError(
            f"engine.mesh.replicas={sizes['replicas']} does not divide the {num_replicas} replicas that train together"
        )
    size = math.prod(sizes.values())
    if size % jax.process_count():
        raise ValueError(
            f"engine.mesh = {_text(sizes)} takes {size} devices, which {jax.process_count()} processes cannot share "
            f"evenly; {num_replicas} replicas train together"
        )
    if size == 1:
        return Layout(engine["replicas"])
    if within > 1 and engine["replicas"] == "map":
        raise ValueError(
            "engine.replicas=map goes with engine.mesh.batch=1 and engine.mesh.rows=1 only: replicas that stop at "
            "different epochs would leave devices waiting for each other; auto and vmap go with any mesh"
        )
    # Side by side, what is rested is computed and dropped; so all devices come to every exchange.
    mode = "vmap" if within > 1 else replica_mode(engine["replicas"])
    return Layout(mode, Mesh(_first_devices(size).reshape(tuple(sizes.values())), AXES))


def _spread(num_replicas: int, num_groups: int, group: int) -> int:
    """Returns how many of some groups of devices replicas can be spread over evenly, and all processes with them."""
    fitting = [n for n in range(1, num_groups + 1) if num_replicas % n == 0]
    shared = [n for n in fitting if n * group % jax.process_count() == 0]
    return max(shared or fitting)


def _first_devices(size: int) -> np.ndarray:
    """Returns so many devices, as many of each process, those of a process side by side."""
    each = size // jax.process_count()
    devices = [d for p in range(jax.process_count()) for d in jax.local_devices(process_index=p)[:each]]
    return np.array(devices)


def _text(sizes: Mapping[str, int]) -> str:
    return "{" + ", ".join(f"{axis}: {size}" for axis, size in sizes.items()) + "}"


def pad_tables(network: Network, shards: int) -> Network:
    """Returns a network whose tables have rows enough to be divided evenly; nothing looks the last ones up."""
    if shards == 1:
        return network

    def init(rngs: nnx.Rngs) -> Variables:
        params, fixed = network.init(rngs)
        return Variables(pad_rows(params, shards), fixed)

    return dataclasses.replace(network, init=init)


def pad_rows(params: nnx.State, shards: int) -> nnx.State:
    """Returns parameters whose tables [*replicas, rows, width] end in zeros, to a multiple of rows."""

    def padded(variable: nnx.Variable) -> nnx.Variable:
        if not isinstance(variable, RowTable):
            return variable
        table = variable.get_value()
        before = [(0, 0)] * (table.ndim - 2)
        return variable.replace(jnp.pad(table, [*before, (0, -table.shape[-2] % shards), (0, 0)]))

    return jax.tree.map(padded, params, is_leaf=_is_variable)


def cut_rows(params: nnx.State, network: Network) -> nnx.State:
    """Returns parameters [replicas, …] without what `pad_tables` added to those of a network."""
    shapes = jax.eval_shape(lambda: network.init(nnx.Rngs(0)).params)
    return jax.tree.map(
        lambda leaf, one: leaf if leaf.shape[1:] == one.shape else leaf[:, : one.shape[0]], params, shapes
    )


def _is_variable(tree: Any) -> bool:
    return isinstance(tree, nnx.Variable)
