"""The picture of the races: how far each method is from one network at equal cost, on every ground that was run.

python benchmarks/races_figure.py docs/pictures/races.png
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cgl_ignite.analysis.canvas import ACCENT, MUTED, as_png, headline, new_figure, styled
from cgl_ignite.tracking.files import write_atomically

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["GROUNDS", "races_figure", "read_ground"]

ACROSS = 3
"""Grounds beside each other."""
DISTILLED = "_distilled"
RESULTS = Path(__file__).parent / "results"
GROUNDS = {
    "Digits, 400 images and 5 seeds": "race_digits",
    "CIFAR-10, 1,000 images and 3 seeds": "race_cifar10_1000",
    "CIFAR-10, 5,000 images and 3 seeds": "race_cifar10_5000",
    "CIFAR-100, 5,000 images and 3 seeds": "race_cifar100_5000",
    "AG News, 4,000 texts and 3 seeds": "race_ag_news_4000",
    "IMDB, 2,000 reviews and 3 seeds": "race_imdb_2000",
}
"""Two records each: of the race, and of the pools that are distilled at the end, under the name and ``_distilled``."""


def read_ground(record: str) -> list[dict[str, Any]]:
    """Return the rows of both records of a ground; in each the differences are to its own run of one network."""
    files = (RESULTS / f"{record}.json", RESULTS / f"{record}{DISTILLED}.json")
    return [row for file in files for row in json.loads(file.read_text("utf-8"))["table"]]


@styled
def races_figure(races: Mapping[str, Sequence[Mapping[str, Any]]]) -> Figure:
    """Draw the differences to the baseline, with their 95 % intervals over seeds; an open dot has one seed.

    Args:
        races: the rows of each ground's table.
    """
    measured = [row for rows in races.values() for row in rows if row["difference"] is not None]
    names = _ordered([row["method"] for row in measured])[::-1]
    high = math.ceil(len(races) / ACROSS)
    wide = math.ceil(len(races) / high)
    figure = new_figure(10, 0.4 + (0.5 + 0.3 * len(names)) * high)
    panels = list(figure.subplots(high, wide, sharey=True, squeeze=False).flat)
    for axes in panels[len(races) :]:
        axes.set_visible(False)
    for axes, (ground, rows) in zip(panels, races.items(), strict=False):
        _draw(axes, rows, names)
        headline(axes, *ground.split(", ", maxsplit=1))
    figure.supxlabel("points above or below one network with the same recipe, at equal cost", fontsize=9)
    return figure


def _ordered(names: Sequence[str]) -> list[str]:
    """Name every method once, each followed by itself distilled at the end."""
    plain = dict.fromkeys(name.removesuffix(DISTILLED) for name in names)
    return [name for one in plain for name in (one, one + DISTILLED) if name in names]


def _draw(axes: Axes, rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> None:
    axes.axvline(0, color=MUTED, linewidth=1)
    for row in rows:
        if row["difference"] is None:
            continue
        place, interval = names.index(row["method"]), row["over_seeds"]
        if interval is not None:
            axes.hlines(place, interval["low"], interval["high"], color=ACCENT, linewidth=2)
        axes.plot(row["difference"], place, "o", color=ACCENT, markerfacecolor=ACCENT if interval else "white")
    axes.set_yticks(range(len(names)), names)
    axes.grid(visible=True, axis="x")


if __name__ == "__main__":
    tables = {ground: read_ground(record) for ground, record in GROUNDS.items()}
    write_atomically(Path(sys.argv[1]), as_png(races_figure(tables)))
