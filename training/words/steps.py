"""The compiled training of word vectors: rounds of steps, each of which reads and writes the rows of its blocks only.

Pure functions over one replica, as in training/engine.py; `replicate` gives them a replica axis. The loss is
summed over all pairs of a step, so that a learning rate means what it means for one pair at a time. Plain descent on it
diverges where a step reads the same frequent word often: with gradients that add up, its row overshoots what one update
after the other would have come to. Two ways bound that: row-wise Adagrad divides a row's step by the root of the sum of
its mean squared gradients so far; plain gradient descent divides it by how often a step is expected to read the row,
beyond `max_repeats` times.
"""

import dataclasses
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jaxtyping import Array, Float, Int, UInt32

from models.skip_gram import Blocks, LossSums, Rows, SkipGram

from ..precision import matmul_precision
from .text_blocks import TextBlocks

EPSILON = 1e-8  # what the sums of squares start from


@dataclasses.dataclass(frozen=True)
class WordProgram:
    """What is fixed when the training of word vectors is compiled.

    Attributes:
      graphdef: the model's structure.
      init: rngs -> its tables, its other parameters, and its arrays that never change.
      optimizer: of the other parameters: those of CBOW's combiner.
      is_adaptive: whether the rows are trained by row-wise Adagrad, or by plain gradient descent.
      noise: H and K, how many groups of blocks have noise words of their own, and how many.
      final_rate: what the learning rate falls to, as a share of the first.
      monitored: blocks of a step whose loss is looked at.
      precision: of matrix products; see training/precision.py.
    """

    graphdef: nnx.GraphDef
    init: Callable[[nnx.Rngs], tuple[nnx.State, nnx.State, nnx.State]]
    optimizer: optax.GradientTransformation
    is_adaptive: bool
    noise: tuple[int, int]
    final_rate: float
    monitored: int
    precision: str = "default"


class Frequencies(NamedTuple):
    """What is drawn how often.

    Attributes:
      accept: with probability accept[i] the noise word is i, else alias[i], for an i of equal chances (Walker 1977).
      alias: see accept.
      survival: P(window ≥ k), k = 1 … radius.
      damping: of a row's learning rate in plain gradient descent.
    """

    accept: Float[Array, " V"]
    alias: Int[Array, " V"]
    survival: Float[Array, " R"]
    damping: Float[Array, " V"]


class WordState(NamedTuple):
    """Everything that changes while one replica trains, and what tells replicas apart."""

    seed: UInt32[Array, ""]
    learning_rate: Float[Array, ""]
    rounds: Int[Array, ""]
    step: Int[Array, ""]
    tables: nnx.State
    squares: nnx.State  # of each row of the tables, the sum of its mean squared gradients; for Adagrad
    others: nnx.State
    fixed: nnx.State
    opt_state: Any
    diverged_step: Int[Array, ""]  # the step whose loss was not finite; -1 = none


class Stretch(NamedTuple):
    """Where a round lies in the whole training.

    Attributes:
      steps: that have blocks.
      begin: the share of all words that earlier rounds have read.
      end: the share with this round.
    """

    steps: Int[Array, ""]
    begin: Float[Array, ""]
    end: Float[Array, ""]


def init_words(seed: UInt32[Array, ""], learning_rate: Float[Array, ""], program: WordProgram) -> WordState:
    """Returns a replica before its first step."""
    tables, others, fixed = program.init(nnx.Rngs(params=jax.random.fold_in(jax.random.key(seed), 0)))
    return WordState(
        seed=seed,
        learning_rate=learning_rate,
        rounds=jnp.int32(0),
        step=jnp.int32(0),
        tables=tables,
        squares=jax.tree.map(lambda table: jnp.full(len(table), EPSILON), tables),
        others=others,
        fixed=fixed,
        opt_state=program.optimizer.init(others),
        diverged_step=jnp.int32(-1),
    )


def train_round(
    replica: tuple[WordState, TextBlocks], stretch: Stretch, frequencies: Frequencies, program: WordProgram
) -> tuple[WordState, dict[str, Float[Array, ""]]]:
    """Takes a replica through the steps of one round; one that has diverged comes back unchanged.

    Returns:
      The state, and {"loss": the mean per positive, noise included, over the blocks that were looked at}.
    """
    state, text = replica
    key = jax.random.fold_in(jax.random.key(state.seed), 1 + state.rounds)
    steps = jnp.where(state.diverged_step < 0, stretch.steps, 0)

    def body(index: Int[Array, ""], carry: tuple[WordState, LossSums]) -> tuple[WordState, LossSums]:
        state, sums = carry
        done = stretch.begin + (stretch.end - stretch.begin) * index / stretch.steps
        rate = state.learning_rate * jnp.maximum(1 - done, program.final_rate)
        words, sentence = text.words[index], text.sentence[index]
        window, noise = draw(jax.random.fold_in(key, index), words.shape, frequencies, program.noise)
        blocks = Blocks(words, sentence, window, noise)
        state, step_sums = train_step(state, blocks, rate, frequencies.damping, program)
        return state, jax.tree.map(jnp.add, sums, step_sums)

    state, sums = jax.lax.fori_loop(0, steps, body, (state, LossSums(jnp.float32(0), jnp.float32(0))))
    return state._replace(rounds=state.rounds + 1), {"loss": sums.loss / sums.count}


