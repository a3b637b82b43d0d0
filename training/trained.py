"""A trained run: the best parameters of every seed, ready to predict and to be measured."""

import functools
import pathlib
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
from flax import nnx

import data

from . import workdir as files
from .checkpoints import restore_best
from .network import make_network
from .replication import replicate
from .step import Network, Variables, predict_batch

BATCH = 256  # examples per call; the same always, so that one compiled program serves every split


class TrainedRun:
    """Predicts with every seed of a run.

    Attributes:
      config: of the run.
      preprocessor: turns raw rows into what the model reads.
      seeds: in the order of the leading axis of the outputs.
      diverged: the seeds that have no trained parameters; what they would predict is NaN.
      combined_width: the width of the vector that the combiner makes.
      objective: what the model's outputs mean.
      variables: the parameters and other arrays of the models, with a leading axis of seeds.
    """

    def __init__(
        self,
        config: Any,
        network: Network,
        variables: Variables,
        preprocessor: data.Preprocessor,
        diverged: Collection[int] = (),
    ):
        self.config = config
        self.preprocessor = preprocessor
        self.seeds = tuple(config.seeds)
        self.diverged = frozenset(diverged)
        self.combined_width = network.combined_width
        self.objective = network.objective
        self._network = network
        self.variables = variables
        predict = functools.partial(predict_batch, network=network)
        self._predict = jax.jit(replicate(predict, config.engine.replicas))

    def model(self, seed: int) -> nnx.Module:
        """Returns the trained model of one seed; raises ValueError for one that the run does not have."""
        if seed not in self.seeds:
            raise ValueError(f"the run has no seed {seed}; it has {', '.join(map(str, self.seeds))}")
        variables = jax.tree.map(lambda leaf: leaf[self.seeds.index(seed)], self.variables)
        return nnx.merge(self._network.graphdef, *variables)

    def outputs(self, split: data.Split) -> np.ndarray:
        """Returns the model's outputs, float32 [seeds, examples, outputs]; NaN for a seed that diverged."""
        batches = []
        for start in range(0, len(split), BATCH):
            rows = {name: array[start : start + BATCH] for name, array in split.inputs.items()}
            count = len(next(iter(rows.values())))
            padded = {
                name: np.pad(array, [(0, BATCH - count)] + [(0, 0)] * (array.ndim - 1))
                for name, array in rows.items()
            }
            batches.append(np.asarray(self._predict(self.variables, padded))[:, :count])
        if not batches:
            return np.zeros((len(self.seeds), 0, self.preprocessor.spec.num_outputs), np.float32)
        outputs = np.concatenate(batches, axis=1)
        outputs[[seed in self.diverged for seed in self.seeds]] = np.nan
        return outputs

    def metrics(self, split: data.Split) -> dict[str, list[float | None]]:
        """Returns every metric of a labelled split, one value per seed; None for a seed that diverged."""
        per_example = self._per_example(split)
        means = {name: np.asarray(values, np.float64).mean(axis=1) for name, values in per_example.items()}
        metrics = self.objective.summarise(means, np.asarray(split.targets))
        return {
            name: [
                None if s in self.diverged else float(v)
                for s, v in zip(self.seeds, metrics[name], strict=True)
            ]
            for name in sorted(metrics)
        }

    def item_scores(self, split: data.Split) -> dict[str, np.ndarray]:
        """Returns what each example of a labelled split adds to a metric's mean, float32 [seeds, examples].

        {"accuracy": 1 or 0} for classes, {"squared_error"} for numbers; NaN for a seed that diverged.
        """
        scores = self.objective.item_scores(self._per_example(split))
        diverged = np.array([[seed in self.diverged] for seed in self.seeds])
        return {
            name: np.where(diverged, np.nan, np.asarray(values)).astype(np.float32)
            for name, values in scores.items()
        }

    def _per_example(self, split: data.Split) -> dict[str, jax.Array]:
        outputs = self.outputs(split)
        targets = np.broadcast_to(split.targets, outputs.shape[:2])
        return self.objective.per_example(jnp.asarray(outputs), jnp.asarray(targets))

    def flops_per_example(self, split: data.Split) -> float | None:
        """Returns the floating-point operations of one forward pass, as XLA counts them; None where it does not."""
        one_seed = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape[1:], leaf.dtype), self.variables)
        batch = {
            name: jax.ShapeDtypeStruct((BATCH, *array.shape[1:]), array.dtype)
            for name, array in split.inputs.items()
        }
        predict = functools.partial(predict_batch, network=self._network)
        costs = jax.jit(predict).lower(one_seed, batch).cost_analysis()
        return costs["flops"] / BATCH if costs and "flops" in costs else None

    def predict(self, rows: Sequence[Any], *, per_seed: bool = False) -> np.ndarray:
        """Predicts for new examples.

        Args:
          rows: what the task's preprocessor encodes: texts, images, or mappings with the columns that the run was
            trained on; targets are not looked at.
          per_seed: whether to keep the seeds apart.

        Returns:
          Class probabilities [rows, classes] in the order of `self.preprocessor.spec.classes`, or numbers [rows] in
          the unit of the target, the mean over seeds; with per_seed a leading axis of seeds. NaN where a seed that
          diverged takes part.

        Raises:
          ValueError: for a single row instead of a sequence of them, and rows that lack what the model reads.
        """
        if isinstance(rows, str | Mapping):
            raise ValueError(f"predict expects a sequence of rows, got one: predict([{rows!r}])")
        by_seed = self.predictions(self.preprocessor.encode(rows, with_targets=False))
        return by_seed if per_seed else by_seed.mean(axis=0)

    def predictions(self, split: data.Split) -> np.ndarray:
        """Returns what every seed predicts: probabilities [seeds, examples, classes] or numbers [seeds, examples].

        Numbers are in the target's own unit: data.target_transform is undone.
        """
        predicted = np.asarray(self.objective.predict(jnp.asarray(self.outputs(split))))
        return predicted if self.preprocessor.spec.classes else self.preprocessor.invert_target(predicted)


def load(workdir: str | pathlib.Path) -> TrainedRun:
    """Restores a finished run from its workdir alone; no dataset is needed.

    Raises:
      ValueError: if there is no finished run.
    """
    workdir = pathlib.Path(workdir)
    missing = [
        name
        for name in (files.CONFIG_FILE, files.PREPROCESSOR_FILE, files.RESULTS_FILE, "checkpoints/best")
        if not (workdir / name).exists()
    ]
    if missing:
        raise ValueError(
            f"workdir {workdir} holds no finished run ({', '.join(missing)} missing): train it with train.py first"
        )
    config = ml_collections.ConfigDict(files.read_json(workdir / files.CONFIG_FILE))
    preprocessor = data.load_preprocessor(workdir / files.PREPROCESSOR_FILE)
    network = make_network(config, preprocessor.spec)
    variables = restore_best(workdir, abstract_variables(network, len(config.seeds)))
    diverged = files.read_json(workdir / files.RESULTS_FILE)["diverged"]
    return TrainedRun(config, network, variables, preprocessor, [int(seed) for seed in diverged])


def abstract_variables(network: Network, num_seeds: int) -> Variables:
    """Returns the shapes of a network's variables with a leading seed axis."""
    one = jax.eval_shape(lambda: network.init(nnx.Rngs(0)))
    return jax.tree.map(lambda x: jax.ShapeDtypeStruct((num_seeds, *x.shape), x.dtype), one)
