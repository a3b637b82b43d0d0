"""The report of a sweep or of plain runs: which arm to use, and how sure that is."""

import json
import os
import pathlib
from collections.abc import Sequence

from data.atomic import write_bytes, write_text

from .choices import choose
from .content import make_content
from .html_page import html_page
from .loading import is_run, is_sweep, load_runs, load_sweep
from .page import CONFIGS_FILE, FIGURES, markdown_page
from .tables import write_tables

__all__ = ["write_report"]


def write_report(
    folders: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    output: str | os.PathLike[str] | None = None,
    *,
    margin: float | None = None,
    reference: str | None = None,
    metric: str | None = None,
) -> str:
    """Writes report.html, report.md with figures/ and configs.json, and the tables, from result files alone.

    Args:
      folders: a sweep's, or those of plain runs.
      output: folder of the report; by default the sweep's own, or 'report' beside the first run.
      margin: differences up to here do not matter, in the metric's unit; by default as the experiment says.
      reference: label of the arm that others are compared with; by default as the experiment says.
      metric: of the test split, that decides; by default as the experiment says.

    Returns:
      The decisions and what was written, for the terminal.

    Raises:
      ValueError: if there is nothing to report on, or a choice does not fit the results.
      OSError: if the report cannot be written.
    """
    paths = [pathlib.Path(f) for f in ([folders] if isinstance(folders, str | os.PathLike) else folders)]
    if not paths:
        raise ValueError("which results? for example report.py runs/sweeps/sentiment_combiners")
    sweeps = [path for path in paths if is_sweep(path)]
    if sweeps and len(paths) > 1:
        raise ValueError(f"{sweeps[0]} is a sweep and is reported on alone; got {len(paths)} folders")
    evidence = choose(load_sweep(paths[0]) if sweeps else load_runs(paths), metric, margin, reference)
    output = pathlib.Path(output) if output else _default_output(paths[0])
    content = make_content(evidence)

    (output / FIGURES).mkdir(parents=True, exist_ok=True)
    for drawing in content.drawings():
        write_bytes(output / FIGURES / f"{drawing.name}.png", drawing.png)
    write_text(output / CONFIGS_FILE, json.dumps(content.configs, indent=2, allow_nan=False) + "\n")
    tables = write_tables(evidence, output)
    write_text(output / "report.md", markdown_page(content))
    write_text(output / "report.html", html_page(content))

    lines = []
    for part in content.experiments:
        lines += [part.title, *(f"  {sentence}" for sentence in part.sentences)]
    lines += [f"warning: {reason}" for reason in evidence.skipped]
    written = [output / "report.html", output / "report.md", *tables]
    return "\n".join([*lines, *(f"written: {path}" for path in written)])


def _default_output(folder: pathlib.Path) -> pathlib.Path:
    """Returns the sweep's folder, 'report' beside a run, or 'report' in a folder of runs."""
    if is_sweep(folder):
        return folder
    return (folder.parent if is_run(folder) else folder) / "report"
