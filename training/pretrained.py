"""Embeddings that start from word vectors: of a run of this project, or of a file that others made."""

import dataclasses
import hashlib
import pathlib
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Float32

import data
import models
from data.nearest import nearest

from . import workdir as files
from .checkpoints import has_checkpoint
from .engine import TrainState, start_from
from .step import Program
from .vector_sources import load_source, vocabulary

PRETRAINED_FILE = "pretrained.json"
SCALINGS = ("all", "each", "none")


@dataclasses.dataclass(frozen=True, eq=False)
class Pretrained:
    """Vectors for the rows of an embedding table.

    Attributes:
      known: which rows have one. Padding and unknown have none.
      vectors: as they are in their source; zero where unknown.
      num_extra: how many rows, the last ones, no training text looks up.
      is_frozen: whether the table stays as it starts.
      scaling: see `scaled`.
    """

    known: Bool[np.ndarray, " V"]
    vectors: Float32[np.ndarray, "V d"]
    num_extra: int
    is_frozen: bool
    scaling: str

    def scaled(self, scale: float) -> Float32[np.ndarray, "V d"]:
        """Returns the vectors for a table whose other numbers have the standard deviation `scale`.

        'all' are multiplied by one number, so that the root mean square of theirs is `scale`; or 'each' by one of its
        own, to the same end: all lengths are the same then, which in word vectors tell of a word's frequency, too
        (Schakel & Wilson 2015). 'none' leaves them as they are in their source.
        """
        if self.scaling == "none":
            return self.vectors
        squares = np.mean(np.square(self.vectors, dtype=np.float64), axis=1, keepdims=True)
        mean = np.mean(squares[self.known]) if self.scaling == "all" else np.where(squares > 0, squares, 1)
        return (self.vectors * (scale / np.sqrt(mean))).astype(np.float32)

    def digest(self) -> str:
        """Returns a digest of the rows and their vectors."""
        return hashlib.sha256(self.known.tobytes() + self.vectors.tobytes()).hexdigest()

    def place(self, state: TrainState, scale: float, program: Program) -> TrainState:
        """Returns the state of replicas before their first step, with the vectors in their tables.

        Rows without a vector keep their random start, and extra ones their zeros. A frozen table has zeros there, too:
        what is said of a word at random would be noise that nothing can unlearn.

        Args:
          state: of `init_state`, with a leading replica axis.
          scale: config.model.embedding_scale of these replicas.
          program: that trains them.
        """
        trained = len(self.known) - self.num_extra
        rows = {"table": slice(0, trained), "extra": slice(trained, None)}
        vectors = self.scaled(scale)

        def placed(path: Any, leaf: Array) -> Float[Array, "..."]:
            section, name = [getattr(key, "key", None) for key in (*path, None)[:2]]
            if section != "embedding":
                return leaf
            part, known = vectors[rows[name]], self.known[rows[name], None]
            slots = leaf.shape[1] // len(part)  # a table for every slot is one after the other
            start = jnp.zeros_like(leaf) if self.is_frozen else leaf
            return jnp.where(np.tile(known, (slots, 1)), np.tile(part, (slots, 1)), start)

        best, fixed = (
            jax.tree_util.tree_map_with_path(placed, tree) for tree in (state.best_params, state.fixed)
        )
        return start_from(state._replace(fixed=fixed), best, program)


def find_pretrained(config: Any, dataset: data.Dataset) -> Pretrained | None:
    """Returns the vectors that a config's embeddings start from; None where they are random.

    Args:
      config: of a run.
      dataset: its data, whose words they are.

    Raises:
      FileNotFoundError: for a source that does not exist.
      ValueError: for a task without words, vectors of another width than the embeddings, and a source that has none of
        the words; see also `load_source`.
    """
    source = config.model.get("pretrained", "")
    if not source:
        return None
    if not isinstance(dataset.spec, data.TextSpec):
        raise ValueError(f"model.pretrained={source} is for tasks of words, not {config.task!r}")
    scaling = config.model.pretrained_scaling
    if scaling not in SCALINGS:
        raise ValueError(
            f"unknown model.pretrained_scaling {scaling!r}{nearest(scaling, SCALINGS)}; known are {', '.join(SCALINGS)}"
        )
    found = load_source(source, config.model.pretrained_vectors)
    _check_width(config, dataset.spec, found.vectors.shape[1])
    rows = np.array([-1, -1, *(found.rows.get(word, -1) for word in vocabulary(dataset.preprocessor))])
    known = rows >= 0
    if not known.any():
        raise ValueError(f"model.pretrained={source}: none of the {len(rows) - 2:,} words has a vector in it")
    vectors = np.where(known[:, None], found.vectors[rows], np.float32(0))
    if not vectors.any():
        raise ValueError(f"model.pretrained={source}: all vectors of the words are zero")
    return Pretrained(known, vectors, dataset.spec.num_extra, models.is_frozen(config.model), scaling)


