"""What the project's own tables have in common as TFDS builders: whole columns, stored in blocks of rows."""

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import tensorflow_datasets as tfds

from data.files import Table
from data.prepare import read

if TYPE_CHECKING:  # takes half a second to import
    import pandas as pd

_BLOCK = 20_000


class TableBuilder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """A table without splits, in the order of its source.

    A record holds 20,000 rows, one array per column: TFDS takes 0.1 ms to decode a record of one row, so that 336,776
    of them would take it half a minute. A text "" and a number NaN are missing.
    """

    COLUMNS: ClassVar[Mapping[str, Any]] = {}  # name -> dtype

    def _frame(self, folder: Path) -> "pd.DataFrame":
        """Returns the rows; `folder` keeps what is downloaded."""
        raise NotImplementedError

    def _info(self) -> tfds.core.DatasetInfo:
        features = {
            name: tfds.features.Tensor(shape=(None,), dtype=dtype) for name, dtype in self.COLUMNS.items()
        }
        return tfds.core.DatasetInfo(
            builder=self,
            description=type(self).__doc__,
            features=tfds.features.FeaturesDict(features),
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
        return {"train": self._generate_examples(self._frame(Path(dl_manager.download_dir)))}

    def _generate_examples(self, rows: "pd.DataFrame") -> Iterator[tuple[int, dict[str, Any]]]:
        for number, start in enumerate(range(0, len(rows), _BLOCK)):
            block = rows.iloc[start : start + _BLOCK]
            yield (
                number,
                {
                    name: block[name].to_numpy(object if dtype is np.str_ else dtype)
                    for name, dtype in self.COLUMNS.items()
                },
            )


def header(builder: tfds.core.DatasetBuilder, source: str) -> Table:
    """Returns the names of a prepared table's columns, as a table without rows."""
    return Table(source, dict.fromkeys(builder.info.features, ()), (), "row")


def read_rows(builder: tfds.core.DatasetBuilder, wanted: Collection[str], source: str) -> Table:
    """Reads some columns of a prepared table; its rows are counted from 0."""
    blocks = read(builder, "train")
    columns: dict[str, list[Any]] = {}
    for name in wanted:
        cells = np.concatenate([block[name] for block in blocks])
        columns[name] = cells.tolist()
        if cells.dtype == object:  # bytes
            texts = {cell: cell.decode() or None for cell in set(columns[name])}
            columns[name] = [texts[cell] for cell in columns[name]]
    return Table(source, columns, range(len(columns[next(iter(columns))])), "row")
