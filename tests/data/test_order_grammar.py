"""Generated sentences come in twins that share every word, in splits that differ from training as they promise."""

import itertools
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configs import order as order_config
from data import order, order_grammar

SMALL = {"num_nouns": 8, "num_verbs": 4, "num_adjectives": 8}
PAIRS = {split: 30 if split == "train" else 10 for split in order_grammar.SPLITS}

arguments = st.fixed_dictionaries(
    {
        "question": st.sampled_from(order_grammar.QUESTIONS),
        "level": st.sampled_from((1, 2, 3)),
        "num_nouns": st.integers(5, 40),
        "num_verbs": st.integers(2, 30),
        "num_adjectives": st.integers(6, 40),
        "seed": st.integers(0, 2**32),
    }
)


def make(question="both", level=3, seed=0, **overrides):
    return order_grammar.generate(
        question=question, level=level, seed=seed, num_pairs=PAIRS, **{**SMALL, **overrides}
    )


def bag(text):
    return Counter(text.split())


@settings(max_examples=8)
@given(arguments)
def test_twins_have_the_same_words_and_different_answers(arguments):
    splits = order_grammar.generate(num_pairs=PAIRS, **arguments)
    assert {split: len(found) for split, found in splits.items()} == PAIRS
    classes = order_grammar.class_names(arguments["question"])
    for twins in itertools.chain(*splits.values()):
        first, second = twins.texts
        assert first != second
        assert bag(first) == bag(second)
        assert twins.labels == classes
        assert twins.length == len(first.split()) >= twins.opening + twins.core


@settings(max_examples=8)
@given(arguments)
def test_no_sentence_occurs_twice(arguments):
    splits = order_grammar.generate(num_pairs=PAIRS, **arguments)
    texts = [text for found in splits.values() for twins in found for text in twins.texts]
    assert len(set(texts)) == len(texts)


@settings(max_examples=8)
@given(arguments)
def test_new_combinations_are_of_nouns_that_never_meet_in_training(arguments):
    splits = order_grammar.generate(num_pairs=PAIRS, **arguments)
    everywhere = {noun for nouns in order_grammar._grammar()["nouns"].values() for noun in nouns}

    def met(text):
        return set(itertools.permutations(everywhere & set(text.split()), 2))

    in_training = set().union(*(met(twins.texts[0]) for twins in splits["train"]))
    for twins in splits["test_combinations"]:
        assert twins.nouns[:2] not in in_training
        assert set(twins.nouns) == everywhere & set(twins.texts[0].split())
    for split in ("validation", "test", "test_longer", "test_positions"):
        held_out = {twins.nouns[:2] for twins in splits["test_combinations"]}
        assert not any(held_out & met(twins.texts[0]) for twins in splits[split])


@settings(max_examples=8)
@given(arguments)
def test_longer_sentences_are_longer_than_all_of_training(arguments):
    splits = order_grammar.generate(num_pairs=PAIRS, **arguments)
    longest = max(twins.length for twins in splits["train"])
    assert min(twins.length for twins in splits["test_longer"]) > longest


@settings(max_examples=8)
@given(arguments)
def test_shifted_clauses_begin_where_no_clause_of_training_has_a_word(arguments):
    splits = order_grammar.generate(num_pairs=PAIRS, **arguments)
    assert {twins.opening for twins in splits["train"]} == {0}
    last = max(twins.core for twins in splits["train"])
    for twins in splits["test_positions"]:
        assert twins.opening >= last
        assert twins.length == twins.opening + twins.core


@settings(max_examples=8)
@given(arguments)
def test_the_same_arguments_give_the_same_sentences(arguments):
    assert order_grammar.generate(num_pairs=PAIRS, **arguments) == order_grammar.generate(
        num_pairs=PAIRS, **arguments
    )


def test_another_seed_gives_others():
    assert make(seed=0)["train"] != make(seed=1)["train"]


def test_who_acts_and_what_is_described_is_what_the_sentence_says():
    animals, persons = (order_grammar._grammar()["nouns"][kind] for kind in ("animal", "person"))
    for twins in make("act", level=2)["train"]:
        for text, label in zip(twins.texts, twins.labels, strict=True):
            nouns = [word for word in text.split() if word in (*animals, *persons)]
            actor = nouns[-1] if " was " in text else nouns[0]
            assert label == ("animal" if actor in animals else "person")
    for twins in make("describe", level=2)["train"]:
        for text, label in zip(twins.texts, twins.labels, strict=True):
            words = text.split()
            (adjective,) = set(words) & set(order_grammar._grammar()["words"]["adjective"])
            described = words[words.index(adjective) + 1]
            assert label == ("animal" if described in animals else "place")


