"""The picture of several processes: an iteration of K students in one process, and with a process for each student.

python benchmarks/processes_figure.py docs/pictures/processes.png
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from cgl_ignite.analysis.canvas import PALETTE, as_png, headline, new_figure, styled
from cgl_ignite.tracking.files import write_atomically

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["RECORD", "milliseconds", "processes_figure"]

RECORD = Path(__file__).parent / "results" / "processes_population.json"

CURVES = {
    "one process": "-",
    "K processes on two cores": "--",
    "processor time of one of K processes": "-",
}


def milliseconds(measurements: Sequence[Mapping[str, Any]]) -> dict[str, dict[int, float]]:
    """Return the median time of an iteration by the number of students; one student is trained by one process."""
    found: dict[str, dict[int, float]] = {curve: {} for curve in CURVES}
    for each in measurements:
        students = each["students"]
        if students == 1:
            alone = each["training"]["milliseconds"]["trainer"]["median"]
            values = [alone] * len(CURVES)
        else:
            rounds = each["processes"]["rounds"]
            names = "one process", "all processes", "first of all processes, processor time"
            values = [median(rounds[name]) for name in names]
        for curve, value in zip(found.values(), values, strict=True):
            curve[students] = value
    return found


@styled
def processes_figure(measurements: Sequence[Mapping[str, Any]]) -> Figure:
    """Draw milliseconds of an iteration over the number of students."""
    figure = new_figure(6, 3.8)
    axes = figure.subplots()
    colors = PALETTE[7], PALETTE[7], PALETTE[0]
    for (name, curve), color in zip(milliseconds(measurements).items(), colors, strict=True):
        axes.plot(list(curve), list(curve.values()), CURVES[name], marker="o", markersize=4, color=color, label=name)
    headline(axes, "An iteration of CGL", "milliseconds, by the number of students K")
    axes.set_xscale("log", base=2)
    students = [each["students"] for each in measurements]
    axes.set_xticks(students, list(map(str, students)))
    axes.set_ylim(bottom=0)
    axes.grid(visible=True)
    axes.legend(fontsize=8)
    return figure


if __name__ == "__main__":
    record = json.loads(RECORD.read_text("utf-8"))
    write_atomically(Path(sys.argv[1]), as_png(processes_figure(record["measurements"])))
