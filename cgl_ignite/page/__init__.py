"""A page about a comparison or a few runs, for people: one HTML file, and the same in Markdown."""

from cgl_ignite.page.content import Page, gather
from cgl_ignite.page.render import as_html, as_markdown

__all__ = ["Page", "as_html", "as_markdown", "gather"]
