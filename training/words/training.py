"""The compiled training of word vectors of several seeds from a corpus: what training/epochs.py runs by rounds."""

import contextlib
import functools
import math
import pathlib
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jaxtyping import Array, Bool
from rich.progress import Progress

import data
from data.corpus_frequencies import keep_probability, noise_probability
from models.row_tables import RowTable
from models.skip_gram import SkipGram, window_survival

from ..memory import check_fits
from ..precision import check_matmul_precision
from ..progress import WordProgress
from ..replicas import Replica
from ..replication import replicate
from .steps import (
    Frequencies,
    Stretch,
    WordProgram,
    WordState,
    alias_table,
    init_words,
    train_round,
)
from .text_blocks import TextBlocks, draw_blocks

MONITORED_SHARE = 16  # of the blocks of a step, one in so many has its loss looked at


class WordTraining:
    """Trains the replicas of a config round by round; a round is a stretch of the corpus, the same for all seeds.

    While the device takes the steps of one round, a thread draws the blocks of the next.

    Attributes:
      config: of the run.
      corpus: the text.
      program: what is fixed when it is compiled.
      rounds_per_epoch: stretches that the corpus is cut into.
      num_rounds: of all epochs.
      compile_seconds: what compiling took; 0 before.
      remedy: what helps against divergence, besides a lower learning rate.
    """

    remedy = "a smaller train.step_words"

    def __init__(self, config: Any, corpus: data.Corpus):
        self.config, self.corpus = config, corpus
        self.num_replicas = len(config.seeds)
        self.program = make_word_program(config, len(corpus.words))
        check_fits(self.abstract_state, dense=False)
        self._block, self._group = config.model.block, config.train.step_words // config.model.block
        self._keep = keep_probability(corpus.counts, config.data.subsample).astype(np.float32)
        self._frequencies = jax.device_put(make_frequencies(config, corpus, self._keep))
        self._round_words = min(config.train.round_words, len(corpus.tokens))
        self.rounds_per_epoch = math.ceil(len(corpus.tokens) / self._round_words)
        self.num_rounds = self.rounds_per_epoch * config.train.epochs
        self.compile_seconds = 0.0
        # One step more than the words fill, and one for the random beginning.
        self._steps = math.ceil(self._round_words / config.train.step_words) + 1
        shape = (self.num_replicas, self._steps, self._group, self._block)
        blocks = jax.ShapeDtypeStruct(shape, jnp.int32)
        of_all = replicate(functools.partial(train_round, program=self.program), config.engine.replicas)
        self._lowered = jax.jit(
            lambda state, text, stretch, frequencies: of_all((state, text), stretch, frequencies),
            donate_argnums=0,
        ).lower(
            self.abstract_state,
            TextBlocks(blocks, blocks),
            Stretch(np.int32(0), np.float32(0), np.float32(0)),
            self._frequencies,
        )

    @functools.cached_property
    def abstract_state(self) -> WordState:
        """The shapes of the state of all replicas."""
        seeds = jax.ShapeDtypeStruct((self.num_replicas,), jnp.uint32)
        rates = jax.ShapeDtypeStruct((self.num_replicas,), jnp.float32)
        return jax.eval_shape(jax.vmap(functools.partial(init_words, program=self.program)), seeds, rates)

    def start(self, replicas: Sequence[Replica]) -> WordState:
        """Returns the state of replicas before their first step."""
        seeds = jnp.asarray([replica.seed for replica in replicas], jnp.uint32)
        rates = jnp.asarray([replica.learning_rate for replica in replicas], jnp.float32)
        return jax.jit(jax.vmap(functools.partial(init_words, program=self.program)))(seeds, rates)

    def rounds_done(self, state: WordState) -> int:
        """Returns how many rounds the replicas have trained for."""
        return int(state.rounds.max())

    def is_active(self, state: WordState) -> Bool[Array, " replicas"]:
        """Returns whether each replica still trains."""
        return state.diverged_step < 0

    def epoch_after(self, rounds: int) -> float:
        """Returns how often the corpus has been read after so many rounds."""
        return rounds / self.rounds_per_epoch

    def make_progress(self, rounds: int, bar: Progress | None) -> WordProgress:
        """Returns the display of a training that has done some rounds."""
        name = f"{self.config.model.objective}, {self.num_replicas} seeds: million words"
        return WordProgress(name, self.words_read, rounds, self.num_rounds, bar)

    def words_read(self, rounds: int) -> int:
        """Returns how many words of the corpus all seeds together have read after so many rounds."""
        epochs, rest = divmod(rounds, self.rounds_per_epoch)
        words = epochs * len(self.corpus.tokens) + min(rest * self._round_words, len(self.corpus.tokens))
        return self.num_replicas * words

    @contextlib.contextmanager
    def epochs(self, workdir: pathlib.Path) -> Iterator[Callable[[WordState, int], Any]]:
        """Gives the function that trains all replicas for a round, while the context lasts."""
        del workdir  # the corpus lies on disk already
        check_fits(self.abstract_state, dense=False, free=True)
        began = time.perf_counter()
        compiled = self._lowered.compile()
        self.compile_seconds = time.perf_counter() - began
        with ThreadPoolExecutor(1) as pool:
            ahead: dict[int, Any] = {}

            def train(state: WordState, number: int) -> tuple[WordState, dict[str, Any]]:
                drawn = ahead.pop(number, None) or pool.submit(self._draw, number)
                text, steps = drawn.result()
                state, metrics = compiled(state, text, self._stretch(number, steps), self._frequencies)
                if number + 1 < self.num_rounds:
                    ahead[number + 1] = pool.submit(self._draw, number + 1)
                return state, {"train": metrics}

            yield train

    def _draw(self, number: int) -> tuple[TextBlocks, int]:
        """Returns the blocks of every replica in a round, [replicas, steps, G, B], and how many steps they fill."""
        start = (number % self.rounds_per_epoch) * self._round_words
        stop = min(start + self._round_words, len(self.corpus.tokens))
        drawn = [
            draw_blocks(
                self.corpus,
                start,
                stop,
                self._keep,
                (seed, number),
                steps=self._steps,
                group=self._group,
                block=self._block,
            )
            for seed in self.config.seeds
        ]
        text = jax.tree.map(lambda *replicas: np.stack(replicas), *(blocks for blocks, _ in drawn))
        return jax.device_put(text), max(steps for _, steps in drawn)

    def _stretch(self, number: int, steps: int) -> Stretch:
        total = self.words_read(self.num_rounds)
        begin, end = (self.words_read(rounds) / total for rounds in (number, number + 1))
        return Stretch(np.int32(steps), np.float32(begin), np.float32(end))