@pytest.mark.parametrize("question", ["act", "describe"])
def test_levels_add_passives_then_clauses_and_adjectives(question):
    texts = {level: [twins.texts[0] for twins in make(question, level=level)["train"]] for level in (1, 2, 3)}
    assert not any(" was " in text or " that " in text for text in texts[1])
    assert 5 < sum(" was " in text for text in texts[2]) < 25
    assert not any(" that " in text for text in texts[2])
    assert any(" was " in text and " that " in text for text in texts[3])


def test_both_asks_either_question_equally_often():
    persons = set(order_grammar._grammar()["nouns"]["person"])
    acts = [twins.nouns[1] in persons for twins in make("both")["test"]]
    assert abs(2 * sum(acts) - len(acts)) <= 1


def test_no_word_of_the_grammar_has_two_parts():
    grammar = order_grammar._grammar()
    lists = [*grammar["nouns"].values(), *grammar["words"].values(), grammar["determiners"]]
    phrases = {word for phrase in grammar["phrases"]["adverbial"] for word in phrase.split()}
    words = Counter(word for words in lists for word in words)
    assert max(words.values()) == 1
    assert not phrases & (words.keys() - set(grammar["determiners"]))
    after_a = [*itertools.chain(*grammar["nouns"].values()), *grammar["words"]["adjective"]]
    assert not [word for word in after_a if word[0] in "aeiou"]


def test_too_few_different_sentences_are_an_error():
    sizes = {**dict.fromkeys(order_grammar.SPLITS, 0), "train": 10, "test_combinations": 1000}
    arguments = {"question": "act", "level": 1, "num_nouns": 5, "num_verbs": 1, "num_adjectives": 6}
    message = (
        r"found only [\d,]+ different sentences for 'test_combinations', expected 2,000: lower data.num_tr"
    )
    with pytest.raises(ValueError, match=message):
        order_grammar.generate(num_pairs=sizes, seed=0, **arguments)


def config(**overrides):
    config = order_config.get_config("data=order_grammar").data
    config.update({**SMALL, "num_train": 80, "num_test": 30, **overrides})
    return config


def test_loaded_twins_are_neighbours_of_one_bag_and_every_split_is_balanced():
    dataset = order.load(config(level=3))
    assert list(dataset.splits) == list(order_grammar.SPLITS)
    assert dataset.spec.classes == ("animal", "other")
    for name, split in dataset.splits.items():
        tokens = split.inputs["tokens"]
        assert tokens.shape == (80 if name == "train" else 30, dataset.spec.num_slots)
        assert ((tokens != 0).sum(axis=1) == split.lengths).all()
        for i in range(0, len(split), 2):
            assert sorted(tokens[i]) == sorted(tokens[i + 1])
            assert (split.targets[i], split.targets[i + 1]) == (0, 1)


def test_every_word_of_the_longest_sentence_has_a_slot_though_training_is_shorter():
    splits = order.load(config()).splits
    longest = max(split.lengths.max() for split in splits.values())
    assert all(split.inputs["tokens"].shape[1] == longest for split in splits.values())
    assert splits["train"].lengths.max() < longest


def test_all_words_of_the_held_out_splits_are_known_at_the_default_sizes():
    dataset = order.load(config(num_train=4000, num_nouns=20, num_verbs=15, num_adjectives=20))
    assert not any((split.inputs["tokens"] == 1).any() for split in dataset.splits.values())


def test_a_fraction_of_training_is_of_whole_pairs_and_nested():
    half, tenth = (order.load(config(train_fraction=fraction)).splits["train"] for fraction in (0.5, 0.1))
    assert (len(half), len(tenth)) == (40, 8)
    assert set(tenth.texts) < set(half.texts)
    for split in (half, tenth):
        for i in range(0, len(split), 2):
            assert bag(split.texts[i]) == bag(split.texts[i + 1])


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"question": "acts"}, r"data.question: expected one of describe, act, both, found 'acts' \(did you"),
        ({"level": 4}, r"data.level: expected one of 1, 2, 3, found 4"),
        ({"num_nouns": 4}, r"data.num_nouns: expected 5 to 40, found 4"),
        ({"num_verbs": 31}, r"data.num_verbs: expected 1 to 30, found 31"),
        ({"num_adjectives": 0}, r"data.num_adjectives: expected 6 to 40, found 0"),
        ({"num_test": 1}, r"data.num_test: expected at least 2, a sentence and its twin, found 1"),
        ({"max_length": 8}, r"data.max_length: expected at least \d+, the longest sentence, found 8"),
        ({"weights": "tf"}, r"data.weights: expected '' or 'idf' for 'order_grammar', found 'tf'"),
        ({"name": "order_gramar"}, r"no data set 'order_gramar' \(did you mean 'order_grammar'\?\)"),
        ({"path_test": "my.csv"}, r"data.path_test=my.csv needs data.path"),
    ],
)
def test_what_cannot_be_is_one_line(overrides, message):
    with pytest.raises(ValueError, match=message) as error:
        order.load(config(**overrides))
    assert "\n" not in str(error.value)
