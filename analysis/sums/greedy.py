"""Greedy matching: reads back which embeddings a sum was made of, and how often each.

r_0 = Σ_j c_j e_j. In step t the embedding k with the highest cosine to r_t is counted and r_{t+1} = r_t − e_k; n steps
in all. It is matching pursuit (Mallat & Zhang 1993, Matching Pursuits with Time-Frequency Dictionaries) with the
coefficient of every step held at one and embeddings of any length.

‖r_t‖ is the same for all embeddings, so the highest cosine is the highest score s_i = e_i·r_t / ‖e_i‖, and a step
changes the scores by a row of a table that does not depend on the sum: s ← s − Ĝ[k], Ĝ[k, i] = e_k·e_i / ‖e_i‖. That
is O(V) a step, where the residual costs O(V·d).
"""

import functools
import math
import os
from concurrent import futures

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

_PART = 256  # sums matched at once on a core


def greedy_counts_reference(
    embeddings: Float[np.ndarray, "V d"], total: Float[np.ndarray, " d"], n: int
) -> Int[np.ndarray, " V"]:
    """Returns how often greedy matching finds each embedding in a sum: the plain procedure, on the residual itself.

    Args:
      embeddings: none of them zero; in float64 where counts are to be compared.
      total: the sum of n of them, with repetition.
      n: number of summands, and of steps.
    """
    unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    residual = total.copy()
    counts = np.zeros(len(embeddings), int)
    for _ in range(n):
        cosines = unit @ (residual / np.linalg.norm(residual))
        best = np.argmax(cosines)
        counts[best] += 1
        residual -= embeddings[best]
    return counts


def gram_matrix(embeddings: Float[np.ndarray, "V d"]) -> Float[np.ndarray, "V V"]:
    """Returns Ĝ[k, i] = e_k·e_i / ‖e_i‖: by how much a step that counts k lowers the score of i."""
    products = embeddings @ embeddings.T
    return products / np.sqrt(np.diagonal(products))


def first_scores(
    embeddings: Float[np.ndarray, "V d"], totals: Float[np.ndarray, "*sums d"]
) -> Float[np.ndarray, "*sums V"]:
    """Returns s[…, i] = e_i·total / ‖e_i‖, the scores before the first step."""
    return totals @ embeddings.T / np.linalg.norm(embeddings, axis=1)


@functools.partial(jax.jit, static_argnames="numbers")
def match(
    grams: Float[Array, "tables V V"],
    scores: Float[Array, "numbers tables sums V"],
    numbers: tuple[int, ...],
) -> Int[Array, "numbers tables sums V"]:
    """Matches many sums at once.

    Args:
      grams: of `gram_matrix`, one for each table of embeddings.
      scores: of `first_scores`; scores[i, j] are those of sums of numbers[i] embeddings of table j.
      numbers: how many summands.

    Returns:
      How often each embedding was found.
    """
    if len(numbers) != len(scores):
        raise ValueError(f"each of {len(scores)} groups of sums needs its number of summands, got {numbers}")
    groups, tables, sums = jnp.indices(scores.shape[:-1])
    vocabulary = scores.shape[-1]
    # One table below the other: XLA takes rows of a matrix ten times as fast as rows of a stack of matrices.
    rows = grams.reshape(-1, vocabulary)
    # The id that each step counts. All sums take as many steps as the longest, and those past the end are not counted:
    # a loop for every number would be compiled for longer than it saves.
    found = jnp.zeros((max(numbers), *scores.shape[:-1]), jnp.int32)
    step = functools.partial(_step, rows, vocabulary * tables)
    _, found = jax.lax.fori_loop(0, len(found), step, (scores, found))
    counted = jnp.arange(len(found))[:, None, None, None] < jnp.array(numbers)[:, None, None]
    none = jnp.zeros(scores.shape, jnp.int32)
    return none.at[groups, tables, sums, found].add(counted.astype(jnp.int32))


def _step(
    rows: Float[Array, "rows V"],
    starts: Int[Array, "numbers tables sums"],
    step: Int[Array, ""],
    state: tuple[Float[Array, "numbers tables sums V"], Int[Array, "steps numbers tables sums"]],
) -> tuple[Float[Array, "numbers tables sums V"], Int[Array, "steps numbers tables sums"]]:
    scores, found = state
    # XLA on a CPU runs an argmax, and any minimum of integers, one element after the other, but a maximum of floats in
    # vectors: hence the highest score, then the first id that has it. Float32 holds every id below 2^24.
    ids = jax.lax.broadcasted_iota(jnp.float32, scores.shape, scores.ndim - 1)
    highest = jnp.max(scores, axis=-1, keepdims=True)
    best = -jnp.max(jnp.where(scores == highest, -ids, -jnp.inf), axis=-1).astype(jnp.int32)
    return scores - rows[starts + best], found.at[step].set(best)


@functools.partial(jax.jit, static_argnames="numbers")
def _match_one_table(
    gram: Float[Array, "V V"], scores: Float[Array, "numbers sums V"], numbers: tuple[int, ...]
) -> Int[Array, "numbers sums V"]:
    return match(gram[None], scores[:, None], numbers)[:, 0]


def match_in_float64(
    gram: Float[np.ndarray, "V V"] | Float[Array, "V V"],
    scores: Float[np.ndarray, "numbers sums V"],
    numbers: tuple[int, ...],
) -> Int[np.ndarray, "numbers sums V"]:
    """Matches sums of one table in float64, some hundreds at a time on every core.

    Args:
      gram: of `gram_matrix`; may lie on the device already.
      scores: of `first_scores`; scores[i] are those of sums of numbers[i] embeddings.
      numbers: how many summands.
    """

    def match_part(part: Float[np.ndarray, "numbers part V"]) -> Int[np.ndarray, "numbers part V"]:
        with jax.enable_x64(True):  # holds for one thread
            return np.asarray(_match_one_table(table, part, numbers))

    with jax.enable_x64(True):
        table = jax.device_put(gram)
    # The loop of `match` keeps one core busy, so parts of the sums go side by side.
    parts = np.array_split(scores, math.ceil(scores.shape[1] / _PART), axis=1)
    with futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        return np.concatenate(list(pool.map(match_part, parts)), axis=1)


def greedy_counts(
    embeddings: Float[np.ndarray, "V d"],
    totals: Float[np.ndarray, "numbers sums d"],
    numbers: tuple[int, ...],
) -> Int[np.ndarray, "numbers sums V"]:
    """Returns what `greedy_counts_reference` does for every sum, in float64.

    Args:
      embeddings: none of them zero.
      totals: totals[i] are sums of numbers[i] embeddings each.
      numbers: how many summands.
    """
    return match_in_float64(gram_matrix(embeddings), first_scores(embeddings, totals), numbers)


def miscount(
    true: Int[np.ndarray, "*#sums V"], estimated: Int[np.ndarray, "*#sums V"]
) -> Int[np.ndarray, "..."]:
    """Returns Σ_i |true count − estimated count| over the vocabulary: 0 to 2 n, and even, where both add up to n."""
    return np.asarray(np.abs(true - estimated).sum(axis=-1))
