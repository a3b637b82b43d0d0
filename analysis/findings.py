"""All that result files are turned into: the report and, where a sweep states claims, their page."""

import pathlib
from collections.abc import Sequence
from typing import Any

from training.sweeps.run import SWEEP_FILE
from training.workdir import read_json

from .claims import write_claims
from .report import write_report


def write_findings(
    folders: Sequence[pathlib.Path],
    output: pathlib.Path | None = None,
    claims_page: pathlib.Path | None = None,
    **choices: Any,
) -> str:
    """Writes the report and, where there are any, the claims.

    Args:
      folders: a sweep's, or those of plain runs.
      output: folder of the report; see `write_report`.
      claims_page: where the page of the claims goes; by default claims.md in the folder of the report.
      **choices: margin, reference and metric of `write_report`.

    Returns:
      The findings in short and what was written, for the terminal.

    Raises:
      ValueError: for whatever report or claims refuse; for a page of claims where none are stated.
    """
    told = write_report(folders, output, **choices)
    sweep_file = pathlib.Path(folders[0]) / SWEEP_FILE
    if sweep_file.exists() and read_json(sweep_file).get("claims"):
        page = claims_page or (output or folders[0]) / "claims.md"
        return f"{told}\n{write_claims(folders[0], page)}"
    if claims_page is not None:
        raise ValueError(f"{folders[0]} states no claims: they stand in the config of a sweep")
    return told
