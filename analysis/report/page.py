"""The report as Markdown, its figures and configs in files beside it."""

from .content import Content, ExperimentContent
from .drawing import Drawing
from .methods import METHODS
from .text_tables import TextTable

FIGURES = "figures"
CONFIGS_FILE = "configs.json"


def markdown_page(content: Content) -> str:
    """Returns the page; its links are relative to the folder that holds it."""
    lines = [f"# {content.title}", "", "## Decision", ""]
    for part in content.experiments:
        lines += [f"### {part.title}", ""]
        lines += [f"*{part.question}*", ""] if part.question else []
        lines += [*(f"- {sentence}" for sentence in part.sentences), ""]
    lines += ["## Results", ""]
    for part in content.experiments:
        lines += [f"### {part.title}: arms", ""]
        lines += [*_table(part.modes), ""] if part.modes else []
        lines += [*_table(part.arms), ""]
    lines += ["## Figures", ""]
    for part in content.experiments:
        lines += [f"### {part.title}: figures", "", *_drawings(part.drawings)]
    if content.across:
        lines += ["## Across experiments", ""]
        if content.across.table:
            lines += [content.across.words, "", *_table(content.across.table), ""]
        lines += _drawings(content.across.drawings)
    lines += [*_warnings(content), "## Methods", ""]
    lines += [*(f"- {method}" for method in METHODS), "", "## Provenance", ""]
    lines += [f"- {name}: {value}" for name, value in content.provenance]
    lines += [f"- exact config of every arm: [{CONFIGS_FILE}]({CONFIGS_FILE})", ""]
    return "\n".join(lines)


def _warnings(content: Content) -> list[str]:
    lines = ["## Warnings", ""]
    for part in content.experiments:
        lines += _warnings_of(part)
    lines += ["### Left out", ""] if content.skipped else []
    lines += [*(f"- {reason}" for reason in content.skipped), ""] if content.skipped else []
    return lines if len(lines) > 2 else [*lines, "None.", ""]


def _warnings_of(part: ExperimentContent) -> list[str]:
    if not part.warnings:
        return []
    return [f"### {part.title}: warnings", "", *(f"- {warning}" for warning in part.warnings), ""]


def _table(table: TextTable) -> list[str]:
    rule = ["---", *["---:"] * (len(table.header) - 1)]
    rows = ([cell.replace("|", "\\|") for cell in row] for row in (table.header, *table.rows))
    header, *body = (f"| {' | '.join(row)} |" for row in rows)
    return [header, f"| {' | '.join(rule)} |", *body]


def _drawings(drawings: tuple[Drawing, ...]) -> list[str]:
    lines = []
    for drawing in drawings:
        lines += [f"![{drawing.title}]({FIGURES}/{drawing.name}.png)", "", f"{drawing.caption}", ""]
    return lines
