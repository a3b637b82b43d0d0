"""What a report says, gathered once for all its forms: decisions, tables as text, figures, warnings, provenance."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

from . import figures, figures_across, figures_data, figures_tuning
from .across import across
from .decision import Decision, decide
from .drawing import Drawing, Style, make_styles
from .evidence import Evidence, Experiment
from .loading import read_fingerprints
from .notices import notices
from .statistics import summarise
from .text_tables import TextTable, across_table, arms_table, modes_table


@dataclasses.dataclass(frozen=True)
class ExperimentContent:
    """What is said of one experiment.

    Attributes:
      name: of the experiment.
      title: for readers.
      question: '' where none was asked.
      sentences: the decision; labels stand in backticks, here and in all other text.
      modes: combiners by match modes; None where all arms share one mode.
      arms: a row per arm, then a row per reference without a combiner.
      drawings: its figures.
      warnings: what a reader has to know before believing the rest.
    """

    name: str
    title: str
    question: str
    sentences: tuple[str, ...]
    modes: TextTable | None
    arms: TextTable
    drawings: tuple[Drawing, ...]
    warnings: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class AcrossContent:
    """What is said over all experiments.

    Attributes:
      words: what was compared, and Friedman's test; '' where the experiments share too few arms to be compared.
      table: mean ranks and interquartile means; None likewise.
      drawings: its figures.
    """

    words: str
    table: TextTable | None
    drawings: tuple[Drawing, ...]


@dataclasses.dataclass(frozen=True)
class Content:
    """Everything that a report says.

    Attributes:
      title: of the report.
      experiments: in the sweep's order.
      across: None where the experiments have nothing in common.
      skipped: what is left out, each with the reason.
      provenance: (name, value) each.
      configs: {experiment: {arm: its exact config}}.
    """

    title: str
    experiments: tuple[ExperimentContent, ...]
    across: AcrossContent | None
    skipped: tuple[str, ...]
    provenance: tuple[tuple[str, str], ...]
    configs: Mapping[str, Mapping[str, Any]]

    def drawings(self) -> tuple[Drawing, ...]:
        """Returns every figure of the report."""
        return tuple(
            drawing
            for part in (*self.experiments, self.across)
            if part is not None
            for drawing in part.drawings
        )


def make_content(evidence: Evidence) -> Content:
    """Runs the statistics, draws the figures, and gathers what the report says."""
    experiments = evidence.experiments
    styles = make_styles([arm.label for experiment in experiments for arm in experiment.arms])
    return Content(
        title=evidence.name,
        experiments=tuple(_experiment(experiment, decide(experiment), styles) for experiment in experiments),
        across=_across(experiments, styles),
        skipped=evidence.skipped,
        provenance=_provenance(evidence),
        configs={e.name: {arm.label: dict(arm.results["config"]) for arm in e.arms} for e in experiments},
    )


def _experiment(experiment: Experiment, decision: Decision, styles: Mapping[str, Style]) -> ExperimentContent:
    summaries = summarise(experiment)
    drawings = (
        figures.forest(experiment, summaries, decision, styles),
        figures.learning_curves(experiment, styles),
        figures_data.data_curves(experiment),
        figures.pareto(experiment, summaries, styles),
        figures_tuning.learning_rates(experiment, styles),
    )
    return ExperimentContent(
        name=experiment.name,
        title=experiment.title,
        question=experiment.question,
        sentences=decision.sentences,
        modes=modes_table(experiment),
        arms=arms_table(experiment, summaries, decision),
        drawings=tuple(drawing for drawing in drawings if drawing is not None),
        warnings=notices(experiment),
    )


def _across(experiments: Sequence[Experiment], styles: Mapping[str, Style]) -> AcrossContent | None:
    curves = figures_data.data_curves_across(experiments)
    over_all = across(experiments)
    if over_all is None:
        return AcrossContent("", None, curves) if curves else None
    drawings = (
        *curves,
        figures_across.critical_difference(over_all, styles),
        figures_across.heat_map(over_all, experiments),
    )
    words = (
        f"{len(over_all.labels)} arms have a result in each of {len(over_all.experiments)} experiments. "
        f"Friedman's test that their ranks differ by chance alone: p = {over_all.friedman_p:.3g}."
    )
    return AcrossContent(
        words, across_table(over_all), tuple(drawing for drawing in drawings if drawing is not None)
    )


def _provenance(evidence: Evidence) -> tuple[tuple[str, str], ...]:
    arms = [arm for experiment in evidence.experiments for arm in experiment.arms]
    versions = dict.fromkeys(
        ", ".join(f"{name} {version}" for name, version in arm.results["versions"].items()) for arm in arms
    )
    devices = dict.fromkeys(str(arm.results["device"]) for arm in arms)
    lines = [
        ("command", f"`{evidence.command}`"),
        ("versions", "; ".join(versions)),
        ("device", "; ".join(devices)),
    ]
    for experiment in evidence.experiments:
        for fingerprints, labels in _fingerprints(experiment).items():
            splits = json.loads(fingerprints)
            known = ", ".join(f"{split} `{fingerprint[:16]}`" for split, fingerprint in splits.items())
            of_arms = (
                "" if len(labels) == len(experiment.arms) else f" of {', '.join(f'`{x}`' for x in labels)}"
            )
            lines.append(
                (f"data of {experiment.name}{of_arms}", known or "no fingerprint (data.json is missing)")
            )
    return tuple(lines)


def _fingerprints(experiment: Experiment) -> dict[str, list[str]]:
    """Returns {what data.json says, as JSON: labels of the arms}, '{}' where it cannot be read."""
    groups: dict[str, list[str]] = {}
    for arm in experiment.arms:
        groups.setdefault(json.dumps(read_fingerprints(arm), sort_keys=True), []).append(arm.label)
    return groups
