"""Figures of a run: who shares which modules, how the students differ, how they learned.

Plain :class:`matplotlib.figure.Figure` objects: no window, no global state, fit for a file or a tracker.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from cgl_ignite.tracking import Row

__all__ = ["PALETTE", "diversity_figure", "routing_figure", "training_figure"]

PALETTE = ("#56B4E9", "#E69F00", "#009E73", "#CC79A7", "#F0E442", "#0072B2", "#D55E00", "#999999")
"""Colours that people with any colour vision can tell apart (Okabe and Ito), for the modules of a layer."""

INK, MUTED, FAINT, ACCENT = "#1f2430", "#6b7280", "#e5e7eb", "#0072B2"
STYLE: dict[str, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "text.color": INK,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "grid.color": FAINT,
    "legend.frameon": False,
}
READABLE = 28


def routing_figure(
    paths: Sequence[Sequence[int]], selected: int | None = None, layers: Sequence[str] | None = None
) -> Figure:
    """Draw which module every student runs in every layer; equal colours in a column share a module.

    Args:
        paths: (students, layers), the number of the module.
        selected: the student whose row is marked.
        layers: names of the layers, by default their numbers.
    """
    K, L = len(paths), len(paths[0])
    cell = 0.34 if max(K, L) <= READABLE else 0.2
    figure, axes = _figure(L * cell + 2.2, K * cell + 1.5)
    _cells(axes, paths, cell)
    shared = _sharing(paths)
    axes.set_title("Paths of the students", pad=24)
    axes.text(0, 1.0, _sharing_line(paths), transform=axes.transAxes, va="bottom", color=MUTED, fontsize=8)
    axes.set_xlim(-0.5, L - 0.5)
    axes.set_ylim(K - 0.5, -0.5)
    axes.set_aspect("equal")
    axes.set_xlabel("layer")
    axes.set_ylabel("student")
    return figure
