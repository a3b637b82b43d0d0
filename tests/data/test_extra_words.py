"""Words that no training text holds join the vocabulary, after those that some do."""

import numpy as np
import pytest

import data
from data.vector_files import extra_words, save_word2vec
from data.vocabulary import build_tokenizer, count_unmet, token_ids
from data.word_vectors import WordVectors


def words_of(tokenizer):
    return [tokenizer.id_to_token(i) for i in range(tokenizer.get_vocab_size())]


@pytest.mark.parametrize(
    ("min_count", "max_vocab", "known"), [(1, 0, ["b", "a"]), (2, 0, ["b"]), (1, 3, ["b"])]
)
def test_they_come_last_whatever_the_limits(min_count, max_vocab, known):
    tokenizer = build_tokenizer(["b a b"], min_count, max_vocab, ("dog", "a", "cat", "dog"))
    rest = [word for word in ("a", "dog", "cat") if word not in known]  # "a" is in the text
    assert words_of(tokenizer) == ["[PAD]", "[UNK]", *known, *rest]


def test_those_that_some_text_holds_come_first_and_the_others_are_counted():
    texts = ["b a b", "c"]
    tokenizer = build_tokenizer(texts, 2, 0, ("dog", "c", "a", "cat"))
    assert words_of(tokenizer) == ["[PAD]", "[UNK]", "b", "c", "a", "dog", "cat"]
    assert count_unmet(token_ids(tokenizer, texts), 7) == 2
    again = build_tokenizer(texts, 2, 0, words_of(tokenizer)[2:])
    assert words_of(again) == words_of(tokenizer)


def test_training_words_keep_their_ids():
    texts = ["the film is a film", "don't"]
    without, extended = build_tokenizer(texts, 1, 0), build_tokenizer(texts, 1, 0, ("film", "zebra", "!"))
    assert words_of(extended)[: without.get_vocab_size()] == words_of(without)
    assert token_ids(extended, ["a zebra!"]) == [[*token_ids(without, ["a"])[0], 7, 8]]


@pytest.mark.parametrize(
    "word", ["New", "new_York", "u.s.", "new york", "[PAD]", "[UNK]", "cafe\u0301", "", " "]
)
def test_what_no_text_is_read_as_is_left_out(word):
    assert words_of(build_tokenizer(["a"], 1, 0, (word, "b"))) == ["[PAD]", "[UNK]", "a", "b"]


def test_every_task_of_texts_takes_them(make_config, tmp_path):
    save_word2vec(tmp_path / "vectors", WordVectors(("dog", "good", "cat"), np.ones((3, 2), np.float32)))
    (tmp_path / "reviews.csv").write_text("text,other,label\n" + "a good dog,b,1\na bad film,c,0\n" * 10)
    for task, columns in [("sentiment", {}), ("order", {}), ("order", {"text_b_column": "other"})]:
        config = make_config(path=tmp_path / "reviews.csv")
        config.update({"seed": 0, "text_b_column": "", **columns})
        without = data.load(task, config)
        assert "cat" not in without.preprocessor.tokenizer.get_vocab()
        assert without.spec.num_extra == 0
        config.update({"extra_vocabulary": str(tmp_path / "vectors"), "max_extra_words": 0})
        dataset = data.load(task, config)
        vocabulary = dataset.preprocessor.tokenizer.get_vocab()
        assert vocabulary["cat"] == dataset.spec.vocab_size - 1
        assert dataset.spec.num_extra == 1
        (row,) = dataset.preprocessor.encode([("cat", "dog") if columns else "cat"]).inputs["tokens"]
        assert row[0] == vocabulary["cat"]


def test_the_first_of_them_suffice(make_config, tmp_path):
    save_word2vec(tmp_path / "vectors", WordVectors(("c", "b", "a"), np.ones((3, 2), np.float32)))
    config = make_config()
    assert extra_words(config) == ()
    config.update({"extra_vocabulary": str(tmp_path / "vectors"), "max_extra_words": 2})
    assert extra_words(config) == ("c", "b")
    config.max_extra_words = -1
    with pytest.raises(ValueError, match=r"data.max_extra_words: expected 0 \(no limit\) or more, found -1"):
        extra_words(config)
    config.update({"extra_vocabulary": str(tmp_path / "vectos"), "max_extra_words": 0})
    with pytest.raises(FileNotFoundError, match=r"vectos: no such file \(did you mean 'vectors'\?\)"):
        extra_words(config)
