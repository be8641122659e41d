"""What was measured as a table and as a picture."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from cgl_ignite.analysis.canvas import ACCENT, INK, MUTED, PALETTE, as_png, headline, new_figure, styled
from cgl_ignite.tracking.files import write_atomically

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["COLUMNS", "ReportLine", "headings", "lines", "markdown", "speed_figure", "write"]

Tree = Mapping[str, Any]
COLUMNS = ("part", "figure", "value", "95 % interval", "unit")
TRAINER = "trainer"
COLORS = {"batches alone": PALETTE[7], "arithmetic floor": PALETTE[2], "planned pass": PALETTE[0], TRAINER: ACCENT}
LOOP = PALETTE[1]


class ReportLine(NamedTuple):
    """One figure as text."""

    part: str
    name: str
    value: str
    interval: str = ""
    unit: str = ""


def headings(tree: Tree) -> Iterator[str]:
    """Say in words what was measured, and how."""
    made_up = " (synthetic: random inputs of the same shape)" if tree["made_up"] else ""
    students = tree["students"]
    group = f"{students} students" if students > 1 else "one student"
    yield f"{tree['pipeline']}: {tree['backbone']} on {tree['data']}{made_up}, {tree['method']}, {group}"
    clock = "wall-clock time" if tree["clock"] == "wall" else "processor time"
    threads = f"{tree['threads']} {'thread' if tree['threads'] == 1 else 'threads'}"
    yield f"median of {tree['rounds']} rounds, {clock}, on {tree['device']}, {threads}; batches of {tree['batch_size']}"


def lines(tree: Tree) -> list[ReportLine]:
    """Write every figure of the parts that were measured as a line of the table."""
    writers = {
        "training": _training,
        "floor": _floor,
        "evaluation": _evaluation,
        "memory": _memory,
        "processes": _processes,
    }
    return [ReportLine(part, *cells) for part, write in writers.items() if part in tree for cells in write(tree[part])]


def markdown(tree: Tree) -> str:
    """Write the table as Markdown, under what was measured."""
    rows = [COLUMNS, ("---", "---", "---:", "---", "---"), *lines(tree)]
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    return "\n\n".join([*headings(tree), table]) + "\n"


def write(tree: Tree, folder: Path) -> None:
    """Write ``bench.json``, ``bench.md`` and, if times of training were measured, ``bench.png``."""
    contents = {"bench.json": (json.dumps(tree, indent=1) + "\n").encode(), "bench.md": markdown(tree).encode()}
    if _bars(tree):
        contents["bench.png"] = as_png(speed_figure(tree))
    for name, content in contents.items():
        write_atomically(folder / name, content)


@styled
def speed_figure(tree: Tree) -> Figure:
    """Draw the milliseconds of an iteration as bars, each with how much longer the trainer takes."""
    bars = _bars(tree)
    figure = new_figure(8.6, 0.46 * len(bars) + 1.5)
    axes = figure.subplots()
    longest = max(bar["high"] for bar in bars.values())
    for place, (name, bar) in enumerate(bars.items()):
        axes.barh(place, bar["median"], height=0.62, color=COLORS.get(name, LOOP), zorder=2)
        axes.plot([bar["low"], bar["high"]], [place, place], color=INK, linewidth=1.3, zorder=3)
        text = axes.annotate(
            f"{_number(bar['median'])} ms", (bar["high"], place), (5, 0), textcoords="offset points", va="center"
        )
        axes.annotate(_beside(tree, name), (1, 0.5), xycoords=text, va="center", color=MUTED, fontsize=8)
    axes.set_yticks(range(len(bars)), list(bars))
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    axes.set_ylim(len(bars) - 0.5, -0.5)
    axes.set_xlim(0, 1.45 * longest)
    axes.set_xlabel("milliseconds per iteration")
    axes.grid(axis="x")
    axes.set_axisbelow(True)
    title, detail = headings(tree)
    headline(axes, title, f"{detail}; lines are 95 % intervals")
    return figure


def _bars(tree: Tree) -> dict[str, Mapping[str, float]]:
    """Order the times of an iteration: what cannot be less, the trainer, the loops."""
    training = tree.get("training", {}).get("milliseconds", {})
    floor = tree.get("floor", {}).get("milliseconds", {})
    times = {**training, **floor}
    loops = [name for name in training if name.startswith("bare")]
    order = ("batches alone", "arithmetic floor", "planned pass", TRAINER, *loops)
    return {name: times[name] for name in order if name in times}


def _beside(tree: Tree, name: str) -> str:
    """Hold a bar against the trainer's: by the ratios of their rounds where they took turns."""
    if name == TRAINER or "training" not in tree:
        return ""
    training, bar = tree["training"], _bars(tree)[name]["median"]
    trainer = training["milliseconds"][TRAINER]["median"]
    if 10 * bar < trainer:
        return f"   {bar / trainer:.1%} of the trainer"
    over = training["trainer_over"].get(name, {"median": trainer / bar})
    return f"   trainer / this: {_number(over['median'])}"


