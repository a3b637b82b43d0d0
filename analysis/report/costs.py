"""What an arm costs: parameters, FLOPs, and the time of a training step."""

import math

from .evidence import Arm


def step_seconds(arm: Arm) -> float:
    """Returns the seconds of one optimiser step of one seed; NaN where unknown.

    Where the run measured it, the least over its epochs, so that other work on the machine counts little. Older runs
    know the seconds of the whole training alone: those over all steps of all seeds.
    """
    results = arm.results
    measured = results["timing"].get("step_seconds")
    if measured is not None and math.isfinite(measured):
        return float(measured)
    per_epoch = results.get("steps_per_epoch")
    if per_epoch is None and len(arm.history):  # the history counts steps too
        per_epoch = float((arm.history["step"] / arm.history["epoch"]).max())
    steps = sum(results["epochs"]) * (per_epoch or 0)
    return results["timing"]["train_seconds"] / steps if steps else math.nan


def cost(arm: Arm) -> tuple[int | float, int | float, float, str]:
    """Returns what cheap arms have little of: parameters, FLOPs of an example, seconds of a step; then the label.

    What was not measured counts as infinite.
    """
    flops, seconds = arm.results.get("flops_per_example"), step_seconds(arm)
    return (
        arm.results["num_params"]["total"],
        math.inf if flops is None else flops,
        math.inf if math.isnan(seconds) else seconds,
        arm.label,
    )
