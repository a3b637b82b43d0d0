"""One run of word vectors from config to results.json: read the corpus, train every seed, hold it against people."""

import math
import pathlib
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import jax

from data import corpus as corpora
from data import word_pairs
from data.nearest import nearest
from models.skip_gram import LOSSES, OBJECTIVES

from .. import workdir as files
from ..checkpoints import ResumeCheckpoints, save_best
from ..compilation import use_compilation_cache
from ..epochs import train_replicas
from ..profiling import PROFILE_FOLDER, profiled
from ..replicas import Replica
from ..results import versions
from ..statistics import over_seeds
from .trained import TrainedWords, load_words, trained_words
from .training import WordTraining

OPTIMIZERS = ("adagrad", "sgd")
POSITIVE = (
    "model.dim",
    "model.window",
    "model.negatives",
    "model.noise",
    "model.noise_blocks",
    "model.block",
    "optimizer.learning_rate",
    "optimizer.max_repeats",
    "train.epochs",
    "train.step_words",
    "train.round_words",
)


def run(config: Any, workdir: pathlib.Path, *, profile: bool = False) -> dict[str, Any]:
    """Trains word vectors with every seed of a configuration; see `training.run`.

    Raises:
      ValueError: for a setting or a corpus that cannot be, a workdir of another config, or one in use.
      DivergedError: if a loss is not finite and train.on_divergence is 'stop'.
      KeyboardInterrupt: after SIGINT or SIGTERM, once the round under way is saved.
    """
    check_config(config)
    if jax.process_count() > 1:
        raise ValueError("word vectors train in one process, on one device")
    # A program from the cache does not tell what its operations are for.
    use_compilation_cache("off" if profile else config.engine.compilation_cache)
    with files.claim_workdir(workdir, config.to_dict()):
        if (workdir / files.CONFIG_FILE).exists() and (workdir / files.RESULTS_FILE).exists():
            return files.read_json(workdir / files.RESULTS_FILE)
        corpus = corpora.load(config.data)
        fingerprint = {"train": corpus.fingerprint()}
        if files.changed_splits(workdir, fingerprint):
            raise ValueError(
                f"the text of {corpus.name} has changed since the run in {workdir} began; restore it, or train in "
                "another --workdir"
            )
        judgements = load_judgements(config)
        training = WordTraining(config, corpus)
        files.write_json(workdir / files.CONFIG_FILE, config.to_dict())
        files.write_json(workdir / files.DATA_FILE, fingerprint)
        vocabulary = corpus.vocabulary
        vocabulary.save(workdir / files.PREPROCESSOR_FILE)

        with ResumeCheckpoints(workdir) as checkpoints, training.epochs(workdir) as train_all:
            profile_folder = workdir / PROFILE_FOLDER if profile else None
            with profiled(train_all, training.num_rounds, profile_folder) as train_round:
                state, timing = train_replicas(
                    training,
                    train_round,
                    [Replica(seed, config.optimizer.learning_rate) for seed in config.seeds],
                    workdir,
                    checkpoints,
                    stop_on_divergence=config.train.on_divergence == "stop",
                )
            tables = {name: state.tables[name][...] for name in ("words", "contexts")}
            save_best(workdir, tables)
            diverged = {
                seed: int(step)
                for seed, step in zip(config.seeds, state.diverged_step, strict=True)
                if step >= 0
            }
            trained = trained_words(config, vocabulary, tables, diverged)
            sizes = [
                sum(leaf.size for leaf in jax.tree.leaves(tree)) // len(config.seeds)
                for tree in (tables, state.others)
            ]
            words_read = training.words_read(training.rounds_done(state))
            results = {
                "task": config.task,
                "combiner": config.model.combiner if config.model.objective == "cbow" else "none",
                "dataset": corpus.name,
                "match": "embed",
                "seeds": list(config.seeds),
                "metrics": measure(trained, judgements),
                "references": {},
                "num_params": {"embedding": sizes[0], "other": sizes[1], "total": sum(sizes)},
                "combined_width": tables["contexts"].shape[-1],
                "timing": {
                    "compile_seconds": training.compile_seconds,
                    **timing,
                    "examples_per_second": words_read / timing["train_seconds"],
                },
                "unit": "words",
                "num_examples": {"train": len(corpus.tokens)},
                "vocabulary": len(corpus.words),
                "best_epoch": [config.train.epochs] * len(config.seeds),
                "diverged": diverged,
                "config": config.to_dict(),
                "versions": versions(),
                "device": jax.devices()[0].device_kind,
            }
            files.write_json(workdir / files.RESULTS_FILE, results)
            checkpoints.delete()
    return results