Cells = tuple[str, ...]


def _training(found: Tree) -> Iterator[Cells]:
    for name, value in found["milliseconds"].items():
        yield _summary(name, value, "ms per iteration")
    for name, value in found["trainer_over"].items():
        yield _summary(f"trainer / {name}", value, "times")
    if not found["trainer_over"]:
        yield "bare loop", "-", "", "no loop by hand is written for this method, loss or optimizer"
        return
    work = found["multiply_adds"]
    yield "multiply-adds of trainer / bare loop", _number(work["trainer"] / work["bare loop"]), "", "times"


def _floor(found: Tree) -> Iterator[Cells]:
    for name, value in found["milliseconds"].items():
        yield _summary(name, value, "ms per iteration")
    yield _summary("planned pass / floor", found["pass_over_floor"], "times")
    yield "saved by shared prefixes", f"{found['saved_by_sharing']:.1%}", "", "of the multiply-adds"


def _evaluation(found: Tree) -> Iterator[Cells]:
    rows = max(found["rows"])
    for name, value in found["milliseconds"].items():
        yield _summary(name, value, f"ms per batch of {rows}")
    yield _summary("one after the other / one pass", found["alone_over_together"], "times")
    work = found["arithmetic"]
    yield "multiply-adds of one pass / one after the other", _number(work["as given"]), "", "times"
    if found["statistics"] != "shared":
        yield "the same with statistics = 'shared'", _number(work["shared"]), "", "times"


def _memory(found: Tree) -> Iterator[Cells]:
    yield "growth of the process", f"{found['measured_mib']['growth']:,.0f}", "", "MiB"
    yield "predicted by cgl show", f"{found['predicted_mib']['together']:,.0f}", "", "MiB"
    yield "measured / predicted", _number(found["measured_over_predicted"]), "", "times"


def _processes(found: Tree) -> Iterator[Cells]:
    number = found["processes"]
    yield _summary("iteration of one process", found["milliseconds"]["one process"], "ms")
    yield _summary(f"iteration of {number} processes", found["milliseconds"]["all processes"], "ms")
    yield _summary(f"one process / {number} processes", found["one_over_all"], "times")
    yield _summary("the same, processor time of the first", found["one_over_all_cpu"], "times")
    yield _summary("share of waiting and exchange", found["waiting_share"], "times")
    yield f"gradients, {found['reduce']}", _number(found["gradient_mib"]), "", "MiB"


def _summary(name: str, value: Mapping[str, float], unit: str) -> Cells:
    return name, _number(value["median"]), f"{_number(value['low'])} to {_number(value['high'])}", unit


def _number(value: float) -> str:
    """Write three digits that count, or all those before the point."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:#.3g}".rstrip(".")
