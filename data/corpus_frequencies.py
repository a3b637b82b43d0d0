"""Probabilities that word2vec derives from how often words occur: of being kept, and of being drawn as noise."""

import numpy as np
from jaxtyping import Float64, Int64


def keep_probability(counts: Int64[np.ndarray, "V"], threshold: float) -> Float64[np.ndarray, "V"]:
    """Returns the probability that an occurrence of each word is kept when frequent words are thinned out.

    p(w) = min(1, (√(f/t) + 1) · t/f), where f = count(w) / Σ counts and t is the threshold: the formula of
    word2vec's program and of gensim. The paper, Mikolov et al., "Distributed representations of words and phrases
    and their compositionality" (2013), has √(t/f), the same but for the summand t/f.

    Args:
        counts: How often each of V words occurs, at least once.
        threshold: t, a share of the corpus as 1e-3; 0 keeps every word.

    Raises:
        ValueError: The threshold is negative, or 1 or more.
    """
    if not 0 <= threshold < 1:
        raise ValueError(f"threshold of frequent words: expected at least 0 and below 1, found {threshold}")
    if threshold == 0:
        return np.ones(len(counts))
    ratio = threshold * counts.sum() / counts
    return np.minimum(1, np.sqrt(ratio) + ratio)


def noise_probability(counts: Int64[np.ndarray, "V"], power: float = 0.75) -> Float64[np.ndarray, "V"]:
    """Returns the probability that each word is drawn as a negative sample: count^power / Σ count^power.

    The power flattens the frequencies; 0.75 is Mikolov et al.'s (2013), 1 the frequencies, 0 the uniform
    distribution.

    Args:
        counts: How often each of V words occurs, at least once.
        power: Any finite number; a negative one prefers rare words.
    """
    weights = (counts / counts.max()) ** power  # scaled first, so that no power overflows
    return weights / weights.sum()
