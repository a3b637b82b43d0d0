"""Evaluates a finished run on a split of its data, or on a file of yours.

  python eval.py --workdir=runs/sentiment_sum
  python eval.py --workdir=runs/sentiment_sum --split=validation --predictions=out.csv
  python eval.py --workdir=runs/sentiment_sum --config.data.path_test=new_reviews.csv --predictions=out.csv
  python eval.py --config=configs/sentiment_sum.py

A file without labels gives predictions only.
"""

import pathlib

from absl import flags

from training import command_line, evaluate_workdir, print_evaluation

WORKDIR = flags.DEFINE_string(
    "workdir", None, "The run's folder; with --config alone, that config's default one."
)
SPLIT = flags.DEFINE_string(
    "split",
    "test",
    "Which split of the run's own data: train, validation, test or another that the task has.",
)
PREDICTIONS = flags.DEFINE_string("predictions", None, "Write one CSV row per example to this file.")


def main() -> None:
    """Evaluates and prints what came out."""
    workdir, overrides = command_line.finished_run(WORKDIR.value)
    path = overrides.get("data.path_test", "")
    if path and flags.FLAGS["split"].present:
        raise ValueError(
            f"--split names a split of the run's own data, --config.data.path_test={path} another file"
        )
    predictions = pathlib.Path(PREDICTIONS.value) if PREDICTIONS.value else None
    print_evaluation(
        evaluate_workdir(
            workdir,
            SPLIT.value,
            path=path,
            columns={
                field.removeprefix("data."): value
                for field, value in overrides.items()
                if field not in ("data.path_test", "data.dir")
            },
            data_dir=overrides.get("data.dir", ""),
            predictions=predictions,
        )
    )


if __name__ == "__main__":
    command_line.main(main, command_line.define_run_config)
