"""Judges sentences that people repeat by tests that were stated before the experiments were run.

A claim is a sentence with checks. A check either compares a weighted sum of arms with a bound, by the 95% interval of
its mean over seeds, or computes an identity on the spot.
"""

import dataclasses
import json
import pathlib
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from data.atomic import write_text
from data.nearest import nearest

from .claim_verdict import VERDICTS, Check, ClaimVerdict
from .claims_page import claims_page
from .identities import IDENTITIES, TOLERANCE
from .report.evidence import Evidence, Experiment
from .report.loading import load_sweep
from .report.statistics import student_interval

RELATIONS = ("above", "within", "below")
_FIELDS = {"contrast": ("experiment", "weights", "relation", "bound"), "identity": ("name",)}
_MARGINS = {"margin": 1.0, "-margin": -1.0}  # a bound given in words: times the experiment's margin


def check_claims(claims: Mapping[str, Any], labels: Mapping[str, Collection[str]]) -> None:
    """Refuses claims that cannot be judged; call it before anything is run.

    Args:
      claims: {name: {"sentence", "test", "expected", "checks": [check, …]}}. A check is {"kind": "contrast",
        "experiment", "weights": {label: weight}, "relation", "bound": a number, "margin" or "-margin", "relative_to":
        '' or the name of a reference} or {"kind": "identity", "name"}.
      labels: {experiment: the labels of its arms}.

    Raises:
      ValueError: naming everything that is wrong.
    """
    wrong = []
    for name, claim in claims.items():
        lacking = [field for field in ("sentence", "test", "expected", "checks") if not claim.get(field)]
        if lacking:
            wrong.append(f"claims.{name} lacks {', '.join(lacking)}")
            continue
        if claim["expected"] not in VERDICTS:
            wrong.append(
                f"claims.{name}.expected must be one of {', '.join(VERDICTS)}, got {claim['expected']!r}"
            )
        for index, check in enumerate(claim["checks"]):
            wrong += [f"claims.{name}.checks[{index}]: {fault}" for fault in _faults(check, labels)]
    if wrong:
        raise ValueError("; ".join(wrong))


def judge(evidence: Evidence) -> tuple[ClaimVerdict, ...]:
    """Judges the claims of a sweep.

    Args:
      evidence: of a sweep whose sweep.json holds "claims".

    Returns:
      A verdict per claim, in the order they were stated. A check of which a seed diverged or an arm has no result is
      not run, with the reason.

    Raises:
      ValueError: if the sweep states no claims, or one that cannot be judged; see `check_claims`.
    """
    sweep = evidence.sweep or {}
    if not sweep.get("claims"):
        raise ValueError(f"{evidence.name} states no claims: they stand in the config of a sweep")
    labels: dict[str, list[str]] = {name: [] for name in sweep["experiments"]}
    for arm in sweep["arms"]:
        labels[arm["experiment"]].append(arm["label"])
    check_claims(sweep["claims"], labels)
    titles = {name: stated["title"] for name, stated in sweep["experiments"].items()}
    experiments = {experiment.name: experiment for experiment in evidence.experiments}
    verdicts = []
    for name, claim in sweep["claims"].items():
        checks = tuple(
            _identity(check)
            if check["kind"] == "identity"
            else _contrast(check, titles, experiments.get(check["experiment"]))
            for check in claim["checks"]
        )
        verdict = _verdict([check.outcome for check in checks])
        verdicts.append(
            ClaimVerdict(name, claim["sentence"], claim["test"], claim["expected"], verdict, checks)
        )
    return tuple(verdicts)


def write_claims(sweep_folder: pathlib.Path, output: pathlib.Path) -> str:
    """Judges the claims of a sweep and writes the page and its numbers.

    Args:
      sweep_folder: holds sweep.json and trials/.
      output: of the page; the numbers go beside it, in a file of the same name that ends in .json.

    Returns:
      The verdicts and what was written, for the terminal.

    Raises:
      ValueError: if the folder is no sweep, has no results, or states no claims that can be judged.
    """
    evidence = load_sweep(pathlib.Path(sweep_folder))
    verdicts = judge(evidence)
    page = pathlib.Path(output).with_suffix(".md")
    page.parent.mkdir(parents=True, exist_ok=True)
    content = {
        "sweep": evidence.name,
        "command": evidence.command,
        "claims": {verdict.name: dataclasses.asdict(verdict) for verdict in verdicts},
    }
    write_text(page.with_suffix(".json"), json.dumps(content, indent=2, allow_nan=False) + "\n")
    write_text(page, claims_page(verdicts, evidence.command))
    told = [f"{verdict.verdict}: {verdict.name}" for verdict in verdicts]
    return "\n".join([*told, *(f"written: {path}" for path in (page.with_suffix(".json"), page))])


def _faults(check: Mapping[str, Any], labels: Mapping[str, Collection[str]]) -> list[str]:
    """Returns what is wrong with one check."""
    kind = check.get("kind")
    if kind not in _FIELDS:
        return [f"kind must be one of {', '.join(_FIELDS)}, got {kind!r}"]
    lacking = [field for field in _FIELDS[kind] if field not in check]
    if lacking:
        return [f"a {kind} needs {', '.join(lacking)}"]
    if kind == "identity":
        name = check["name"]
        return [] if name in IDENTITIES else [f"no identity {name!r}{nearest(name, IDENTITIES)}"]
    experiment, weights, bound = check["experiment"], check["weights"], check["bound"]
    if experiment not in labels:
        return [f"no experiment {experiment!r}{nearest(experiment, labels)}"]
    known = labels[experiment]
    faults = [
        f"{experiment} has no arm {label!r}{nearest(label, known)}" for label in weights if label not in known
    ]
    if not any(weights.values()):
        faults.append("its weights are all zero")
    if check["relation"] not in RELATIONS:
        faults.append(f"relation must be one of {', '.join(RELATIONS)}, got {check['relation']!r}")
    if isinstance(bound, str) and bound not in _MARGINS:
        faults.append(f"bound must be a number, {' or '.join(map(repr, _MARGINS))}, got {bound!r}")
    elif isinstance(bound, str) and check.get("relative_to"):
        faults.append("a margin is in the unit of the metric: beside relative_to, give the bound as a number")
    if check["relation"] == "within" and (bound == "-margin" or (not isinstance(bound, str) and bound < 0)):
        faults.append("within a bound means from −bound to bound: it must not be negative")
    return faults


