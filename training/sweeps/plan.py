"""From a sweep's config and its override dicts to arms that are known to be runnable."""

import dataclasses
import hashlib
import json
import math
import pathlib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import ml_collections

from data.nearest import nearest
from training.lifecycle import check_config
from training.network import make_network, make_program
from training.pretrained import find_pretrained
from training.replicas import Replica
from training.workdir import OPEN_SECTIONS, flatten

from .shared_data import SharedData

# Keys of an override dict that are no fields of a run's config.
EXPERIMENT, LABEL = "experiment", "label"
_COMMON = ("optimizer.learning_rate", "seeds", "task")
_SCALE = "model.embedding_scale"


@dataclasses.dataclass(frozen=True)
class Tuning:
    """What is tried on validation: every scale with every rate, from every seed."""

    learning_rates: tuple[float, ...]
    embedding_scales: tuple[float, ...]
    seeds: tuple[int, ...]

    def replicas(self) -> tuple[Replica, ...]:
        """Returns them all: scales change slowest, seeds fastest."""
        return tuple(
            Replica(seed, rate, scale)
            for scale in self.embedding_scales
            for rate in self.learning_rates
            for seed in self.seeds
        )


@dataclasses.dataclass(frozen=True)
class Arm:
    """One trial of a sweep.

    Attributes:
      experiment: the name of the question it belongs to.
      label: unique in the experiment.
      overrides: what makes it differ from the experiment's base.
      config: of its final run, but for the rate and scale that are yet to be chosen; config.seeds are the fresh seeds.
      tuning: what is chosen from.
      folder: relative to that of the sweep.
    """

    experiment: str
    label: str
    overrides: Mapping[str, Any]
    config: ml_collections.ConfigDict
    tuning: Tuning
    folder: pathlib.PurePosixPath


@dataclasses.dataclass(frozen=True)
class Plan:
    """A sweep before it is run.

    Attributes:
      name: of the sweep.
      experiments: name -> title, question, reference, metric, margin, tuning and base, as in the config.
      arms: in the order in which they are to be run.
      claims: what is to be judged from the results, as stated beforehand; empty for most sweeps.
    """

    name: str
    experiments: Mapping[str, Any]
    arms: Sequence[Arm]
    claims: Mapping[str, Any]

    def labels(self) -> dict[str, list[str]]:
        """Returns the labels of every experiment's arms."""
        return {name: [arm.label for arm in self.arms if arm.experiment == name] for name in self.experiments}


def make_plan(config: Any, overrides: Iterable[Mapping[str, Any]], shared: SharedData) -> Plan:
    """Returns the plan of a sweep, every arm of which has been tried out as far as that goes without training.

    Args:
      config: of the sweep; configs/sweeps/base.py says what it holds.
      overrides: one dict per arm: fields of the experiment's base; "experiment" where there are several of them, and
        "label" where the one made of the values would not do.
      shared: loads the data, and keeps it for the run.

    Raises:
      ValueError: naming every arm that cannot be, with the reason; for an empty sweep or grid; for two arms alike.
    """
    for name, experiment in config.experiments.items():
        _check_experiment(name, experiment, config.report.margin)
    arms, wrong = make_arms(config, overrides)
    for arm in arms:
        try:
            _try_out(arm, shared)
        except (ValueError, ImportError) as error:
            wrong.append(f"{arm.experiment}: {arm.label}: {error}")
    for name, experiment in config.experiments.items():
        labels = [arm.label for arm in arms if arm.experiment == name]
        if labels and experiment.reference not in labels and not wrong:
            wrong.append(
                f"experiments.{name}.reference: there is no arm {experiment.reference!r}"
                f"{nearest(experiment.reference, labels)}"
            )
    if wrong:
        raise ValueError("; ".join(wrong))
    used = {arm.experiment for arm in arms}
    experiments = {
        name: {**value, "margin": value["margin"] if value["margin"] is not None else config.report.margin}
        for name, value in config.experiments.to_dict().items()
        if name in used
    }
    return Plan(config.name, experiments, arms, config.claims.to_dict())


def make_arms(config: Any, overrides: Iterable[Mapping[str, Any]]) -> tuple[list[Arm], list[str]]:
    """Returns the arms of a sweep, and what is wrong with those that cannot be made; see `make_plan`.

    Raises:
      ValueError: if there are none.
    """
    arms, wrong = [], []
    for index, override in enumerate(overrides):
        try:
            arms.append(_make_arm(config, override))
        except ValueError as error:
            wrong.append(f"arm {index + 1} ({_describe(override)}): {error}")
    if not arms and not wrong:
        raise ValueError("the sweep is empty: sweep() yields no arm")
    wrong += [f"{arm.experiment}: two arms are called {arm.label!r}" for arm in _repeated(arms)]
    return arms, wrong


