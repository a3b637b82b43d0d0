"""The report as one HTML file that needs nothing beside it: figures, style and configs are inside."""

import base64
import json
import pathlib
import re

import jinja2
import markupsafe

from .content import Content
from .drawing import Drawing
from .methods import METHODS

_TEMPLATE = pathlib.Path(__file__).parent / "page.html.jinja"


def html_page(content: Content) -> str:
    """Returns the page. Everything that comes from results is escaped; it fetches nothing and runs no script."""
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"inline": _inline, "image": _image, "pretty": _pretty}
    template = environment.from_string(_TEMPLATE.read_text("utf-8"))
    return template.render(content=content, methods=METHODS)


def _inline(text: str) -> markupsafe.Markup:
    """Escapes a text and sets what stands in `backticks` as code."""
    escaped = str(markupsafe.escape(text))
    return markupsafe.Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", escaped))


def _image(drawing: Drawing) -> str:
    return f"data:image/png;base64,{base64.b64encode(drawing.png).decode('ascii')}"


def _pretty(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)
