"""How often two students predict the same class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from cgl_ignite.analysis.canvas import ANNOTATED, headline, lower_triangle, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

__all__ = ["agreement", "agreement_figure", "agreements_figure"]

CELL, WIDEST = 0.46, 7.0
"""Inches of a cell, and of a matrix of many students."""
COLUMNS, FEWEST = 6, 3
"""Matrices in a row, and cells that the smallest one is wide."""
NARROWEST, SPACE = 3.8, 0.7
"""Inches that the title takes, and that lie between two matrices."""


def agreement(predicted: NDArray[Any]) -> NDArray[Any]:
    """Return the share of samples, in percent, on which two students predict the same class.

    Shape: predicted (K, N); result (K, K), symmetric, 100 on the diagonal.

    Example:
        >>> agreement(np.array([[0, 1, 2, 2], [0, 1, 1, 2]]))
        array([[100.,  75.],
               [ 75., 100.]])
    """
    return np.stack([100 * (predicted == student).mean(axis=1) for student in predicted])


@styled
def agreement_figure(table: NDArray[Any], selected: int | None = None) -> Figure:
    """Draw on how many of the test samples every two students say the same.

    Args:
        table: (K, K), in percent, as :func:`agreement` returns it.
        selected: the student whose label is marked.
    """
    size = _size(len(table))
    figure = new_figure(max(size + 1.2, 4.4), size + 1.0)
    axes = figure.subplots()
    lower_triangle(axes, table, "{:.1f}", selected)
    mean = table[np.tril_indices(len(table), -1)].mean()
    headline(axes, f"Agreement {mean:.1f} %", "share of test samples on which two students predict the same class")
    axes.set(xlabel="student", ylabel="student")
    return figure


@styled
def agreements_figure(tables: Mapping[str, NDArray[Any]]) -> Figure:
    """Draw the agreement of the students of several methods side by side, each (K, K), in percent, in one colour scale.

    Cells are equally large, but for methods with few students.
    """
    names = list(tables)
    rows = [names[start : start + COLUMNS] for start in range(0, len(names), COLUMNS)]
    pairs = np.concatenate([table[np.tril_indices(len(table), -1)] for table in tables.values()])
    widths = [[_width(tables[name]) for name in row] for row in rows]
    heights = [max(row) + 1.0 for row in widths]
    wide = [sum(row) + SPACE * len(row) for row in widths]
    figure = new_figure(max(NARROWEST, *wide), sum(heights) + 0.8)
    parts = figure.subfigures(len(rows), 1, height_ratios=heights, squeeze=False)[:, 0]
    for part, row, ratios, width in zip(parts, rows, widths, wide, strict=True):
        left = max(wide) - width - SPACE
        filled = [*ratios, left] if left > 0 else ratios
        panels = part.subplots(1, len(filled), width_ratios=filled, squeeze=False)[0]
        for axes in panels[len(row) :]:
            axes.set_visible(False)
        for axes, name in zip(panels, row, strict=False):
            _matrix(axes, tables[name], name, limits=(pairs.min(), pairs.max()))
    figure.suptitle("Test samples on which two students predict\nthe same class, in percent", fontweight="bold")
    return figure


def _matrix(axes: Axes, table: NDArray[Any], name: str, limits: tuple[float, float]) -> None:
    lower_triangle(axes, table, "{:.1f}", limits=limits)
    axes.set_title(f"{name}  {table[np.tril_indices(len(table), -1)].mean():.1f}")
    axes.set(xlabel="student", ylabel="student")


def _width(table: NDArray[Any]) -> float:
    return max(len(table) - 1, FEWEST) * (CELL if len(table) <= ANNOTATED else WIDEST / len(table))


def _size(students: int) -> float:
    return min(max(students, 6) * CELL, WIDEST)
