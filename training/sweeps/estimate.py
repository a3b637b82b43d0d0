"""What a sweep is going to do and how long that takes at most: one arm of every experiment is timed for an epoch."""

import pathlib
import tempfile
import time
from collections.abc import Sequence

import jax
from rich.console import Console
from rich.table import Table

from training.replicas import replicas_of

from .plan import Arm, Plan
from .run import unfinished
from .shared_data import SharedData
from .trial import prepare


def print_plan(plan: Plan, workdir: pathlib.Path, shared: SharedData) -> None:
    """Prints every experiment with its arms, its grid, and the time that is left of it at most.

    The first arm that is left of an experiment is compiled and trained for one epoch; the others are taken to be like
    it, every seed to train all its epochs. Seeds that run out of patience stop earlier, so that it often takes half.
    """
    table = Table(title=f"{plan.name} in {workdir}", title_justify="left")
    for column in ("experiment", "arms", "grid", "tuning seeds", "fresh seeds", "epochs", "left", "at most"):
        table.add_column(column, justify="right" if column in ("left", "at most") else "left")
    total = 0.0
    left = unfinished(plan, workdir)
    for name, experiment in plan.experiments.items():
        arms = [arm for arm in plan.arms if arm.experiment == name]
        waiting = [arm for arm in left if arm.experiment == name]
        seconds = len(waiting) * seconds_per_trial(waiting[0], shared) if waiting else 0.0
        total += seconds
        tuning = arms[0].tuning
        grid = " ".join(f"{rate:g}" for rate in tuning.learning_rates)
        if len(tuning.embedding_scales) > 1:
            grid += " by scales " + " ".join(f"{scale:g}" for scale in tuning.embedding_scales)
        table.add_row(
            name,
            _labels(arms),
            grid,
            str(len(tuning.seeds)),
            str(len(arms[0].config.seeds)),
            str(experiment["base"]["train"]["epochs"]),
            f"{len(waiting)} of {len(arms)}",
            f"{seconds / 60:.1f} min",
        )
    console = Console(soft_wrap=False)
    if not console.is_terminal:
        console.width = 140
    console.print(table)
    console.print(
        f"{len(left)} of {len(plan.arms)} trials left, at most {total / 60:.1f} minutes one after the other on this "
        f"{jax.devices()[0].device_kind}; nothing was run",
        highlight=False,
        soft_wrap=True,
    )


def seconds_per_trial(arm: Arm, shared: SharedData) -> float:
    """Returns how long a trial takes if every replica trains all its epochs, from one epoch of the fresh seeds."""
    training = prepare(arm, shared).final
    with tempfile.TemporaryDirectory() as folder, training.epochs(pathlib.Path(folder)) as train_all:
        state = jax.block_until_ready(training.start(replicas_of(arm.config)))
        began = time.perf_counter()
        jax.block_until_ready(train_all(state, 0))
        epoch = time.perf_counter() - began
    runs = len(arm.tuning.replicas()) / len(arm.config.seeds) + 1
    return training.compile_seconds + epoch * runs * arm.config.train.epochs


def _labels(arms: Sequence[Arm]) -> str:
    shown = [arm.label for arm in arms[:12]]
    return ", ".join(shown) + (f", … {len(arms) - 12} more" if len(arms) > 12 else "")
