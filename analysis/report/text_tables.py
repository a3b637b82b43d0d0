"""The tables of a report as finished text, for any form of page."""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from .across import Across
from .costs import step_seconds
from .decision import Decision
from .drawing import metric_name, short
from .evidence import Arm, Experiment
from .references import references
from .statistics import ArmSummary, student_interval
from .tables import embedding_scale, learning_rate
from .variants import TUNED_FIELDS, name_variants

NOTHING = "–"


@dataclasses.dataclass(frozen=True)
class TextTable:
    """A table of finished cells; the first column names the rows, the others are numbers or a word."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def arms_table(experiment: Experiment, summaries: Sequence[ArmSummary], decision: Decision) -> TextTable:
    """Returns a row per arm, the best first, then one per reference that has no combiner.

    The learning rate is the one chosen in tuning or, for a plain run, the one it had; so is the embedding scale, which
    is shown only where it differs between arms.
    """
    digits = decimals(experiment.margin)
    name = metric_name(experiment.metric)
    outcomes = {verdict.label: verdict.outcome for verdict in decision.verdicts}
    arms = {arm.label: arm for arm in experiment.arms}
    direction = "" if experiment.higher_is_better else " (less is better)"
    with_scale = len({embedding_scale(arm) for arm in experiment.arms}) > 1
    header = (
        "arm",
        "verdict",
        f"test {name}, mean ± 95% over seeds",
        "95% over test examples",
        f"difference from `{experiment.reference}`{direction}",
        "adjusted p",
        f"effect size{direction}",
        f"P(better than `{experiment.reference}`)",
        "rank",
        "embedding parameters",
        "other parameters",
        "FLOPs per example",
        "step time (ms)",
        "learning rate",
        *(("embedding scale",) if with_scale else ()),
    )
    rows = [
        (
            f"`{s.label}`",
            outcomes.get(s.label, NOTHING),
            _mean(s, digits),
            _range(s.items_ci95, digits),
            *_versus_reference(s, digits),
            NOTHING if s.rank is None else f"{s.rank}{_in_brackets(s.rank_ci95, 0)}",
            *_costs(arms[s.label]),
            number(learning_rate(arms[s.label])),
            *((number(embedding_scale(arms[s.label])),) if with_scale else ()),
        )
        for s in best_first(summaries, experiment.higher_is_better)
    ]
    for reference, value in references(experiment).items():
        cells = (reference.replace("_", " "), "no combiner", f"{value:.{digits}f}")
        rows.append((*cells, *[""] * (len(header) - len(cells))))
    return TextTable(header, tuple(rows))


def modes_table(experiment: Experiment) -> TextTable | None:
    """Returns combiners by match modes, mean ± half of the 95% interval over seeds; None with a single mode."""
    modes = list(dict.fromkeys(arm.results["match"] for arm in experiment.arms))
    if len(modes) < 2:
        return None
    names = name_variants(experiment.arms, ignore=("model.match", *TUNED_FIELDS))
    cells: dict[tuple[str, str], list[str]] = {}
    per_seed, digits = experiment.per_seed(), decimals(experiment.margin)
    for name, arm in zip(names, experiment.arms, strict=True):
        values = per_seed[arm.label]
        interval = student_interval(values)
        if not np.isfinite(values).all():
            text = "diverged"
        else:
            half = "" if interval is None else f" ± {(interval[1] - interval[0]) / 2:.{digits}f}"
            text = f"{values.mean():.{digits}f}{half}"
        cells.setdefault((name, arm.results["match"]), []).append(text)
    rows = tuple(
        (f"`{name}`", *("; ".join(cells.get((name, mode), [NOTHING])) for mode in modes))
        for name in dict.fromkeys(names)
    )
    return TextTable(("combiner", *(f"match = {mode}" for mode in modes)), rows)


def across_table(across: Across) -> TextTable:
    """Returns the arms with their mean rank and interquartile mean over experiments, the best mean rank first."""
    rows = sorted(zip(across.mean_ranks, across.interquartile_means, across.labels, strict=True))
    cells = tuple((f"`{label}`", f"{rank:.2f}", f"{middle:.3f}") for rank, middle, label in rows)
    return TextTable(("arm", "mean rank", "interquartile mean of normalised scores"), cells)


def best_first(summaries: Sequence[ArmSummary], higher_is_better: bool) -> list[ArmSummary]:
    """Returns the arms by their mean, the best first and those without one last."""
    sign = -1 if higher_is_better else 1
    return sorted(summaries, key=lambda s: math.inf if s.mean is None else sign * s.mean)


def decimals(margin: float) -> int:
    """Returns how many decimals show a tenth of the margin; four where there is no margin."""
    return 4 if margin <= 0 else max(0, math.ceil(-math.log10(margin)) + 1)


def number(value: float | None) -> str:
    """Returns a number in three digits, a dash where there is none."""
    return NOTHING if value is None or not math.isfinite(value) else f"{value:.3g}"


def _mean(summary: ArmSummary, digits: int) -> str:
    if summary.mean is None:
        return "diverged"
    if summary.ci95 is None:
        return f"{summary.mean:.{digits}f} (one seed)"
    return f"{summary.mean:.{digits}f} ± {(summary.ci95[1] - summary.ci95[0]) / 2:.{digits}f}"


def _versus_reference(summary: ArmSummary, digits: int) -> tuple[str, str, str, str]:
    """Returns the cells of difference, adjusted p, effect size and probability of improvement."""
    difference = summary.versus_reference
    if difference is None:
        return (NOTHING,) * 4
    text = _signed(difference.mean, digits)
    if difference.ci95 is not None:
        text += f" ± {(difference.ci95[1] - difference.ci95[0]) / 2:.{digits}f}"
    p = summary.p_adjusted
    effect = difference.effect_size
    probability = summary.probability_of_improvement
    return (
        text,
        NOTHING if p is None else "< 0.001" if p < 0.001 else f"{p:.3f}",
        NOTHING
        if effect is None
        else f"{effect:+}".replace("inf", "∞")
        if math.isinf(effect)
        else _signed(effect, 1),
        NOTHING if probability is None else f"{probability:.2f}{_in_brackets(summary.probability_ci95, 2)}",
    )


def _signed(value: float, digits: int) -> str:
    return f"{value:+.{digits}f}".replace("-", "−").replace("inf", "∞")


def _costs(arm: Arm) -> tuple[str, str, str, str]:
    params, flops, seconds = (
        arm.results["num_params"],
        arm.results.get("flops_per_example"),
        step_seconds(arm),
    )
    return (
        f"{params['embedding']:,}",
        f"{params['other']:,}",
        NOTHING if flops is None else short(flops),
        number(1000 * seconds),
    )


def _range(interval: tuple[float, float] | None, digits: int) -> str:
    return NOTHING if interval is None else f"{interval[0]:.{digits}f} to {interval[1]:.{digits}f}"


def _in_brackets(interval: tuple[float | int, float | int] | None, digits: int) -> str:
    return "" if interval is None else f" ({interval[0]:.{digits}f} to {interval[1]:.{digits}f})"
