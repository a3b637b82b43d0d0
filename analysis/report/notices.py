"""What a reader must know before believing a table: each notice is one sentence or two."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from scipy import stats

from .evidence import Arm, Experiment
from .intervals import LEVEL
from .loading import read_fingerprints
from .resampling import resampled_arms
from .same_function import same_function_notices
from .sentences import FEWEST_SEEDS, code, listing, metric_name, number

_TOLERANCE = 0.01  # of "the same number of parameters", as model.match=params has it
_HELD_EQUAL = {"width": "the combined width", "embed": "the embedding width", "params": "the parameters"}


def notices(experiment: Experiment) -> tuple[str, ...]:
    """Returns the warnings that belong to an experiment, the gravest first; labels stand in backticks.

    Failed arms and diverged seeds; arms that did not have the same examples, or not the same versions or device; too
    few seeds; too few test examples for the margin; seeds that were used twice; settings at the edge of their grid;
    replicas that diverged in the tuning; arms that are the same function; different numbers of parameters.
    """
    return (
        *_failures(experiment),
        *_diverged_seeds(experiment),
        *_unlike_runs(experiment),
        *_unlike_examples(experiment),
        *_few_seeds(experiment),
        *_few_examples(experiment),
        *_seeds_used_twice(experiment),
        *_edges(experiment),
        *_diverged_in_tuning(experiment),
        *same_function_notices(experiment),
        *_parameters(experiment),
    )


def _failures(experiment: Experiment) -> list[str]:
    said = [f"{code(failure.label)} has no result: {failure.reason}." for failure in experiment.failures]
    if experiment.arms and experiment.reference not in {arm.label for arm in experiment.arms}:
        said.append(
            f"The reference {code(experiment.reference)} has no result, so nothing is compared with it."
        )
    return said


def _diverged_seeds(experiment: Experiment) -> list[str]:
    said = []
    for arm in experiment.arms:
        diverged = arm.results.get("diverged") or {}
        if diverged:
            when = ", ".join(f"seed {seed} at step {step:,}" for seed, step in diverged.items())
            said.append(
                f"{code(arm.label)} diverged with {when}: it gets no mean, which its other seeds would flatter."
            )
    return said


def _unlike_runs(experiment: Experiment) -> list[str]:
    facts: list[tuple[str, Callable[[Arm], str | None]]] = [
        (
            "were not tested on the same examples, so their differences mix the arms with the data",
            _test_data,
        ),
        ("were run with different versions", lambda arm: _versions(arm.results["versions"])),
        (
            "were run on different devices, so their times cannot be compared",
            lambda arm: arm.results["device"],
        ),
    ]
    said = []
    for what, fact in facts:
        groups: dict[str, list[str]] = {}
        for arm in experiment.arms:
            value = fact(arm)
            if value is not None:
                groups.setdefault(value, []).append(arm.label)
        if len(groups) > 1:
            listed = "; ".join(f"{value}: {listing(labels)}" for value, labels in groups.items())
            said.append(f"Arms {what}. {listed}.")
    return said


def _test_data(arm: Arm) -> str | None:
    """Returns what tells test sets apart: data set, size and, where the run wrote it, the fingerprint."""
    described = f"{arm.results['dataset']}, {arm.results['num_examples']['test']:,} examples"
    fingerprint = read_fingerprints(arm).get("test")
    return f"{described}, fingerprint {fingerprint[:8]}" if fingerprint else described


def _unlike_examples(experiment: Experiment) -> list[str]:
    """Says which splits other than test differ between arms that have the same data config."""
    said = []
    groups: dict[str, list[Arm]] = {}
    for arm in experiment.arms:
        config = json.dumps(arm.results["config"]["data"], sort_keys=True, default=str)
        groups.setdefault(config, []).append(arm)
    for arms in groups.values():
        known = {arm.label: read_fingerprints(arm) for arm in arms}
        for split in sorted({split for splits in known.values() for split in splits} - {"test"}):
            labels: dict[str, list[str]] = {}
            for label, splits in known.items():
                if split in splits:
                    labels.setdefault(splits[split][:8], []).append(label)
            if len(labels) > 1:
                listed = "; ".join(f"fingerprint {value}: {listing(of)}" for value, of in labels.items())
                said.append(
                    f"Arms with the same data config did not have the same {split.replace('_', ' ')} examples, so "
                    f"their differences mix the arms with the data. {listed}."
                )
    return said


def _versions(versions: Mapping[str, Any]) -> str:
    return ", ".join(f"{package} {version}" for package, version in sorted(versions.items()))


def _few_seeds(experiment: Experiment) -> list[str]:
    few = {arm.label: len(arm.results["seeds"]) for arm in experiment.arms}
    few = {label: count for label, count in few.items() if count < FEWEST_SEEDS}
    if not few:
        return []
    counts = sorted(set(few.values()))
    if len(counts) == 1 and len(few) == len(experiment.arms):
        who = f"There {'is 1 seed' if counts == [1] else f'are {counts[0]} seeds'} per arm"
    else:
        who = f"Few seeds: {', '.join(f'{code(label)} {count}' for label, count in few.items())}"
    return [
        f"{who}. A claim needs at least {FEWEST_SEEDS}: with fewer, intervals are wide and settle little."
    ]


def _few_examples(experiment: Experiment) -> list[str]:
    """Says whether the choice of test examples alone leaves more open than the margin.

    By the bootstrap over examples of the differences between arms, seeds held fixed; the median over all pairs.
    """
    resampled = resampled_arms(experiment)
    sizes = {arm.label: arm.items.shape[1] for arm in experiment.arms if arm.items is not None}
    labels = list(resampled)
    errors = [
        float(np.std(resampled[a] - resampled[b]))
        for i, a in enumerate(labels)
        for b in labels[i + 1 :]
        if sizes[a] == sizes[b]
    ]
    if not errors:
        return []
    half = float(stats.norm.isf((1 - LEVEL) / 2) * np.median(errors))
    if half <= experiment.margin:
        return []
    factor = (half / experiment.margin) ** 2 if experiment.margin > 0 else np.inf
    times = f"{factor:.1f}" if factor < 10 else f"{factor:,.0f}"
    needed = f" About {times} times as many examples would tell." if np.isfinite(factor) else ""
    return [
        f"The test set of {max(sizes.values()):,} examples is small for a margin of "
        f"{number(experiment, experiment.margin)}: whatever the seeds, which examples were drawn moves a difference "
        f"in {metric_name(experiment)} by about ±{number(experiment, half)}.{needed}"
    ]


def _seeds_used_twice(experiment: Experiment) -> list[str]:
    twice: dict[tuple[int, ...], list[str]] = {}
    for arm in experiment.arms:
        if arm.tuning is not None:
            both = tuple(sorted(set(arm.tuning["seeds"]) & set(arm.results["seeds"])))
            if both:
                twice.setdefault(both, []).append(arm.label)
    return [
        f"Seeds {', '.join(map(str, seeds))} of {listing(labels)} also chose the settings: settings that suited "
        "these very seeds flatter their results. Take fresh seeds."
        for seeds, labels in twice.items()
    ]


def _edges(experiment: Experiment) -> list[str]:
    said = []
    for field, grid, name in (
        ("learning_rate", "learning_rates", "learning rate"),
        ("embedding_scale", "embedding_scales", "embedding scale"),
    ):
        for end, word in ((max, "largest"), (min, "smallest")):
            at_edge: dict[float, list[str]] = {}
            for arm in experiment.arms:
                if arm.tuning is None or len(set(arm.tuning[grid])) < 2:
                    continue
                edge = end(arm.tuning[grid])
                if arm.tuning["chosen"][field] == edge and _as_good(arm.tuning, field) == {edge}:
                    at_edge.setdefault(float(edge), []).append(arm.label)
            said += [
                f"{listing(labels)} chose the {word} {name} of the grid, {value:g}: a better one may lie beyond."
                for value, labels in at_edge.items()
            ]
    return said


def _as_good(tuning: Mapping[str, Any], field: str) -> set[float]:
    """Returns the values of a field in all settings whose mean score is that of the chosen one, itself included.

    Where they are several, as where every setting scores the same, the choice among them was made by their order.
    """
    means = np.array(tuning["scores"], float).mean(axis=2)  # scales x rates
    chosen = tuning["chosen"]
    scale = tuning["embedding_scales"].index(chosen["embedding_scale"])
    rate = tuning["learning_rates"].index(chosen["learning_rate"])
    scales, rates = np.nonzero(np.isclose(means, means[scale, rate], rtol=0, atol=1e-9))
    if field == "learning_rate":
        return {tuning["learning_rates"][i] for i in rates} | {chosen[field]}
    return {tuning["embedding_scales"][i] for i in scales} | {chosen[field]}


def _diverged_in_tuning(experiment: Experiment) -> list[str]:
    said = []
    for arm in experiment.arms:
        if arm.tuning is None:
            continue
        diverged = np.asarray(arm.tuning["diverged_steps"]) >= 0
        if diverged.any():
            rates = np.asarray(arm.tuning["learning_rates"], float)[diverged.any(axis=(0, 2))]
            said.append(
                f"In the tuning of {code(arm.label)} {diverged.sum()} of {diverged.size} replicas diverged, from "
                f"learning rate {rates.min():g} on."
            )
    return said


def _parameters(experiment: Experiment) -> list[str]:
    if len(experiment.arms) < 2:
        return []
    totals = {arm.label: arm.results["num_params"]["total"] for arm in experiment.arms}
    fewest, most = min(totals, key=lambda label: totals[label]), max(totals, key=lambda label: totals[label])
    modes = {arm.results["match"] for arm in experiment.arms}
    if totals[most] <= (1 + _TOLERANCE) * totals[fewest]:
        return []
    held = " or ".join(f"{_HELD_EQUAL[mode]} (match={mode})" for mode in sorted(modes))
    return [
        f"Parameter counts differ, from {totals[fewest]:,} ({code(fewest)}) to {totals[most]:,} ({code(most)}): what "
        f"is held equal is {held}."
    ]
