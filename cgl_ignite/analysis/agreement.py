"""How often two students predict the same class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from cgl_ignite.analysis.canvas import headline, lower_triangle, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

__all__ = ["agreement", "agreement_figure", "agreements_figure"]

CELL, WIDEST = 0.48, 7.0
"""Inches of a cell, and of a matrix of many students."""
COLUMNS = 3


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
    _matrix(figure.subplots(), table, "Agreement", selected)
    return figure


@styled
def agreements_figure(tables: Mapping[str, NDArray[Any]]) -> Figure:
    """Draw the agreement of the students of several methods side by side, each (K, K), in percent."""
    columns = min(len(tables), COLUMNS)
    rows = -(-len(tables) // columns)
    size = max(_size(len(table)) for table in tables.values())
    figure = new_figure(columns * (size + 0.9), rows * (size + 1.0))
    grid = figure.subplots(rows, columns, squeeze=False).flat
    for axes, (name, table) in zip(grid, tables.items(), strict=False):
        _matrix(axes, table, name)
    for axes in list(grid)[len(tables) :]:
        axes.set_axis_off()
    return figure


def _matrix(axes: Any, table: NDArray[Any], title: str, selected: int | None = None) -> None:
    lower_triangle(axes, table, "{:.1f}", selected)
    mean = table[np.tril_indices(len(table), -1)].mean()
    headline(axes, f"{title}: {mean:.1f} %", "of the test samples, on which two students predict the same class")
    axes.set(xlabel="student", ylabel="student")


def _size(students: int) -> float:
    return min(max(students, 6) * CELL, WIDEST)
