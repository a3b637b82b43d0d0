"""A round of a corpus for one seed: frequent words subsampled, cut into blocks, the blocks in random order."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int32

import data


class TextBlocks(NamedTuple):
    """Blocks for steps of G of them, as `models.skip_gram.Blocks` has them; what is left over is marked as filling."""

    words: Int32[np.ndarray, "*replicas steps G B"]
    sentence: Int32[np.ndarray, "*replicas steps G B"]


def draw_blocks(
    corpus: data.Corpus,
    start: int,
    stop: int,
    keep: Float[np.ndarray, " V"],
    key: tuple[int, ...],
    *,
    steps: int,
    group: int,
    block: int,
) -> tuple[TextBlocks, int]:
    """Subsamples a stretch of a corpus and cuts what is left into blocks.

    A word is dropped with probability 1 − keep before windows are formed, so that they reach further (Mikolov et al.
    2013). Blocks begin at a random place, so that every pair of neighbours is as likely to share one as any other.

    Args:
      corpus: the text.
      start: the stretch's first word.
      stop: the word after its last.
      keep: probability of every word of the vocabulary.
      key: of all that is random.
      steps: that there is room for; (stop − start) / (group · block) + 2 are enough.
      group: G, blocks of a step.
      block: B, words of a block.

    Returns:
      The blocks, [steps, G, B], and how many steps have any.
    """
    rng = np.random.default_rng(key)
    words = np.asarray(corpus.tokens[start:stop])
    kept = rng.random(len(words), np.float32) < keep[words]
    sentence = _sentence_numbers(corpus.ends, start, stop)
    room = steps * group * block
    all_words, all_sentences = np.zeros(room, np.int32), np.full(room, -1, np.int32)
    first = int(rng.integers(block))
    filled = slice(first, first + int(kept.sum()))
    all_words[filled], all_sentences[filled] = words[kept], sentence[kept]

    used = -(-filled.stop // (group * block))
    order = rng.permutation(used * group)
    shape = (steps, group, block)
    blocks = TextBlocks(*(_shuffled(array.reshape(-1, block), order) for array in (all_words, all_sentences)))
    return TextBlocks(*(array.reshape(shape) for array in blocks)), used


def _sentence_numbers(ends: np.ndarray, start: int, stop: int) -> Int32[np.ndarray, " words"]:
    """Returns the number of each word's sentence, counted from that of the first."""
    first, last = np.searchsorted(ends, (start, stop - 1), side="right")
    inner = np.asarray(ends[first:last]) - start  # sentences that end before the stretch does
    lengths = np.diff(inner, prepend=0, append=stop - start)
    return np.repeat(np.arange(len(lengths), dtype=np.int32), lengths)


def _shuffled(blocks: np.ndarray, order: np.ndarray) -> np.ndarray:
    blocks[: len(order)] = blocks[order]
    return blocks
