"""Whole runs whose steps touch a batch's rows alone come to what runs with whole tables do."""

import contextlib
import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

import data
import training
from configs import categorical, order
from models.row_tables import RowTable, look_up
from training import lifecycle
from training.batches import batch_indices
from training.engine import init_state, train_epoch
from training.network import make_network, make_program
from training.replicas import Training, host_arrays
from training.replication import replicate
from training.rows import differentiate, init_rows, make_row_optimizer, pack
from training.streaming import split_bytes

# Some thirty steps of size 0.01, whose arithmetic is ordered otherwise.
ROUNDING = {"rtol": 1e-4, "atol": 2e-5}


def review_config(config, tmp_path, **changes):
    changed = config.copy_and_resolve_references()
    changed.update_from_flattened_dict(changes)
    return changed


def table_config(config, tmp_path, **changes):
    del config
    rng = np.random.default_rng(0)
    rows = [
        f"c{rng.integers(9)},s{rng.integers(5)},{rng.normal():.3f},{rng.normal():.3f}" for _ in range(120)
    ]
    (tmp_path / "table.csv").write_text("\n".join(["colour,size,weight,price", *rows]) + "\n")
    made = categorical.get_config("combiner=product")
    made.data.update({"path": str(tmp_path / "table.csv"), "target": "price"})
    made.data.update({"categorical": "colour,size", "numeric": "weight"})
    made.train.update({"epochs": 3, "batch_size": 32})
    made.seeds = (0, 1)
    made.update_from_flattened_dict(changes)
    return made


def order_config(config, tmp_path, **changes):
    del config, tmp_path
    made = order.get_config("combiner=concat,data=order_grammar")
    made.data.update({"num_train": 120, "num_test": 40, "num_nouns": 8, "num_verbs": 4})
    made.train.update({"epochs": 3, "batch_size": 32})
    made.seeds = (0, 1)
    made.update_from_flattened_dict(changes)
    return made


SETTINGS = {
    "sum": (review_config, {}),
    "attention, decay and falling rate": (
        review_config,
        {"model.combiner": "attention", "optimizer.weight_decay": 0.5, "optimizer.schedule": "cosine"},
    ),
    "length buckets, clipped gradients": (
        review_config,
        {"train.length_buckets": 3, "optimizer.clip_norm": 0.05},
    ),
    "a table per slot, of unequal widths": (
        review_config,
        {"model.combiner": "concat", "model.table_per_slot": True, "model.dim": 20},
    ),
    "row-wise Adagrad": (review_config, {"optimizer.name": "rowwise_adagrad", "optimizer.weight_decay": 0.1}),
    "categories, a linear map of numbers": (table_config, {"model.numeric": "linear"}),
    "categories, binned numbers": (table_config, {"model.numeric": "binned"}),
    "sentences": (order_config, {}),
}


@pytest.mark.parametrize(("make", "changes"), SETTINGS.values(), ids=SETTINGS)
def test_a_run_by_exact_rows_comes_to_the_parameters_of_a_dense_one(config, tmp_path, make, changes):
    best = {}
    for mode in ("off", "exact"):
        changed = make(config, tmp_path, **changes, **{"optimizer.sparse": mode})
        workdir = tmp_path / mode
        lifecycle.run(changed, workdir)
        trained = training.load(workdir)
        best[mode] = [nnx.state(trained.model(seed), nnx.Param) for seed in changed.seeds]
    for dense, exact in zip(*best.values(), strict=True):
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, **ROUNDING), dense, exact)


