"""Puts the tables of benchmarks/results into a page of the documentation, between marks, so that they are copied once.

  python -m benchmarks.tables docs/performance.md

A page asks for a result by its name: what stands between `<!-- begin NAME -->` and `<!-- end NAME -->` is replaced by
the body of results/NAME.md, without its title, headings one level lower, and followed by those of other devices,
results/NAME-<device>.md, under a heading of their own.
"""

import argparse
import pathlib
import re

from benchmarks.measure import RESULTS
from data.atomic import write_text
from data.nearest import nearest

_MARKED = re.compile(r"<!-- begin (?P<name>[\w-]+) -->\n(?P<old>.*?)<!-- end (?P=name) -->", re.DOTALL)


def main() -> None:
    """Fills the pages that are named."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("pages", nargs="+", type=pathlib.Path)
    for path in made.parse_args().pages:
        write_text(path, fill(path.read_text("utf-8"), RESULTS))


def fill(page: str, results: pathlib.Path) -> str:
    """Returns a page with the results that it asks for.

    Args:
      page: Markdown with marks.
      results: the folder of NAME.md and NAME-<device>.md.

    Raises:
      ValueError: for a name without results, and for a mark without its counterpart.
    """
    filled = _MARKED.sub(lambda mark: _section(mark["name"], results), page)
    marks = re.findall(r"<!-- (?:begin|end) ([\w-]+) -->", filled)
    for name in marks:
        if marks.count(name) != 2 or f"<!-- begin {name} -->\n" not in filled:
            raise ValueError(f"the marks <!-- begin {name} --> and <!-- end {name} --> are not a pair")
    return filled


def _section(name: str, results: pathlib.Path) -> str:
    path = results / f"{name}.md"
    if not path.exists():
        known = sorted(found.stem for found in results.glob("*.md"))
        raise ValueError(
            f"no results of {name!r} in {results}{nearest(name, known)}; run its benchmark first"
        )
    parts = [_body(path.read_text("utf-8"))]
    for other in sorted(results.glob(f"{name}-*.md")):
        parts.append(f"### On {other.stem.removeprefix(f'{name}-')}\n\n{_body(other.read_text('utf-8'))}")
    joined = "\n".join(parts)
    return f"<!-- begin {name} -->\n\n{joined}\n<!-- end {name} -->"


def _body(text: str) -> str:
    """Returns a page without its title, its headings one level lower and its figures found from docs/."""
    body = text.partition("\n")[2].strip() + "\n"
    body = re.sub(r"^(#+ )", r"#\1", body, flags=re.MULTILINE)
    return re.sub(r"\]\((?!http)([\w-]+\.png)\)", r"](../benchmarks/results/\1)", body)


if __name__ == "__main__":
    main()
