"""The report of an evaluation as one HTML file, which needs no other file and no network."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cgl_ignite.analysis.canvas import DPI
from cgl_ignite.analysis.evaluation import Evaluation, Mistake
from cgl_ignite.page.content import Grid
from cgl_ignite.page.render import render

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["evaluation_html"]

THUMBNAIL = 160
"""Pixels of the longer side of a picture; larger ones are scaled down."""
_CSS_DPI = 96


@dataclass(frozen=True)
class Shown:
    """A mistake as the page shows it: a picture as a data URL, or a text; either may be empty."""

    row: int
    right: str
    predicted: str
    confidence: str
    picture: str
    text: str


def evaluation_html(
    evaluation: Evaluation,
    mistakes: Sequence[Mistake],
    pictures: Mapping[str, bytes],
    images: Sequence[NDArray[Any]],
    texts: Sequence[str],
    facts: Mapping[str, Any],
) -> str:
    """Write the page.

    Args:
        evaluation: the answers of the student.
        mistakes: the surest ones.
        pictures: ``confusion.png`` and ``reliability.png``.
        images: of the mistakes, uint8 (H, W, 3) or (H, W) each; or none.
        texts: of the mistakes; empty where there is none.
        facts: which student was evaluated on what.
    """
    urls = [_url(_thumbnail(image)) for image in images] or [""] * len(mistakes)
    shown = [
        Shown(one.row, evaluation.classes[one.right], evaluation.classes[one.predicted], f"{one.confidence:.1f}", *more)
        for one, *more in zip(mistakes, urls, texts, strict=True)
    ]
    return render(
        "evaluation.html.j2",
        title=f"Student {facts['student']} of run {facts['run_id']} on {facts['data']}",
        rows=f"{facts['n']:,}",
        measures=list(evaluation.lines()),
        classes=_grid(list(evaluation.table())),
        confusions=_grid(list(evaluation.confusions())),
        confusion=_url(pictures["confusion.png"]),
        confusion_width=_width(pictures["confusion.png"]),
        reliability=_url(pictures["reliability.png"]),
        mistakes=shown,
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
