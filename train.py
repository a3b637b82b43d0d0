"""Trains one configuration on all its seeds.

  python train.py --config=configs/sentiment_sum.py
  python train.py --config=configs/sentiment.py:combiner=mean,smoke
  python train.py --config=configs/sentiment_sum.py --config.data.path=my.csv --config.optimizer.learning_rate=3e-3

Every field of a config can be overridden as --config.field=value; configs/sentiment.py says what they are. An
interrupted run goes on where it was when the same command is given again.
"""

import pathlib

from absl import flags

from training import command_line, print_summary, run

WORKDIR = flags.DEFINE_string("workdir", None, "Where the run's files go; by default runs/<config name>.")


def main() -> None:
    """Trains and prints what came out."""
    workdir = pathlib.Path(WORKDIR.value) if WORKDIR.value else command_line.default_workdir()
    print_summary(run(command_line.config(), workdir), workdir)


if __name__ == "__main__":
    command_line.main(main, command_line.define_config_file)
