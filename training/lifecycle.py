"""One run from config to results.json: load, compile, train every seed, keep the best epoch, test once."""

import math
import pathlib
from collections.abc import Callable
from typing import Any

import jax
from rich.progress import Progress

import data

from . import workdir as files
from .checkpoints import ResumeCheckpoints, save_best
from .compilation import use_compilation_cache
from .epochs import train_replicas
from .pretrained import PRETRAINED_FILE, data_of_run, pretrained_of_run
from .processes import of_first, own_folder
from .profiling import PROFILE_FOLDER, profiled
from .references import References, measure_references
from .replicas import Training, replicas_of
from .results import diverged_seeds, make_results, write_test_items
from .trained import TrainedRun


def run(
    config: Any,
    workdir: pathlib.Path,
    *,
    training: Training | None = None,
    references: Callable[[], References] | None = None,
    bar: Progress | None = None,
    profile: bool = False,
) -> dict[str, Any]:
    """Trains every seed of a configuration and tests the best epoch of each, once.

    A run that was interrupted goes on from its newest checkpoint and comes to the same result, bit for bit, as an
    undisturbed one. A finished run is not repeated: its results are returned.

    Args:
      config: the whole configuration, as configs/sentiment.py describes it.
      workdir: where the files of the run go.
      training: the program of this config, where it is made already: one that differs in seeds, learning rate and
        initial scale alone will do.
      references: measures the references, where they are known already.
      bar: a progress display that is shown already; by default one of its own.
      profile: whether to find out where the time of a step goes; see training/profiling.py.

    Returns:
      What results.json holds.

    Raises:
      ValueError: for a setting or data that cannot be, a workdir of another config, or one in use.
      DivergedError: if a loss is not finite and train.on_divergence is 'stop'.
      KeyboardInterrupt: after SIGINT or SIGTERM, once the epoch under way is saved.
    """
    check_config(config)
    # A program from the cache does not tell what its operations are for.
    use_compilation_cache("off" if profile else config.engine.compilation_cache)
    with own_folder(workdir) as folder, files.claim_workdir(folder, config.to_dict()):
        is_done = (workdir / files.CONFIG_FILE).exists() and (workdir / files.RESULTS_FILE).exists()
        if of_first(is_done):
            return files.read_json(workdir / files.RESULTS_FILE)
        if training is None:
            training = Training(
                config, data.load(config.task, data_of_run(config, workdir)), len(config.seeds)
            )
        dataset = training.dataset
        check_same_data(workdir, dataset)
        pretrained = pretrained_of_run(training, workdir)
        # Only now, when nothing more can be wrong with the config, does the workdir become its own.
        files.write_json(folder / files.CONFIG_FILE, config.to_dict())
        files.write_json(folder / files.DATA_FILE, fingerprints(dataset))
        dataset.preprocessor.save(folder / files.PREPROCESSOR_FILE)
        if pretrained:
            files.write_json(folder / PRETRAINED_FILE, pretrained)

        with ResumeCheckpoints(workdir) as checkpoints, training.epochs(folder) as train_all:
            profile_folder = workdir / PROFILE_FOLDER if profile else None
            with profiled(train_all, training.num_rounds, profile_folder) as train_round:
                state, timing = train_replicas(
                    training,
                    train_round,
                    replicas_of(config),
                    folder,
                    checkpoints,
                    stop_on_divergence=config.train.on_divergence == "stop",
                    bar=bar,
                )
            best = training.best_variables(state)
            # What is left to know are the numbers of each replica; large tables make room before anything is written.
            state = jax.device_get(state._replace(params=None, fixed=None, opt_state=None, best_params=None))
            save_best(workdir, best)
            trained = TrainedRun(
                config, training.network, best, dataset.preprocessor, diverged_seeds(config, state)
            )
            timing = {"compile_seconds": training.compile_seconds, **timing}
            results = make_results(config, dataset, trained, state, timing)
            results["references"] = references() if references else measure_references(config.task, dataset)
            if pretrained:
                results["pretrained"] = pretrained
            write_test_items(folder, trained, dataset.splits["test"])
            files.write_json(folder / files.RESULTS_FILE, results)
            checkpoints.delete()
    return results


def check_same_data(workdir: pathlib.Path, dataset: data.Dataset) -> None:
    """Raises ValueError if a workdir's run was begun on other examples than these."""
    if changed := files.changed_splits(workdir, fingerprints(dataset)):
        raise ValueError(
            f"the data of {dataset.name} ({', '.join(changed)}) has changed since the run in {workdir} began; "
            "restore it, or train in another --workdir"
        )


def fingerprints(dataset: data.Dataset) -> dict[str, str]:
    """Returns {split: digest of its examples}."""
    return {name: split.fingerprint() for name, split in dataset.splits.items()}


def check_config(config: Any) -> None:
    """Raises ValueError for a setting that no run can have, whatever its data."""
    if "task" not in config:
        raise ValueError(f"this config is of the analysis {config.get('analysis')!r}: give it to analyze.py")
    seeds = tuple(config.seeds)
    if not seeds or len(set(seeds)) < len(seeds) or not all(type(s) is int and 0 <= s < 2**32 for s in seeds):
        raise ValueError(f"seeds must be different integers from 0 to 2**32 - 1, got {seeds}")
    if config.train.on_divergence not in ("stop", "freeze"):
        raise ValueError(f"train.on_divergence must be stop or freeze, got {config.train.on_divergence!r}")
    for field, value in files.flatten(config.to_dict()).items():
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{field} must be a finite number, got {value}")
    for field in (
        "optimizer.learning_rate",
        "optimizer.weight_decay",
        "model.embedding_scale",
        "data.split_seed",
        "data.max_resident_bytes",
    ):
        section, _, name = field.partition(".")
        if config[section][name] < 0:
            raise ValueError(f"{field} must not be negative, got {config[section][name]}")