def train_step(
    state: WordState,
    blocks: Blocks,
    rate: Float[Array, ""],
    damping: Float[Array, " V"],
    program: WordProgram,
) -> tuple[WordState, LossSums]:
    """Takes one step; the gradients of places that read the same row add up.

    Returns:
      The state, and the loss before the step of the blocks that are looked at.
    """
    tables: SkipGram = nnx.merge(program.graphdef, state.tables, state.others, state.fixed)
    noise = slice(None) if tables.is_softmax else blocks.noise
    words, contexts = tables.words[...], tables.contexts[...]
    rows = Rows(_read(words, blocks.words), _read(contexts, blocks.words), _read(contexts, noise))

    def loss(rows: Rows, others: nnx.State) -> tuple[Array, LossSums]:
        model: SkipGram = nnx.merge(program.graphdef, state.tables, others, state.fixed)
        return model.loss(rows, blocks, program.monitored)

    with matmul_precision(program.precision):
        (grads, of_others), sums = jax.grad(loss, argnums=(0, 1), has_aux=True)(rows, state.others)
    squares = state.squares
    if program.is_adaptive:
        of_words, of_contexts = squares["words"][...], squares["contexts"][...]
        of_words = _add(of_words, blocks.words, _mean_square(grads.words))
        of_contexts = _add(of_contexts, blocks.words, _mean_square(grads.contexts))
        of_contexts = _add(of_contexts, noise, _mean_square(grads.noise))
        scales = Rows(
            *(
                jax.lax.rsqrt(_read(sums, places))
                for sums, places in (
                    (of_words, blocks.words),
                    (of_contexts, blocks.words),
                    (of_contexts, noise),
                )
            )
        )
        squares = _replace(squares, of_words, of_contexts)
    else:
        scales = Rows(damping[blocks.words], damping[blocks.words], damping[noise])
    with jax.named_scope("optimiser"):
        steps = jax.tree.map(lambda scale, gradient: -rate * scale[..., None] * gradient, scales, grads)
    words = _add(words, blocks.words, steps.words)
    contexts = _add(_add(contexts, blocks.words, steps.contexts), noise, steps.noise)

    with jax.named_scope("optimiser"):
        updates, opt_state = program.optimizer.update(of_others, state.opt_state, state.others)
    failed = ~jnp.isfinite(sums.loss) & (state.diverged_step < 0)
    return state._replace(
        step=state.step + 1,
        tables=_replace(state.tables, words, contexts),
        squares=squares,
        others=optax.apply_updates(state.others, updates),
        opt_state=opt_state,
        diverged_step=jnp.where(failed, state.step, state.diverged_step),
    ), sums


def _read(table: Float[Array, "V *width"], rows: Any) -> Float[Array, "..."]:
    return table.at[rows].get(mode="promise_in_bounds")


def _add(table: Float[Array, "V *width"], rows: Any, values: Float[Array, "..."]) -> Float[Array, "V *width"]:
    return table.at[rows].add(values, mode="promise_in_bounds")


def _replace(
    tables: nnx.State, words: Float[Array, "V *width"], contexts: Float[Array, "V *width"]
) -> nnx.State:
    return jax.tree_util.tree_map_with_path(
        lambda path, _: words if path[0].key == "words" else contexts, tables
    )


@jax.named_scope("optimiser")
def _mean_square(gradient: Float[Array, "*places width"]) -> Float[Array, "*places"]:
    return jnp.mean(gradient**2, axis=-1)


def draw(
    key: Array, shape: tuple[int, int], frequencies: Frequencies, noise: tuple[int, int]
) -> tuple[Int[Array, "G B"], Int[Array, "H K"]]:
    """Returns a window for every word of the blocks [G, B], and noise words."""
    count, noise_count = math.prod(shape), math.prod(noise)
    bits = jax.random.bits(key, (count + 2 * noise_count,))
    uniform = (bits >> 8).astype(jnp.float32) * 2.0**-24
    window = jnp.sum(uniform[:count, None] < frequencies.survival, axis=-1, dtype=jnp.int32)
    slots = (bits[count : count + noise_count] % len(frequencies.alias)).astype(jnp.int32)
    accepted = uniform[count + noise_count :] < frequencies.accept[slots]
    words = jnp.where(accepted, slots, frequencies.alias[slots])
    return window.reshape(shape), words.reshape(noise)


def alias_table(probability: Float[np.ndarray, " V"]) -> tuple[np.ndarray, np.ndarray]:
    """Returns `Frequencies.accept` and `Frequencies.alias` of a distribution, float32 [V] and int32 [V].

    Every slot i of V gets mass 1/V: as much of i as it has, the rest from a word that has too much (Vose 1991).
    """
    mass = (probability * len(probability)).tolist()
    accept, alias = np.ones(len(mass), np.float32), np.arange(len(mass), dtype=np.int32)
    small = [word for word, m in enumerate(mass) if m < 1]
    large = [word for word, m in enumerate(mass) if m >= 1]
    while small and large:
        poor, rich = small.pop(), large[-1]
        accept[poor], alias[poor] = mass[poor], rich
        mass[rich] -= 1 - mass[poor]
        if mass[rich] < 1:
            small.append(large.pop())
    return accept, alias
