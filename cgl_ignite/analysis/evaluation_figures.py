"""Pictures of an evaluation: the confusion matrix, and a contact sheet of the surest mistakes."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import shorten
from typing import TYPE_CHECKING, Any

import numpy as np

from cgl_ignite.analysis.canvas import ANNOTATED, INK, MUTED, headline, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

__all__ = ["confusion_figure", "mistakes_figure"]

WIDEST = 13.0
"""Inches of a matrix of many classes."""
NAME = 24
"""Characters of a class name that are written."""
COLUMNS = 6
"""Pictures in a row."""


@styled
def confusion_figure(counts: NDArray[Any], classes: Sequence[str]) -> Figure:
    """Draw which share of the rows of each class is predicted as which class; every class has its name.

    Args:
        counts: (C, C), rows of the class (first index) that are predicted as a class (second index).
        classes: their names.
    """
    from matplotlib.colors import PowerNorm

    number = len(classes)
    shares = 100 * counts / counts.sum(axis=1, keepdims=True).clip(min=1)
    size = min(max(3.4, 0.46 * number), WIDEST)
    figure = new_figure(size + 2.4, size + 2.0)
    axes = figure.subplots()
    edges = np.arange(number + 1) - 0.5
    gap = 1.0 if number <= ANNOTATED else 0.2
    norm = PowerNorm(0.5, 0, 100)  # so that rare confusions are seen
    mesh = axes.pcolormesh(edges, edges, shares, cmap="YlGnBu", norm=norm, edgecolors="white", linewidth=gap)
    axes.set_aspect("equal")
    axes.set_ylim(number - 0.5, -0.5)
    names = [shorten(name, NAME, placeholder="...") for name in classes]
    font = max(3.5, min(8.0, 60 * size / number))
    axes.set_xticks(range(number), names, rotation=90, fontsize=font)
    axes.set_yticks(range(number), names, fontsize=font)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    if number <= ANNOTATED:
        for (row, column), count in np.ndenumerate(counts):
            ink = "white" if shares[row, column] > 30 else INK
            axes.text(column, row, f"{count:,}" if count else "", ha="center", va="center", color=ink, fontsize=7)
    bar = figure.colorbar(mesh, ax=axes, shrink=0.5, label="share of the class, percent")
    bar.outline.set_visible(False)
    headline(axes, "Confusion of the classes", "a row for each class, a column for what its rows are predicted as")
    axes.set(xlabel="predicted", ylabel="class")
    return figure


@styled
def mistakes_figure(images: Sequence[NDArray[Any]], captions: Sequence[str]) -> Figure:
    """Draw pictures as a contact sheet, each with its caption.

    Args:
        images: uint8, (H, W, 3) or (H, W) each.
        captions: one for each.
    """
    rows = max(1, -(-len(images) // COLUMNS))
    figure = new_figure(1.7 * COLUMNS, 2.2 * rows + 0.5)
    grid = figure.subplots(rows, COLUMNS, squeeze=False).flatten()
    for axes in grid:
        axes.set_axis_off()
    for axes, image, caption in zip(grid, images, captions, strict=False):
        axes.imshow(image, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
        axes.set_title(caption, fontsize=7, fontweight="normal", loc="center", color=INK)
    figure.suptitle("The surest mistakes: what is right, and what was predicted", fontsize=10, color=MUTED)
    return figure
