"""A page about a comparison, a few runs or the whole paper, for people: one HTML file, and the same in Markdown."""

from cgl_ignite.page.content import Page, gather
from cgl_ignite.page.paper import PaperPage, gather_paper
from cgl_ignite.page.render import as_html, as_markdown

__all__ = ["Page", "PaperPage", "as_html", "as_markdown", "gather", "gather_paper"]
