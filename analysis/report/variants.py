"""What distinguishes arms: short names from the fields in which their configs differ."""

from collections.abc import Sequence
from typing import Any

from training.workdir import flatten

from .evidence import Arm

# Chosen by tuning, or said elsewhere in a report: no part of an arm's name unless nothing else differs.
TUNED_FIELDS = ("optimizer.learning_rate", "model.embedding_scale")
SIZE_FIELDS = ("data.train_fraction", "data.synthetic.num_train")
_MOST_FIELDS = 3


def name_variants(arms: Sequence[Arm], ignore: Sequence[str] = ()) -> list[str]:
    """Names arms by their combiner, and where that is not enough by what differs between those of one combiner.

    Args:
      arms: of one experiment.
      ignore: fields of the config that shall not tell arms apart; arms that differ in nothing else share a name.

    Returns:
      One name per arm, as 'sum' or 'concat, model.match=embed'. Without `ignore` they are unique: arms whose configs
      are equal, or differ in more than three fields, are told apart by their folders.
    """
    names: dict[int, str] = {}
    for combiner in dict.fromkeys(arm.results["combiner"] for arm in arms):
        group = [i for i, arm in enumerate(arms) if arm.results["combiner"] == combiner]
        configs = [flatten(arms[i].results["config"]) for i in group]
        fields = differing_fields(configs, ("model.combiner", *ignore))
        if len(fields) > _MOST_FIELDS and not ignore:
            fields = []
        for i, config in zip(group, configs, strict=True):
            names[i] = ", ".join([combiner, *(f"{field}={config.get(field)}" for field in fields)])
    found = [names[i] for i in range(len(arms))]
    if ignore:
        return found
    by_folder = [
        f"{name}, {arm.folder.name}" if found.count(name) > 1 else name
        for name, arm in zip(found, arms, strict=True)
    ]
    return [
        f"{name}, {arm.folder}" if by_folder.count(name) > 1 else name
        for name, arm in zip(by_folder, arms, strict=True)
    ]


def differing_fields(configs: Sequence[dict[str, Any]], ignore: Sequence[str] = ()) -> list[str]:
    """Returns the fields in which flattened configs differ, sorted."""
    fields = sorted({field for config in configs for field in config} - set(ignore))
    return [
        field for field in fields if any(config.get(field) != configs[0].get(field) for config in configs)
    ]
