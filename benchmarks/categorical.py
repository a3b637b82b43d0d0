"""Training throughput on users and items, 800,000 and 200,000 of them, beside the same model in PyTorch, Keras, Flax.

  python -m benchmarks.categorical
  python -m benchmarks.categorical --quick

The model of a rating: an embedding of the user and one of the item, summed, and one linear layer, squared error, Adam;
in batches of 128 and of 1,024. Users and items are drawn uniformly. The peers have a table of each, as users write it;
ours lie below each other in one. First all are started from the same parameters and must give the same losses.
"""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
import torch
from flax import nnx
from jaxtyping import Array, Float, Int

from benchmarks.limits import dense_layers, embedding
from benchmarks.measure import Contender, beside, describe_machine, parser, require_memory, save
from benchmarks.ours import EngineTraining, first_losses, make_dataset, plain
from benchmarks.pages import add_differences, add_floors, page
from benchmarks.peers.flax_loop import FlaxTraining
from benchmarks.peers.torch_loop import (
    Optimizers,
    TorchTraining,
    adam,
    copy_weights,
    fused_adam,
    sparse_adam,
)
from configs import categorical
from data import Dataset
from data.table_preprocessor import CategoricalField, TableSpec

USERS, ITEMS, WIDTH = 800_000, 200_000, 64
BATCHES, STEPS, ROUNDS = (128, 1024), {128: 4000, 1024: 1500}, 5
CHECKED_STEPS, SCALE = 20, 0.1
OURS = "this project"


def main() -> None:
    """Checks that all learn the same, times them, and writes benchmarks/results/categorical.{json,md}."""
    quick = parser(__doc__).parse_args().quick
    users, items = (8000, 2000) if quick else (USERS, ITEMS)
    rounds, round_seconds = (3, 0.2) if quick else (ROUNDS, 1.0)
    differences = _check_alike()
    tables = {}
    for batch in BATCHES[:1] if quick else BATCHES:
        data = make_ratings(users, items, 20 if quick else STEPS[batch], batch)
        own = EngineTraining(make_config("auto", batch), data)
        table = beside(
            (OURS, own),
            _groups(data, users, items, batch),
            rounds=rounds,
            round_seconds=round_seconds,
        )
        add_differences(table, differences)
        rows = data.splits["train"].inputs["categories"][:batch] + np.array([0, users])
        different, layers = len(np.unique(rows)), dense_layers(batch, (WIDTH, 1))
        costs = {
            sparse: embedding(users + items, WIDTH, different, sparse=sparse) + layers
            for sparse in (False, True)
        }
        add_floors(table, {name: costs[_is_sparse(name, own.updates_rows)] for name in table})
        tables[f"Batches of {batch:,}"] = table
    machine = describe_machine()
    about = (
        f"{users:,} users and {items:,} items, width {WIDTH}, their sum, one linear layer, squared error, Adam, "
        "float32. `this project` has optimizer.sparse=auto, as by default; rows with a lazy or sparse update have the "
        "floor of one, the others that of a dense one."
    )
    settings = {"users": users, "items": items, "width": WIDTH, "batches": BATCHES, "rounds": rounds}
    batches = {f"Batches of {batch:,}": batch for batch in BATCHES}
    text = page("Users and items: training throughput", about, tables, batches, rounds, machine)
    save("categorical", {"machine": machine, "settings": settings, "tables": tables}, text, quick=quick)


def make_config(sparse: str, batch: int) -> Any:
    """Returns the config that is trained, with one of the values of optimizer.sparse."""
    config = plain(categorical.get_config("combiner=sum"), sparse=sparse)
    config.model.dim, config.model.hidden, config.model.embedding_scale = WIDTH, (), SCALE
    config.train.batch_size = batch
    return config


def make_ratings(users: int, items: int, steps: int, batch: int) -> Dataset:
    """Returns random ratings for so many steps."""
    rng = np.random.default_rng(0)
    fields = [
        CategoricalField(name=name, num_rows=rows, max_values=1)
        for name, rows in (("user", users), ("item", items))
    ]
    columns = [rng.integers(2, field.num_rows, steps * batch, dtype=np.int32) for field in fields]
    targets = rng.standard_normal(steps * batch).astype(np.float32)
    inputs = {"categories": np.stack(columns, axis=1)}
    return make_dataset("ratings", TableSpec(categorical=tuple(fields)), inputs, targets, batch)


class _TorchRatings(torch.nn.Module):
    """Two embeddings, their sum and Linear."""

    def __init__(self, users: int, items: int, *, sparse: bool):
        super().__init__()
        self.tables = torch.nn.ModuleList(
            torch.nn.Embedding(
                rows, WIDTH, sparse=sparse, _weight=torch.empty(rows, WIDTH).normal_(std=SCALE)
            )
            for rows in (users, items)
        )
        self.output = torch.nn.Linear(WIDTH, 1)

    def forward(self, categories: torch.Tensor) -> torch.Tensor:
        """Returns the ratings."""
        user, item = self.tables
        return self.output(user(categories[:, 0]) + item(categories[:, 1]))[:, 0]