@pytest.mark.parametrize("mode", ["exact", "lazy"])
def test_replicas_side_by_side_streamed_and_resumed_are_the_same(config, tmp_path, monkeypatch, mode):
    base = {"optimizer.sparse": mode, "optimizer.weight_decay": 0.1, "train.length_buckets": 2}
    plain = review_config(config, tmp_path, **base)
    expected = lifecycle.run(plain, tmp_path / "plain")["metrics"]["test"]["loss"]["per_seed"]
    nbytes = split_bytes(data.load(config.task, config.data).splits["train"])
    for name, change in {
        "side by side": {"engine.replicas": "vmap"},
        "streamed": {"data.max_resident_bytes": nbytes // 3},
    }.items():
        changed = review_config(config, tmp_path, **base, **change)
        found = lifecycle.run(changed, tmp_path / name)["metrics"]["test"]["loss"]["per_seed"]
        np.testing.assert_allclose(found, expected, rtol=1e-4, err_msg=name)

    class StoppedError(Exception):
        pass

    whole = Training.epochs

    @contextlib.contextmanager
    def two_epochs(self, workdir):
        with whole(self, workdir) as train_all:

            def train(state, epoch):
                if epoch == 2:
                    raise StoppedError
                return train_all(state, epoch)

            yield train

    interrupted = review_config(config, tmp_path, **base, **{"train.checkpoint_seconds": 0.0})
    monkeypatch.setattr(Training, "epochs", two_epochs)
    with pytest.raises(StoppedError):
        lifecycle.run(interrupted, tmp_path / "resumed")
    monkeypatch.setattr(Training, "epochs", whole)
    found = lifecycle.run(interrupted, tmp_path / "resumed")["metrics"]["test"]["loss"]["per_seed"]
    assert found == expected  # bit for bit


def test_no_table_is_copied_or_passed_over_within_an_epoch(config):
    config = review_config(config, None, **{"optimizer.sparse": "exact", "train.length_buckets": 3})
    dataset = data.load(config.task, config.data)
    program = make_program(config, make_network(config, dataset.spec), dataset.spec, 192)
    arrays = [jax.device_put(host_arrays(dataset.splits[name], program)) for name in ("train", "validation")]
    start = jax.vmap(functools.partial(init_state, program=program))(
        jnp.arange(1, dtype=jnp.uint32), jnp.full(1, 0.01)
    )
    of_all = replicate(functools.partial(train_epoch, program=program), "map")
    epoch = jax.jit(lambda state, rows, *rest: of_all((state, rows), *rest), donate_argnums=0)
    batches = jax.tree.map(jnp.asarray, batch_indices(arrays[0]["bucket"], program.batch_size))
    rest = (batches._replace(rows=None), *arrays)
    text = epoch.lower(start, batches.rows[None], *rest).compile().as_text()
    rows, packed = start.params["embedding"]["table"].shape[1:]
    shape = rf"f32\[{rows},{packed}\]"
    made = re.findall(rf"= {shape}\S* ([\w-]+)\(", text)
    # What makes an array of the packed table's shape: the one scatter of a step, in place, and the way in and out.
    assert set(made) <= {"parameter", "get-tuple-element", "scatter", "fusion", "bitcast", "reshape", "call"}
    assert made.count("scatter") == 1
    assert "copy" not in made


class TwoTables(nnx.Module):
    """A user's model with tables of its own, one of which is looked up twice."""

    def __init__(self):
        self.first = RowTable(jnp.arange(12.0).reshape(6, 2))
        self.second = RowTable(jnp.ones((4, 2)))
        self.scale = nnx.Param(jnp.ones(2))

    def __call__(self, a, b, c):
        rows = look_up(self.first, a) * look_up(self.second, b) + look_up(self.first, c)
        return (rows * self.scale[...]) ** 2


def test_any_model_that_looks_its_rows_up_gets_their_gradients(config):
    fields = config.optimizer.copy_and_resolve_references()
    fields.update({"name": "sgd", "sparse": "lazy"})
    optimizer = make_row_optimizer(fields, lambda _: 1.0, 10, 1)
    graphdef, params = nnx.split(TwoTables(), nnx.Param)
    a, b, c = jnp.array([0, 5, 5]), jnp.array([3, 0, 3]), jnp.array([[1], [5], [0]])[:, 0]

    def loss(params):
        return jnp.sum(nnx.merge(graphdef, params)(a, b, c)), None

    expected = jax.grad(lambda params: loss(params)[0])(params)
    others = optax.sgd(1.0)
    packed = pack(params, optimizer)
    _, found = differentiate(loss, packed, init_rows(packed, optimizer, others, 1.0), optimizer)
    np.testing.assert_allclose(found.others["scale"][...], expected["scale"][...], rtol=1e-6)
    for name, lookups in found.tables.items():
        dense = jnp.zeros_like(params[name][...]).at[lookups.ids].add(lookups.gradient)
        np.testing.assert_allclose(dense, expected[name][...], rtol=1e-6)


def test_a_table_that_is_read_otherwise_is_refused(config):
    fields = config.optimizer.copy_and_resolve_references()
    fields.update({"name": "sgd", "sparse": "lazy"})
    optimizer = make_row_optimizer(fields, lambda _: 1.0, 10, 1)
    graphdef, params = nnx.split(TwoTables(), nnx.Param)
    packed = pack(params, optimizer)
    state = init_rows(packed, optimizer, optax.sgd(1.0), 1.0)

    def loss(params):
        return jnp.sum(nnx.merge(graphdef, params).first[...]), None

    with pytest.raises(TypeError, match="look_up"):
        differentiate(loss, packed, state, optimizer)