def _check_width(config: Any, spec: data.TextSpec, width: int) -> None:
    fields, model = config.model, models.MODELS[config.task]
    dim = models.match_sizes(model, fields, spec).dim
    if dim == width:
        return
    wanted = fields.copy_and_resolve_references()
    with wanted.unlocked():
        wanted.dim = width
    fits = (
        not fields.widths
        and fields.match != "params"
        and models.match_sizes(model, wanted, spec).dim == width
    )
    remedy = f"model.dim={width}" if fits else f"model.match=embed with model.dim={width}"
    raise ValueError(
        f"model.pretrained={fields.pretrained} has vectors of {width} numbers, but embeddings of {fields.combiner!r} "
        f"have {dim} (model.match={fields.match}, model.dim={fields.dim}); what fits is {remedy}"
    )


def describe_pretrained(config: Any, dataset: data.Dataset, pretrained: Pretrained) -> dict[str, Any]:
    """Returns what results.json says of the vectors that a run started from.

    Returns:
      Among others "vocabulary" and "running_words" by split: how many words there are, and how many "known" ones, that
      have a vector. Running words are those that the model reads.
    """
    running = {}
    for name, split in dataset.splits.items():
        tokens = np.concatenate(
            [split.inputs[key].ravel() for key in ("tokens", "tokens_b") if key in split.inputs]
        )
        counts = np.bincount(tokens, minlength=len(pretrained.known))
        running[name] = {"known": int(counts[pretrained.known].sum()), "total": int(counts[1:].sum())}
    return {
        "source": config.model.pretrained,
        "vectors": config.model.pretrained_vectors,
        "mode": config.model.pretrained_mode,
        "dim": pretrained.vectors.shape[1],
        "scaling": pretrained.scaling,
        "vocabulary": {"known": int(pretrained.known.sum()), "total": len(pretrained.known) - 2},
        "running_words": running,
        "sha256": pretrained.digest(),
    }


def pretrained_of_run(training: Any, workdir: pathlib.Path) -> dict[str, Any] | None:
    """Returns `describe_pretrained` of a run that begins or goes on; None where its embeddings are random.

    Once a run has a checkpoint, it does not need the vectors any more, whatever has become of them.

    Args:
      training: the run's `Training`.
      workdir: of the run.

    Raises:
      ValueError: if the run was begun from other vectors and has no checkpoint yet; see also `find_pretrained`.
    """
    path = workdir / PRETRAINED_FILE
    if not training.config.model.get("pretrained", ""):
        return None
    if path.exists() and has_checkpoint(workdir):
        return files.read_json(path)
    found = describe_pretrained(training.config, training.dataset, training.pretrained)
    if path.exists() and files.read_json(path)["sha256"] != found["sha256"]:
        raise ValueError(
            f"the vectors in {found['source']} have changed since the run in {workdir} began; restore them, or "
            "train in another --workdir"
        )
    return found


def data_of_run(config: Any, workdir: pathlib.Path) -> Any:
    """Returns config.data, whose extra words are those that the run in a workdir has, once it has begun.

    So it goes on, and is evaluated, with the vocabulary that it began with, whatever has become of their source.
    """
    if not config.data.get("extra_vocabulary", "") or not (workdir / files.PREPROCESSOR_FILE).exists():
        return config.data
    fields = config.data.copy_and_resolve_references()
    with fields.unlocked():
        fields.extra_vocabulary, fields.max_extra_words = str(workdir), 0
    return fields


def coverage_line(pretrained: Mapping[str, Any]) -> str:
    """Returns, for people, where the embeddings of a run started, and for how many words."""
    words, running = pretrained["vocabulary"], pretrained["running_words"]
    shares = ", ".join(
        f"{count['known'] / max(1, count['total']):.1%} of {name}" for name, count in running.items()
    )
    return (
        f"embeddings from {pretrained['source']}, {pretrained['mode']}: {words['known']:,} of {words['total']:,} words "
        f"have a vector; of the running words {shares}"
    )