def _contrast(check: Mapping[str, Any], titles: Mapping[str, str], experiment: Experiment | None) -> Check:
    weights, bound = {label: float(weight) for label, weight in check["weights"].items()}, check["bound"]
    terms = _terms(weights)
    described = {
        "where": titles[check["experiment"]],
        "relation": check["relation"],
        # Weights such as 1 and two times −0.5, or a third thrice, cancel up to rounding.
        "is_difference": abs(sum(weights.values())) < 1e-9,
    }
    if experiment is None:
        number = None if isinstance(bound, str) else float(bound)
        return _not_run(terms, number, "the experiment has no result yet", **described)
    number = _MARGINS[bound] * experiment.margin if isinstance(bound, str) else float(bound)
    relative_to = check.get("relative_to", "")
    if relative_to:
        statement = f"test {experiment.metric} over that of {relative_to.replace('_', ' ')}: {terms}"
    elif experiment.higher_is_better:
        statement = f"test {experiment.metric}: {terms}"
    else:
        statement = f"negated test {experiment.metric}: {terms}"
    values = _values(weights, relative_to, experiment)
    if isinstance(values, str):
        return _not_run(statement, number, values, **described)
    interval = student_interval(values)
    return Check(
        statement=statement,
        bound=number,
        mean=float(values.mean()),
        ci95=interval,
        num_seeds=len(values),
        outcome="undecided" if interval is None else _outcome(interval, check["relation"], number),
        reason="a single seed has no interval" if interval is None else "",
        **described,
    )


def _values(
    weights: Mapping[str, float], relative_to: str, experiment: Experiment
) -> Float[np.ndarray, " seeds"] | str:
    """Returns Σ weight · metric of every seed, or the reason why there is none."""
    arms = {arm.label: arm for arm in experiment.arms}
    failures = {failure.label: failure.reason for failure in experiment.failures}
    per_seed = experiment.per_seed()
    total: np.ndarray | float = 0.0
    for label, weight in weights.items():
        if label not in arms:
            return f"`{label}` has no result: {failures.get(label, 'it could not be read')}"
        values, seeds = per_seed[label], arms[label].results["seeds"]
        diverged = [str(seed) for seed, value in zip(seeds, values, strict=True) if not np.isfinite(value)]
        if diverged:
            return f"`{label}` diverged with seed {', '.join(diverged)}"
        if seeds != arms[next(iter(weights))].results["seeds"]:
            return "its arms were trained with different seeds, which cannot be paired"
        if relative_to:
            reference = arms[label].results.get("references", {}).get(relative_to, {}).get("test", {})
            if experiment.metric not in reference:
                return f"`{label}` has no reference {relative_to!r} of the test {experiment.metric}"
            values = values / reference[experiment.metric]
        elif not experiment.higher_is_better:
            values = -values
        total = total + weight * values
    return np.asarray(total)


def _outcome(interval: Sequence[float], relation: str, bound: float) -> str:
    low, high = interval
    if relation == "above":
        holds, is_violated = low > bound, high < bound
    elif relation == "below":
        holds, is_violated = high < bound, low > bound
    else:
        holds, is_violated = -bound <= low and high <= bound, high < -bound or low > bound
    return "supported" if holds else "refuted" if is_violated else "undecided"


def _identity(check: Mapping[str, Any]) -> Check:
    identity = IDENTITIES[check["name"]]
    difference = identity.difference(np.random.default_rng(0))
    return Check(
        statement=f"largest difference between the two sides of `{identity.formula}`",
        where="computed in float64 on random bags",
        relation="below",
        bound=TOLERANCE,
        mean=difference,
        ci95=None,
        num_seeds=0,
        is_difference=False,
        outcome="supported" if difference < TOLERANCE else "refuted",
        reason="",
    )


def _not_run(statement: str, bound: float | None, reason: str, **described: Any) -> Check:
    return Check(
        statement=statement,
        bound=bound,
        mean=None,
        ci95=None,
        num_seeds=0,
        outcome="not run",
        reason=reason,
        **described,
    )


def _verdict(outcomes: Sequence[str]) -> str:
    if all(outcome == "supported" for outcome in outcomes):
        return "supported"
    return next((verdict for verdict in ("refuted", "not run") if verdict in outcomes), "undecided")


def _terms(weights: Mapping[str, float]) -> str:
    """Returns a weighted sum as people write it, what is added before what is taken away: `a` − 0.5 `b`."""
    text = ""
    for label, weight in sorted(weights.items(), key=lambda term: term[1] < 0):
        size = "" if abs(weight) == 1 else f"{abs(weight):.3g} "
        sign = ("− " if weight < 0 else "+ ") if text else ("−" if weight < 0 else "")
        text += f"{' ' if text else ''}{sign}{size}`{label}`"
    return text
