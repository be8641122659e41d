"""A page as text: HTML with everything inside, or Markdown with pictures beside it."""

from __future__ import annotations

import base64
import re
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from cgl_ignite.analysis.canvas import as_svg
from cgl_ignite.page.content import Page

__all__ = ["as_html", "as_markdown"]


def as_html(page: Page) -> str:
    """Write a page as one HTML file that needs no other file and no network."""
    pictures = [
        {"title": one.title, "source": f"data:image/svg+xml;base64,{base64.b64encode(as_svg(one.figure)).decode()}"}
        for one in page.pictures
    ]
    return _render("page.html.j2", page, pictures)


def as_markdown(page: Page, folder: str) -> str:
    """Write a page as Markdown; its pictures lie as ``NAME.png`` in a folder beside it."""
    pictures = [{"title": one.title, "source": f"{folder}/{one.name}.png"} for one in page.pictures]
    return _render("page.md.j2", page, pictures)


def _render(template: str, page: Page, pictures: list[dict[str, str]]) -> str:
    environment = Environment(
        loader=PackageLoader("cgl_ignite.page"),
        autoescape=select_autoescape(["html.j2"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["plain"] = _plain
    return environment.get_template(template).render(page=page, pictures=pictures)


def _plain(text: Any) -> str:
    r"""Escape what Markdown would take for a sign of its own.

    Example:
        >>> _plain("a_b | <c>")
        'a\\_b \\| \\<c\\>'
    """
    return re.sub(r"([\\`*_{}\[\]<>|#])", r"\\\1", str(text)).replace("\n", " ")
