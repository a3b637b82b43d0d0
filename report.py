"""Writes the report of a sweep or of plain runs: which combiner to use, and how sure that is.

  python report.py runs/sweeps/sentiment_combiners
  python report.py runs/sentiment_sum runs/sentiment_concat --output=runs/sum_or_concat
  python report.py runs/sweeps/sentiment_combiners --margin=0.01 --reference=mean
  python report.py runs/sweeps/claims --claims=docs/claims.md

Reads the result files alone and writes report.html, report.md, results.parquet and results.csv, by default into the
sweep's folder.
"""

import pathlib

from absl import flags

from analysis.findings import write_findings
from training import command_line

OUTPUT = flags.DEFINE_string(
    "output", None, "Folder for the report; by default the sweep's own, or 'report' beside the runs."
)
MARGIN = flags.DEFINE_float(
    "margin",
    None,
    "Differences up to here do not matter, in the metric's unit; by default what the sweep says, else 0.005 of "
    "accuracy or 1% of the reference's RMSE.",
    lower_bound=0.0,
)
REFERENCE = flags.DEFINE_string(
    "reference", None, "The arm that others are compared with; by default what the sweep says, else sum."
)
METRIC = flags.DEFINE_string(
    "metric", None, "The test metric that decides; by default what the sweep says, else accuracy or rmse."
)
CLAIMS = flags.DEFINE_string(
    "claims", None, "Where the page of a sweep's claims goes; by default claims.md beside the report."
)


def main(*folders: str) -> None:
    """Writes the report and prints the decisions."""
    print(
        write_findings(
            [pathlib.Path(folder) for folder in folders],
            pathlib.Path(OUTPUT.value) if OUTPUT.value else None,
            pathlib.Path(CLAIMS.value) if CLAIMS.value else None,
            margin=MARGIN.value,
            reference=REFERENCE.value,
            metric=METRIC.value,
        )
    )


if __name__ == "__main__":
    command_line.main(main, takes_arguments=True)
