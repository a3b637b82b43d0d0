"""Arms that compute the same function: found so by their results, or known to be so by their formulas."""

import itertools
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from .evidence import Arm, Experiment
from .sentences import listing

_SCALED_SUMS = ("sum", "mean", "sqrtn")
_SIDE_BY_SIDE = ("concat", "padded_sum")
_MAPPED_SUMS = ("position_sum", "projected_concat")

# Fields of config.model that a combiner brings with it, or that are tuned for it.
_OF_THE_COMBINER = ("combiner", "embedding_scale", "embedding_mean")

_EXPECTED = "Once tuned they should tie; a difference is one of training, not of what they can compute."


def same_function_notices(experiment: Experiment) -> list[str]:
    """Says which arms are one function, so that nobody reads a preference into the difference between them."""
    said = []
    explained: set[tuple[str, str]] = set()
    for group in _found(experiment):
        labels = [arm.label for arm in group]
        said.append(
            f"{listing(labels)} {_alike(group, experiment.metric)} with every seed: on this test data they are the "
            "same function."
        )
        explained |= _pairs(labels)
    for arms in _variants(experiment.arms):
        for labels, reason in _known(arms, experiment.metric):
            if len(labels) > 1 and not _pairs(labels) <= explained:
                said.append(f"{listing(labels)} {reason} {_EXPECTED}")
                explained |= _pairs(labels)
    return said


def _pairs(labels: Iterable[str]) -> set[tuple[str, str]]:
    return set(itertools.combinations(sorted(labels), 2))


def _alike(arms: Sequence[Arm], metric: str) -> str:
    """Returns in what arms with the same results are alike."""
    if any(arm.items is None for arm in arms):
        return "have the same test metric"
    return "gave the same right and wrong answers" if metric == "accuracy" else "made the same errors"


def _found(experiment: Experiment) -> list[list[Arm]]:
    """Returns the arms with the same results, group by group."""
    groups: list[list[Arm]] = []
    for arm in experiment.arms:
        group = next((group for group in groups if _same_results(experiment, group[0], arm)), None)
        if group is None:
            groups.append([arm])
        else:
            group.append(arm)
    return [group for group in groups if len(group) > 1]


def _same_results(experiment: Experiment, a: Arm, b: Arm) -> bool:
    """Returns whether two arms are alike on every test example; without items, whether they are for every seed.

    What does not vary says nothing: two arms may be right on every example, each in its own way, and, where only the
    metric is known, whatever is blind to order has an accuracy of one half on pairs of a sentence and its twin.
    """
    if a.results["seeds"] != b.results["seeds"]:
        return False
    if a.items is not None and b.items is not None:
        if a.items.shape != b.items.shape or not a.items.size or np.ptp(a.items) == 0:
            return False
        return bool(np.allclose(a.items, b.items, rtol=1e-4, atol=1e-6 * float(np.abs(a.items).mean())))
    values = [experiment.per_seed()[arm.label] for arm in (a, b)]
    return bool(np.ptp(values[0]) > 0 and np.allclose(*values, rtol=1e-6, atol=0))


def _variants(arms: Sequence[Arm]) -> list[list[Arm]]:
    """Returns the arms in groups that have the data and the model in common, but for what the combiner brings."""
    groups: dict[str, list[Arm]] = {}
    for arm in arms:
        config = arm.results["config"]
        model = {key: value for key, value in config["model"].items() if key not in _OF_THE_COMBINER}
        groups.setdefault(json.dumps([config["data"], model], sort_keys=True, default=str), []).append(arm)
    return list(groups.values())


def _known(arms: Sequence[Arm], metric: str) -> list[tuple[list[str], str]]:
    """Returns labels and why they are one function; what explains most comes first.

    Args:
      arms: that differ by their combiners alone, so that the first speaks for all but for the number of vectors.
      metric: rmse means a single output.
    """
    first = arms[0].results
    own_tables, linear_head = _has_own_tables(first), _has_linear_head(first)
    sums = _SCALED_SUMS if _has_constant_number(first) else ("sum",)
    known = []
    if own_tables and linear_head:
        wide = "" if metric == "rmse" else ", if their parts are at least as wide as there are classes"
        known.append(
            (
                (*sums, *_SIDE_BY_SIDE, *_MAPPED_SUMS),
                f"are the same family of functions here{wide}: every slot has embeddings of its own and one linear "
                "map follows, so that each adds up one learned contribution per slot.",
            )
        )
    if own_tables:
        known.append(
            (
                (*sums, *_MAPPED_SUMS),
                "are the same family of functions here: every slot has embeddings of its own, which can take in a "
                "linear map per slot.",
            )
        )
    if linear_head and first["match"] == "embed":
        known.append(
            (
                (*_SIDE_BY_SIDE, *_MAPPED_SUMS),
                "are the same family of functions here: a linear map of a concatenation is a sum after a linear map "
                "per slot.",
            )
        )
    if len(sums) > 1:
        known.append(
            (
                sums,
                "are the same function up to a constant factor: every example has the same number of vectors.",
            )
        )
    known.append((_SIDE_BY_SIDE, "are the same function: a padded sum is a concatenation written as a sum."))
    known.append(
        (
            _MAPPED_SUMS,
            "are the same family of functions: a projected concatenation is a sum after a linear map per slot, and "
            "a bias.",
        )
    )
    return [
        ([arm.label for arm in arms if arm.results["combiner"] in names], reason) for names, reason in known
    ]


def _has_own_tables(results: Mapping[str, Any]) -> bool:
    """Returns whether every slot has embeddings that no other slot shares."""
    model = results["config"]["model"]
    return (
        results["task"] == "categorical"
        or bool(model.get("table_per_slot"))
        or (results["task"] == "mnist" and not model.get("shared_embedding"))
    )


def _has_linear_head(results: Mapping[str, Any]) -> bool:
    """Returns whether one linear map makes the outputs of the combined vector: no bend, no second text in between."""
    config = results["config"]
    bent = results["task"] == "mnist" or config["model"].get("hidden")
    return not bent and not config["data"].get("text_b_column")


def _has_constant_number(results: Mapping[str, Any]) -> bool:
    """Returns whether every example has as many vectors as any other, in training, too, and all count alike."""
    config = results["config"]
    varied = config["data"].get("weights") or config["model"].get("word_dropout")
    return bool(results.get("fixed_length")) and not varied
