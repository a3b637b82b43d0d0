"""Splits texts into words and numbers the words of the training set."""

import itertools
import os
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

PAD_ID = 0
UNKNOWN_ID = 1
_PAD = "[PAD]"
_UNKNOWN = "[UNK]"

# Older releases warn on stderr where a process forks after its threads have run; one thread is fast enough here.
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

_LETTER = r"[\p{L}\p{M}\p{N}_]"
# A word keeps its inner apostrophes ("don't"); any other visible character is a token of its own.
_TOKEN = rf"{_LETTER}+(?:'{_LETTER}+)*|[^\s\p{{Cc}}\p{{Cf}}]"


def _make_tokenizer(vocabulary: dict[str, int]) -> Tokenizer:
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=_UNKNOWN))
    # NFC comes last since lowering a letter may leave it decomposed. The typographic apostrophe is the typed one.
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Lowercase(), normalizers.NFC(), normalizers.Replace("’", "'")]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(_TOKEN), behavior="removed", invert=True)
    return tokenizer


def build_tokenizer(
    texts: Sequence[str], min_count: int, max_vocab: int, extra_words: Sequence[str] = ()
) -> Tokenizer:
    """Builds a word tokenizer whose vocabulary comes from `texts`.

    Words are lower case and NFC. Id 0 is padding, 1 an unknown word, then words by falling frequency, equal ones
    in alphabetical order of code points, then the extra words that are left: those that some text holds first, and in
    their order otherwise.

    Args:
        texts: The training split alone.
        min_count: Rarer words are left out; at least 1.
        max_vocab: Largest vocabulary, padding and unknown included; 0 for no limit.
        extra_words: Join the vocabulary whatever the limits. Those that no text can hold, for it would be read as
            several words or in lower case, are left out.

    Raises:
        ValueError: A limit is out of range, or no word is left.
    """
    if min_count < 1:
        raise ValueError(f"data.min_count: expected at least 1, found {min_count}")
    if max_vocab != 0 and max_vocab < 3:
        raise ValueError(
            f"data.max_vocab: expected 0 (no limit) or at least 3 (padding, unknown, a word), found {max_vocab}"
        )
    trainer = trainers.WordLevelTrainer(
        vocab_size=max_vocab or 2**31,
        min_frequency=min_count,
        show_progress=False,
        special_tokens=[_PAD, _UNKNOWN],
    )
    trained = _make_tokenizer({})
    trained.train_from_iterator(texts, trainer)
    vocabulary = trained.get_vocab()
    if len(vocabulary) == 2:
        raise ValueError(f"data.min_count: no word occurs {min_count} times in {len(texts)} training texts")
    # Training also registers "[PAD]" and "[UNK]" as special: written in a text they would become ids 0 and 1.
    # A tokenizer made anew from the vocabulary splits them into "[", "pad", "]" like any other text.
    return _make_tokenizer(_extended(vocabulary, extra_words, texts))


def _extended(vocabulary: dict[str, int], extra_words: Sequence[str], texts: Sequence[str]) -> dict[str, int]:
    """Returns the vocabulary with the extra words after it that are read as one word, themselves."""
    if not extra_words:
        return vocabulary
    candidates = [word for word in dict.fromkeys(extra_words) if word not in vocabulary]
    ids = range(len(vocabulary), len(vocabulary) + len(candidates))
    tokenizer = _make_tokenizer({**vocabulary, **dict(zip(candidates, ids, strict=True))})
    read = token_ids(tokenizer, candidates)
    met = set(itertools.chain.from_iterable(token_ids(tokenizer, texts)))
    kept = [(word, own) for word, own, found in zip(candidates, ids, read, strict=True) if found == [own]]
    kept.sort(key=lambda word_and_id: word_and_id[1] not in met)
    return {**vocabulary, **{word: len(vocabulary) + i for i, (word, _) in enumerate(kept)}}


def token_ids(tokenizer: Tokenizer, texts: Sequence[str]) -> list[list[int]]:
    """Returns the ids of each text's words, as many as the text has: nothing padded, nothing cut."""
    return [encoding.ids for encoding in tokenizer.encode_batch_fast(texts, add_special_tokens=False)]


def count_unmet(rows: Sequence[Sequence[int]], vocab_size: int) -> int:
    """Returns how many ids after the last one that some row holds there are."""
    return vocab_size - 1 - max(itertools.chain.from_iterable(rows))


def smooth_idf(rows: Sequence[Sequence[int]], vocab_size: int) -> Float64[np.ndarray, "{vocab_size}"]:
    """Returns each word's inverse document frequency, float64 [vocab_size].

    idf(w) = ln((1 + N) / (1 + df(w))) + 1, where df(w) of the N training texts hold w: scikit-learn's
    `smooth_idf`, after Salton & Buckley, "Term-weighting approaches in automatic text retrieval" (1988).
    An unknown word is one that no training text holds, so its df is 0; padding has weight 0.

    Args:
        rows: N rows of ids.
        vocab_size: Number of ids.
    """
    frequency = np.zeros(vocab_size, np.int64)
    for ids in rows:
        frequency[list(set(ids))] += 1
    # A word left out by min_count or max_vocab is id 1 in training as well: it must not lower id 1's weight.
    frequency[UNKNOWN_ID] = 0
    idf = np.log((1 + len(rows)) / (1 + frequency)) + 1
    idf[PAD_ID] = 0.0
    return idf