class _FlaxRatings(nnx.Module):
    """Two embeddings, their sum and Linear."""

    def __init__(self, users: int, items: int):
        rngs, start = nnx.Rngs(0), nnx.initializers.normal(SCALE)
        self.user, self.item = (
            nnx.Embed(rows, WIDTH, embedding_init=start, rngs=rngs) for rows in (users, items)
        )
        self.output = nnx.Linear(WIDTH, 1, rngs=rngs)

    def __call__(self, categories: Int[Array, "batch 2"]) -> Float[Array, " batch"]:
        """Returns the ratings."""
        return self.output(self.user(categories[:, 0]) + self.item(categories[:, 1]))[:, 0]


def _contenders(data: Dataset, users: int, items: int, batch: int) -> dict[str, Callable[[], Any]]:
    """Returns name -> what makes a peer."""
    split = data.splits["train"]
    categories, targets = split.inputs["categories"], split.targets

    def in_torch(
        optimizers: Optimizers, *, sparse: bool = False, compiled: bool = False
    ) -> Callable[[], Any]:
        def make() -> TorchTraining:
            return TorchTraining(
                _TorchRatings(users, items, sparse=sparse),
                [categories],
                targets,
                optimizers,
                batch=batch,
                loss=torch.nn.functional.mse_loss,
                compiled=compiled,
            )

        return make

    def in_keras() -> Contender:
        from benchmarks.peers.keras_loop import KerasTraining  # slow to import

        def build(keras: Any) -> Any:
            start = keras.initializers.RandomNormal(stddev=SCALE)
            inputs = [keras.Input((), dtype="int32") for _ in range(2)]
            rows = [
                keras.layers.Embedding(number, WIDTH, embeddings_initializer=start)(ids)
                for number, ids in zip((users, items), inputs, strict=True)
            ]
            return keras.Model(inputs, keras.layers.Dense(1)(keras.layers.Add()(rows)))

        columns = [np.ascontiguousarray(categories[:, i]) for i in range(2)]
        return KerasTraining(build, columns, targets, batch=batch, loss="mean_squared_error")

    def in_flax() -> Contender:
        model = _FlaxRatings(users, items)
        return FlaxTraining(
            model, [categories], targets, batch=batch, loss=lambda y, t: jnp.mean((y - t) ** 2)
        )

    return {
        "PyTorch eager, SparseAdam": in_torch(sparse_adam, sparse=True),
        "PyTorch eager, Adam": in_torch(adam),
        "PyTorch eager, Adam(fused=True)": in_torch(fused_adam),
        "Keras on JAX, fit": in_keras,
        "Flax NNX, a jitted step": in_flax,
        "PyTorch, torch.compile, Adam": in_torch(adam, compiled=True),
    }


def _groups(data: Dataset, users: int, items: int, batch: int) -> list[dict[str, Callable[[], Any]]]:
    """Returns all contenders but `this project`, in groups that fit in memory together."""
    table_bytes = 4 * (users + items) * WIDTH

    def needing(make: Callable[[], Any]) -> Callable[[], Any]:
        def made() -> Any:
            require_memory(6 * table_bytes)  # parameters and two moments, twice where they are not donated
            return make()

        return made

    def ours(sparse: str, data: Dataset) -> Callable[[], Any]:
        return needing(lambda: EngineTraining(make_config(sparse, batch), data))

    few = make_ratings(users, items, 8, batch)
    lean = {f"{OURS}, sparse={mode}": ours(mode, data) for mode in ("lazy", "exact")}
    peers = {name: needing(make) for name, make in _contenders(data, users, items, batch).items()}
    sparse_peer, dense, fused, keras, flax, compiled = ({name: make} for name, make in peers.items())
    off = {f"{OURS}, sparse=off": ours("off", few)}
    return [lean | sparse_peer, off | dense | fused, keras | flax, compiled]


def _is_sparse(name: str, ours_is: bool) -> bool:
    if name == OURS:
        return ours_is
    return "SparseAdam" in name or "sparse=lazy" in name or "sparse=exact" in name


def _check_alike() -> dict[str, float]:
    """Returns name -> the largest difference of a contender's losses from those of ours that update alike."""
    users, items, batch = 800, 200, BATCHES[0]
    data, losses, differences = make_ratings(users, items, CHECKED_STEPS, batch), {}, {}
    for mode in ("off", "lazy", "exact"):
        ours, rows, losses[mode] = first_losses(make_config(mode, batch), data)
    differences[f"{OURS}, sparse=exact"] = float(np.abs(losses["exact"] - losses["off"]).max())
    for name, make in _contenders(data, users, items, batch).items():
        if "compile" in name:
            continue  # the same loop, compiled
        peer = make()
        _copy_into(peer.model, ours, users)
        alike = "lazy" if "SparseAdam" in name else "off"
        differences[name] = float(np.abs(peer.losses(rows) - losses[alike]).max())
    return differences


def _copy_into(model: Any, ours: Any, users: int) -> None:
    """Starts a peer from our parameters."""
    table, output = ours.embedding["fields"].table[...], ours.dense.output
    kernel, bias = output.kernel[...], output.bias[...]
    if isinstance(model, torch.nn.Module):
        user, item = model.tables
        copy_weights(
            [
                (user.weight, table[:users]),
                (item.weight, table[users:]),
                (model.output.weight, kernel.T),
                (model.output.bias, bias),
            ]
        )
    elif isinstance(model, nnx.Module):
        model.user.embedding[...], model.item.embedding[...] = table[:users], table[users:]
        model.output.kernel[...], model.output.bias[...] = kernel.copy(), bias.copy()
    else:
        model.set_weights([np.array(w) for w in (table[:users], table[users:], kernel, bias)])


if __name__ == "__main__":
    main()
