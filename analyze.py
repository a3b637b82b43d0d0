"""Runs an analysis: a measurement that needs no trained model, and the pages made from it.

  python analyze.py --config=configs/diagnostics.py
  python analyze.py --config=configs/diagnostics.py --config.combiners=sum,mean,product --config.scale=1.0
  python analyze.py --config=configs/combiner_reference.py

Every field of a config can be overridden as --config.field=value; each config says what its fields are.
"""

import analysis
from training import command_line


def main() -> None:
    """Analyses and prints what came out."""
    print(analysis.analyze(command_line.config()))


if __name__ == "__main__":
    command_line.main(main, command_line.define_config_file)