def evaluate(workdir: pathlib.Path, split: str = "test", *, path: str = "") -> dict[str, Any]:
    """Holds the word vectors of a finished run against people's judgements.

    Args:
      workdir: of the run.
      split: 'test' or 'validation'.
      path: a file .tsv or .csv of the user's instead: word, word, number.

    Returns:
      What `training.evaluate_workdir` returns.
    """
    trained = load_words(workdir)
    if path:
        source, split = path, "file"
        metrics = _over_seeds(trained, word_pairs.load_word_pairs([path]))
    else:
        measured = measure(trained, load_judgements(trained.config))
        if split not in measured:
            raise ValueError(
                f"unknown split {split!r}{nearest(split, measured)}; known are {', '.join(measured)}"
            )
        source, metrics = "people's judgements of pairs of words", measured[split]
    evaluation = {
        "combiner": "word vectors",
        "source": source,
        "split": split,
        "seeds": list(trained.seeds),
        "metrics": metrics,
    }
    path_written = workdir / f"eval_{split}.json"
    files.write_json(path_written, evaluation)
    return {**evaluation, "files": [str(path_written)]}


def load_judgements(config: Any) -> tuple[word_pairs.WordPairs, ...]:
    """Returns the sets of pairs that a config names.

    Where they cannot be had there are none, and stderr says so: vectors are worth training without them.
    """
    sources = tuple(config.data.word_pairs) or tuple(word_pairs.PAIR_SOURCES)
    try:
        return word_pairs.load_word_pairs(sources, config.data.dir)
    except ConnectionError as error:
        print(f"not held against people's judgements: {error}", file=sys.stderr)
        return ()


def measure(trained: TrainedWords, judgements: Sequence[word_pairs.WordPairs]) -> dict[str, dict[str, Any]]:
    """Returns {split: {set of pairs: Spearman's ρ over seeds}}; without sets that the vocabulary does not cover."""
    validation = [pairs for pairs in judgements if pairs.name == word_pairs.VALIDATION_PAIRS]
    test = [pairs for pairs in judgements if pairs.name != word_pairs.VALIDATION_PAIRS]
    return {"test": _over_seeds(trained, test), "validation": _over_seeds(trained, validation)}


def _over_seeds(trained: TrainedWords, sets: Sequence[word_pairs.WordPairs]) -> dict[str, Any]:
    metrics = {}
    for pairs in sets:
        values = [
            word_pairs.spearman(pairs, trained.vectors(index))[0] for index in range(len(trained.seeds))
        ]
        if all(value is not None for value in values):
            metrics[pairs.name] = over_seeds(values)
    return metrics


def check_config(config: Any) -> None:
    """Raises ValueError for a setting that no training of word vectors can have."""
    choices: Mapping[str, Sequence[str]] = {
        "model.objective": OBJECTIVES,
        "model.loss": LOSSES,
        "optimizer.name": OPTIMIZERS,
        "train.on_divergence": ("stop", "freeze"),
    }
    values = files.flatten(config.to_dict())
    for field, known in choices.items():
        if values[field] not in known:
            raise ValueError(
                f"{field} must be {' or '.join(known)}, got {values[field]!r}{nearest(values[field], known)}"
            )
    for field, value in values.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{field} must be a finite number, got {value}")
    for field in POSITIVE:
        if values[field] <= 0:
            raise ValueError(f"{field} must be positive, got {values[field]}")
    seeds = tuple(config.seeds)
    if not seeds or len(set(seeds)) < len(seeds) or not all(type(s) is int and 0 <= s < 2**32 for s in seeds):
        raise ValueError(f"seeds must be different integers from 0 to 2**32 - 1, got {seeds}")
    if not 0 <= config.optimizer.final_fraction <= 1:
        raise ValueError(
            f"optimizer.final_fraction must lie in [0, 1], got {config.optimizer.final_fraction}"
        )
    shared = config.model.block * config.model.noise_blocks
    if config.train.step_words % shared:
        raise ValueError(
            f"train.step_words must be a multiple of model.block * model.noise_blocks = {shared}, "
            f"got {config.train.step_words}"
        )
