"""Trains one configuration on all its seeds.

  python train.py --config=configs/sentiment_sum.py
  python train.py --config=configs/sentiment.py:combiner=mean,smoke
  python train.py --config=configs/sentiment_sum.py --config.data.path=my.csv --config.optimizer.learning_rate=3e-3

Every field of a config can be overridden as --config.field=value; configs/sentiment.py says what they are. An
interrupted run goes on where it was when the same command is given again. --profile says where the time of a step goes
(docs/profiling.md); docs/several_devices.md is about more devices than one, and more processes.
"""

import pathlib

from absl import flags

from training import command_line, print_profile, print_summary, processes, run

WORKDIR = flags.DEFINE_string("workdir", None, "Where the run's files go; by default runs/<config name>.")
PROFILE = flags.DEFINE_bool(
    "profile", False, "Say where the time of a step goes, and write a trace of training to WORKDIR/profile."
)
COORDINATOR = flags.DEFINE_string("coordinator", None, "HOST:PORT of the first of several processes.")
PROCESS_ID = flags.DEFINE_integer("process_id", None, "Which of several processes this one is, from 0.")
NUM_PROCESSES = flags.DEFINE_integer("num_processes", None, "How many processes train this run together.")
DISTRIBUTED = flags.DEFINE_bool(
    "distributed", False, "Several processes train this run; find them as SLURM, Open MPI or Kubernetes tell."
)
LOST_AFTER = flags.DEFINE_integer(
    "lost_after", 100, "Seconds after which a silent process is taken for lost."
)


def main() -> None:
    """Trains and prints what came out."""
    workdir = pathlib.Path(WORKDIR.value) if WORKDIR.value else command_line.default_workdir()
    with processes.joined(
        COORDINATOR.value,
        PROCESS_ID.value,
        NUM_PROCESSES.value,
        detect=DISTRIBUTED.value,
        lost_after=LOST_AFTER.value,
    ):
        results = run(command_line.config(), workdir, profile=PROFILE.value)
        if processes.is_first():
            print_summary(results, workdir)
            if PROFILE.value:
                print_profile(workdir)


if __name__ == "__main__":
    command_line.main(main, command_line.define_config_file)
