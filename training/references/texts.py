"""Simple methods on texts: the majority class and naive Bayes."""

import numpy as np

import data


def text_references(dataset: data.Dataset) -> dict[str, dict[str, dict[str, float]]]:
    """Returns {reference: {split: {"accuracy"}}} for the validation and test splits.

    majority_class answers the most frequent training class; naive_bayes is scikit-learn's multinomial naive Bayes on
    its own unigram counts (CountVectorizer, MultinomialNB, defaults), fitted on the training split.
    """
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.naive_bayes import MultinomialNB

    train = dataset.splits["train"]
    majority = np.bincount(train.targets).argmax()
    held_out = {name: dataset.splits[name] for name in ("validation", "test")}
    references = {
        "majority_class": {
            n: {"accuracy": float(np.mean(s.targets == majority))} for n, s in held_out.items()
        }
    }
    vectorizer = CountVectorizer()
    try:
        counts = vectorizer.fit_transform(train.texts)
    except ValueError:  # no text holds what scikit-learn calls a word
        return references
    classifier = MultinomialNB().fit(counts, train.targets)
    answers = {
        name: classifier.predict(vectorizer.transform(split.texts)) for name, split in held_out.items()
    }
    references["naive_bayes"] = {
        n: {"accuracy": float(np.mean(answers[n] == s.targets))} for n, s in held_out.items()
    }
    return references