def make_word_program(config: Any, vocab_size: int) -> WordProgram:
    """Returns what is fixed when the training is compiled; raises ValueError for what the model refuses."""

    def make(rngs: nnx.Rngs) -> SkipGram:
        return SkipGram(config.model, vocab_size, rngs=rngs)

    def init(rngs: nnx.Rngs) -> tuple[nnx.State, nnx.State, nnx.State]:
        _, tables, others, fixed = nnx.split(make(rngs), RowTable, nnx.Param, ...)
        return tables, others, fixed

    graphdef, *_ = nnx.split(nnx.eval_shape(lambda: make(nnx.Rngs(0))), RowTable, nnx.Param, ...)
    group = config.train.step_words // config.model.block
    return WordProgram(
        graphdef=graphdef,
        init=init,
        optimizer=optax.adam(config.optimizer.combiner_rate),
        is_adaptive=config.optimizer.name == "adagrad",
        noise=(group // config.model.noise_blocks, config.model.noise),
        final_rate=config.optimizer.final_fraction,
        monitored=max(1, group // MONITORED_SHARE // config.model.noise_blocks) * config.model.noise_blocks,
        precision=check_matmul_precision(config.engine.get("matmul_precision", "default")),
    )


def make_frequencies(config: Any, corpus: data.Corpus, keep: np.ndarray) -> Frequencies:
    """Returns what is drawn how often, from how often the words of a corpus occur."""
    accept, alias = alias_table(noise_probability(corpus.counts, config.model.noise_power))
    reads = corpus.counts * keep
    per_step = reads / reads.sum() * config.train.step_words
    return Frequencies(
        accept=accept,
        alias=alias,
        survival=window_survival(config.model.window, config.model.block),
        damping=np.minimum(1, config.optimizer.max_repeats / per_step).astype(np.float32),
    )
