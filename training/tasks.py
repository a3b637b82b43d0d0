"""Which lifecycle a task has: examples with targets, or word vectors from running text."""

import pathlib
from typing import Any

from . import evaluation, lifecycle, words
from . import workdir as files


def run(config: Any, workdir: pathlib.Path, *, profile: bool = False) -> dict[str, Any]:
    """Trains every seed of a configuration and measures what came out, once.

    A run that was interrupted goes on from its newest checkpoint and comes to the same result, bit for bit, as an
    undisturbed one. A finished run is not repeated: its results are returned.

    Args:
      config: the whole configuration, as configs/sentiment.py or configs/skip_gram.py describes it.
      workdir: where the files of the run go.
      profile: whether to find out where the time of a step goes: WORKDIR/profile, which training.print_profile shows.

    Returns:
      What results.json holds.

    Raises:
      ValueError: for a setting or data that cannot be, a workdir of another config, or one in use.
      DivergedError: if a loss is not finite and train.on_divergence is 'stop'.
      KeyboardInterrupt: after SIGINT or SIGTERM, once what is under way is saved.
    """
    lifecycle_of_task = words if config.get("task") == "skip_gram" else lifecycle
    return lifecycle_of_task.run(config, workdir, profile=profile)


def evaluate_workdir(
    workdir: pathlib.Path, split: str = "test", *, path: str = "", **options: Any
) -> dict[str, Any]:
    """Evaluates every seed of a finished run on a split or a file of the user's.

    Args:
      workdir: of the run.
      split: 'train', 'validation', 'test' or another of the run's own data.
      path: a file to evaluate on instead.
      **options: further ones of `evaluation.evaluate_workdir`.

    Returns:
      What was measured, and the files that it was written to.

    Raises:
      ValueError: for a workdir without a finished run, an unknown split, or options that the task does not have.
    """
    config = workdir / files.CONFIG_FILE
    if not config.exists() or files.read_json(config).get("task") != "skip_gram":
        return evaluation.evaluate_workdir(workdir, split, path=path, **options)
    if options.get("predictions") is not None:
        raise ValueError(
            "word vectors predict nothing for --predictions; configs/export_vectors.py writes them"
        )
    return words.evaluate(workdir, split, path=path)
