"""Runs a sweep: every arm tuned on validation with the same budget, then trained afresh and tested once; and reports.

  python sweep.py --config=configs/sweeps/sentiment_combiners.py
  python sweep.py --config=configs/sweeps/sentiment_combiners.py:fast --dry_run
  python sweep.py --config=configs/sweeps/all_tasks.py --engine=ray --num_cpus=1
  python sweep.py --config=configs/sweeps/sentiment_combiners.py --config.experiments.sentiment.base.data.path=my.csv

The same command goes on where it was stopped: finished trials are kept, failed ones tried again. Every field of a
config can be overridden as --config.field=value; configs/sweeps/base.py says what they are.
"""

import os
import pathlib

from absl import flags

from analysis.claims import check_claims
from analysis.findings import write_findings
from training import command_line, sweeps

WORKDIR = flags.DEFINE_string(
    "workdir", None, "Where the sweep's files go; by default runs/sweeps/<config name>."
)
DRY_RUN = flags.DEFINE_bool("dry_run", False, "Print the plan and the time it takes at most; train nothing.")
REPORT = flags.DEFINE_bool("report", True, "Write the report when all trials have been run.")
ENGINE = flags.DEFINE_enum(
    "engine", "local", sweeps.ENGINES, "In this process, or as tasks of a Ray cluster."
)
RAY_ADDRESS = flags.DEFINE_string(
    "ray_address",
    os.environ.get("RAY_ADDRESS") or "local",
    "Of a running Ray cluster, 'auto' for this machine's, 'local' to start one here.",
)
NUM_CPUS = flags.DEFINE_float("num_cpus", 1, "Ray: CPUs that one trial takes.", lower_bound=0)
NUM_GPUS = flags.DEFINE_float(
    "num_gpus",
    None,
    "Ray: GPUs that one trial takes; by default 1 where this machine has one.",
    lower_bound=0,
)


def main() -> None:
    """Runs what is left of the sweep and reports on all of it."""
    workdir = pathlib.Path(WORKDIR.value) if WORKDIR.value else command_line.default_workdir("runs/sweeps")
    shared = sweeps.SharedData()
    plan = sweeps.make_plan(command_line.config(), command_line.sweep_overrides(), shared)
    check_claims(plan.claims, plan.labels())
    if DRY_RUN.value:
        sweeps.print_plan(plan, workdir, shared)
        return
    engine = sweeps.Engine(ENGINE.value, RAY_ADDRESS.value, NUM_CPUS.value, NUM_GPUS.value)
    sweeps.run_sweep(plan, workdir, command_line.command(), engine, shared)
    if REPORT.value:
        print(write_findings([workdir]))


if __name__ == "__main__":
    command_line.main(main, command_line.define_config_file)
