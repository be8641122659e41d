"""The report of an evaluation as one HTML file, which needs no other file and no network."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cgl_ignite.analysis.canvas import DPI
from cgl_ignite.page.evaluation_page import EvaluationPage, ShownMistake
from cgl_ignite.page.parts import Grid
from cgl_ignite.page.render import render

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["evaluation_html"]

THUMBNAIL = 160
"""Pixels of the longer side of a picture; larger ones are scaled down."""
_CSS_DPI = 96


@dataclass(frozen=True)
class _Shown:
    """A mistake with its picture as a data URL, or its text; either may be empty."""

    mistake: ShownMistake
    picture: str
    text: str


def evaluation_html(
    title: str,
    page: EvaluationPage,
    pictures: Mapping[str, bytes],
    images: Sequence[NDArray[Any]],
    texts: Sequence[str],
) -> str:
    """Write the page.

    Args:
        title: which student was evaluated on what.
        page: what it says.
        pictures: ``reliability.png``, and ``confusion.png`` if the task has one.
        images: of the mistakes, uint8 (H, W, 3) or (H, W) each; or none.
        texts: of the mistakes; empty where there is none.
    """
    urls = [_url(_thumbnail(image)) for image in images] or [""] * len(page.mistakes)
    matrix = pictures.get("confusion.png")
    return render(
        "evaluation.html.j2",
        title=title,
        page=page,
        classes=_grid(page.table),
        confusions=None if page.confusions is None else _grid(page.confusions),
        confusion=None if matrix is None else _url(matrix),
        confusion_width=None if matrix is None else _width(matrix),
        reliability=_url(pictures["reliability.png"]),
        mistakes=[_Shown(*one) for one in zip(page.mistakes, urls, texts, strict=True)],
    )


def _grid(lines: Sequence[Sequence[str]]) -> Grid:
    return Grid(lines[0], lines[1:])


def _url(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def _width(png: bytes) -> int:
    """Tell how wide a figure is when its letters have their size, in CSS pixels."""
    from PIL import Image

    with Image.open(io.BytesIO(png)) as image:
        return round(image.width * _CSS_DPI / DPI)


def _thumbnail(pixels: NDArray[Any]) -> bytes:
    from PIL import Image

    image, file = Image.fromarray(pixels), io.BytesIO()
    image.thumbnail((THUMBNAIL, THUMBNAIL))
    image.save(file, "PNG")
    return file.getvalue()
