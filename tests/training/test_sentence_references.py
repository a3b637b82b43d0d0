"""Simple methods on sentences: what counts words is at chance between twins, what counts their neighbours is not."""

import pytest

from configs import order as order_config
from data import order
from training.references.sentences import sentence_references


@pytest.fixture(scope="module")
def dataset():
    config = order_config.get_config("data=order_grammar").data
    config.update({"num_train": 600, "num_test": 60, "num_nouns": 8, "num_verbs": 4, "level": 1})
    return order.load(config)


def test_counts_of_words_get_exactly_one_of_two_twins_right(dataset):
    references = sentence_references(dataset)
    for name in ("majority_class", "naive_bayes"):
        assert set(references[name]) == set(dataset.splits) - {"train"}
        assert all(metrics == {"accuracy": 0.5} for metrics in references[name].values())


def test_neighbouring_words_tell_twins_apart(dataset):
    references = sentence_references(dataset)
    for name in ("bigram_naive_bayes", "bigram_logistic_regression"):
        assert references[name]["test"]["accuracy"] > 0.8


def test_pairs_of_one_word_each_have_no_more_than_counts_of_words(tmp_path):
    path = tmp_path / "words.csv"
    path.write_text("a,b,label\n" + "yes,...,x\nno,...,y\n" * 20)
    config = order_config.get_config().data
    config.update({"path": str(path), "text_column": "a", "text_b_column": "b"})
    references = sentence_references(order.load(config))
    assert set(references) == {"majority_class", "naive_bayes"}
    assert references["naive_bayes"]["test"] == {"accuracy": 1.0}
