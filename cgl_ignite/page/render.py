"""A page as text: HTML with everything inside, or Markdown with pictures beside it."""

from __future__ import annotations

import base64
import re
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from cgl_ignite.page.content import Page
from cgl_ignite.page.paper import PaperPage

__all__ = ["as_html", "as_markdown", "render"]


def as_html(page: Page | PaperPage) -> str:
    """Write a page as one HTML file that needs no other file and no network."""
    sources = {one.name: f"data:image/svg+xml;base64,{base64.b64encode(one.svg()).decode()}" for one in page.pictures}
    return render(f"{page.template}.html.j2", page=page, sources=sources)


def as_markdown(page: Page | PaperPage, folder: str) -> str:
    """Write a page as Markdown; its pictures lie as ``NAME.png`` in a folder beside it."""
    sources = {one.name: f"{folder}/{one.name}.png" for one in page.pictures}
    return render(f"{page.template}.md.j2", page=page, sources=sources)


def render(template: str, **values: Any) -> str:
    """Fill in a template; in HTML, values are escaped."""
    environment = Environment(
        loader=PackageLoader("cgl_ignite.page"),
        autoescape=select_autoescape(["html.j2"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["plain"] = _plain
    return environment.get_template(template).render(**values)


def _plain(text: Any) -> str:
    r"""Escape what Markdown would take for a sign of its own.

    Example:
        >>> _plain("a_b | <c>")
        'a\\_b \\| \\<c\\>'
    """
    return re.sub(r"([\\`*_{}\[\]<>|#])", r"\\\1", str(text)).replace("\n", " ")
