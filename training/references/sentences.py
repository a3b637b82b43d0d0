"""Simple methods on sentences: the majority class, and two of scikit-learn's on words and on neighbouring words."""

import functools
from typing import Any

import numpy as np

import data

from .attempt import attempt


def sentence_references(dataset: data.Dataset) -> dict[str, dict[str, dict[str, float]]]:
    """Returns {reference: {split: {"accuracy"}}} for all splits but training.

    majority_class answers the most frequent training class. The others are fitted on counts in the training split:
    naive_bayes (multinomial) on words, which cannot tell apart twins of the same words and gets one of two right;
    bigram_naive_bayes and bigram_logistic_regression on pairs of neighbouring words, the simplest that see order. Of a
    pair of sentences they read one behind the other.
    """
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.naive_bayes import MultinomialNB

    train = dataset.splits["train"]
    held_out = {name: split for name, split in dataset.splits.items() if name != "train"}

    def accuracies(answer: Any) -> dict[str, dict[str, float]]:
        return {n: {"accuracy": float(np.mean(answer(s) == s.targets))} for n, s in held_out.items()}

    majority = np.bincount(train.targets).argmax()
    references = {"majority_class": accuracies(lambda split: majority)}

    def measure(words: int, classifier: Any) -> dict[str, dict[str, float]]:
        vectorizer = CountVectorizer(ngram_range=(words, words), token_pattern=r"\w+")
        classifier.fit(vectorizer.fit_transform(train.texts), train.targets)
        return accuracies(lambda split: classifier.predict(vectorizer.transform(split.texts)))

    for name, words, classifier in (
        ("naive_bayes", 1, MultinomialNB()),
        ("bigram_naive_bayes", 2, MultinomialNB()),
        ("bigram_logistic_regression", 2, LogisticRegression(max_iter=1000)),
    ):
        references |= attempt(name, functools.partial(measure, words, classifier))
    return references