def _check_experiment(name: str, experiment: Any, margin: float | None) -> None:
    tuning = experiment.tuning
    for field in ("learning_rates", "seeds"):
        if not tuning[field]:
            raise ValueError(
                f"experiments.{name}.tuning.{field} is empty: the grid holds nothing to choose from"
            )
    if experiment.metric not in ("accuracy", "rmse"):
        raise ValueError(f"experiments.{name}.metric must be accuracy or rmse, got {experiment.metric!r}")
    values = {"learning_rates": tuning.learning_rates, "embedding_scales": tuning.embedding_scales}
    for field, grid in values.items():
        if any(not 0 < value < math.inf for value in grid) or len(set(grid)) < len(grid):
            raise ValueError(
                f"experiments.{name}.tuning.{field} must be different positive numbers, got {tuple(grid)}"
            )
    seeds = tuple(tuning.seeds)
    if len(set(seeds)) < len(seeds) or not all(type(s) is int and 0 <= s < 2**32 for s in seeds):
        raise ValueError(
            f"experiments.{name}.tuning.seeds must be different integers from 0 to 2**32 - 1, got {seeds}"
        )
    for field, value in ((f"experiments.{name}.margin", experiment.margin), ("report.margin", margin)):
        if value is not None and not 0 < value < math.inf:
            raise ValueError(f"{field} must be a positive number, got {value}")


def _make_arm(config: Any, override: Mapping[str, Any]) -> Arm:
    names = list(config.experiments)
    name = override.get(EXPERIMENT, names[0] if len(names) == 1 else None)
    if name not in names:
        raise ValueError(
            f"unknown experiment {name!r}{nearest(str(name), names)}; known are {', '.join(names)}"
        )
    experiment = config.experiments[name]
    fields = {field: value for field, value in override.items() if field not in (EXPERIMENT, LABEL)}
    run_config = experiment.base.copy_and_resolve_references()
    known = flatten(run_config.to_dict())
    unknown = [f for f in fields if f not in known and not f.startswith(OPEN_SECTIONS)]
    if unknown:
        raise ValueError("; ".join(f"unknown config field {f!r}{nearest(f, known)}" for f in unknown))
    fixed = [field for field in _COMMON if field in fields]
    if tuple(experiment.tuning.embedding_scales) and _SCALE in fields:
        fixed.append(_SCALE)
    if fixed:
        raise ValueError(
            f"{', '.join(fixed)}: chosen in tuning or the same for all arms; set it in experiments.{name} instead"
        )
    with run_config.unlocked():
        for field, value in fields.items():
            _set(run_config, field, value)
    run_config.train.on_divergence = "freeze"
    label = override.get(LABEL) or make_label(fields)
    tuning = Tuning(
        tuple(experiment.tuning.learning_rates),
        tuple(experiment.tuning.embedding_scales) or (run_config.model.embedding_scale,),
        tuple(experiment.tuning.seeds),
    )
    folder = pathlib.PurePosixPath("trials") / name / _file_name(label)
    return Arm(name, label, dict(override), run_config, tuning, folder)


def _set(config: Any, field: str, value: Any) -> None:
    *sections, name = field.split(".")
    for section in sections:
        config = config[section]
    try:
        config[name] = value
    except (TypeError, ValueError) as error:
        raise ValueError(f"{field}: {error}") from error


def make_label(fields: Mapping[str, Any]) -> str:
    """Returns a name for an arm: its combiner, and the other fields with the last part of their names."""
    parts = [str(fields["model.combiner"])] if "model.combiner" in fields else []
    parts += [
        f"{field.rpartition('.')[2]}={value}" for field, value in fields.items() if field != "model.combiner"
    ]
    return " ".join(parts) or "base"


def _file_name(label: str) -> str:
    """Returns a folder name for a label; a digest keeps apart labels that look alike without their odd letters."""
    plain = re.sub(r"[^A-Za-z0-9_.=-]+", "-", label)[:60]
    return plain if plain == label else f"{plain}-{hashlib.sha256(label.encode()).hexdigest()[:8]}"


def _repeated(arms: Sequence[Arm]) -> list[Arm]:
    seen: set[tuple[str, str]] = set()
    return [arm for arm in arms if (key := (arm.experiment, arm.label)) in seen or seen.add(key)]


def _describe(override: Mapping[str, Any]) -> str:
    return json.dumps(dict(override), default=str)


def _try_out(arm: Arm, shared: SharedData) -> None:
    """Raises ValueError for what a run of the arm would refuse: its config, data, model or program."""
    check_config(arm.config)
    dataset = shared.dataset(arm.config)
    network = make_network(arm.config, dataset.spec)
    make_program(arm.config, network, dataset.spec, len(dataset.splits["train"]))
    find_pretrained(arm.config, dataset)
