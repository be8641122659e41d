"""A picture of a network that was cut into layers: the operations of each, its parameters and multiply-adds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from cgl_ignite.analysis.canvas import ACCENT, INK, MUTED, PALETTE, SECOND, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["CutLayer", "layers_figure", "lines_of"]

KINDS: dict[str, tuple[str, tuple[str, ...]]] = {
    "attention": (PALETTE[3], ("attention",)),
    "normalisation": (PALETTE[2], ("norm",)),
    "convolution, linear layer": (PALETTE[0], ("conv", "linear", "matmul", "bmm", "einsum")),
    "dropout": (PALETTE[4], ("drop", "stochasticdepth")),
    "pooling": ("#b39ddb", ("pool", "mean")),
    "activation": (PALETTE[1], ("relu", "elu", "silu", "swish", "sigmoid", "softmax", "tanh", "mish")),
}
"""Colours of operations, by what their names contain; the first that fits."""
OTHER = "#dfe3ea"
UNSHOWN = frozenset({"getattr", "getitem", "dim", "size", "eq", "ne", "floordiv", "_assert"})
"""What reads or checks the form of a tensor, or takes one of several results, and computes nothing."""

LEFT, CHIPS, RIGHT, BAR = 0.5, 2.5, 8.9, 1.1
"""Inches from the left: names of modules, operations, figures; and the length of the longest bar."""
LINE, GAP, LETTER = 0.2, 0.3, 0.058


class CutLayer(NamedTuple):
    """A layer of a network: its operations with the module that each belongs to, and figures of one sample."""

    operations: Sequence[tuple[str, str]]
    parameters: int
    multiply_adds: int
    output: tuple[int, ...]


@dataclass
class _Line:
    title: str
    names: list[str]


@styled
def layers_figure(layers: Sequence[CutLayer], title: str) -> Figure:
    """Draw the layers from the input to the logits, each as the operations that it runs.

    Args:
        layers: the classifier is the last.
        title: names the network.
    """
    drawn = [list(_wrapped(lines_of(layer.operations))) for layer in layers]
    height = 0.95 + sum(LINE * len(lines) + GAP for lines in drawn)
    figure = new_figure(RIGHT + 2 * BAR + 0.5, height)
    axes = figure.subplots()
    axes.set(xlim=(0, RIGHT + 2 * BAR + 0.4), ylim=(height, 0))
    axes.axis("off")
    _head(axes, title)
    most = [max(1, *(getattr(layer, name) for layer in layers)) for name in ("parameters", "multiply_adds")]
    top = 0.95
    for number, (layer, lines) in enumerate(zip(layers, drawn, strict=True)):
        bottom = top + LINE * len(lines)
        axes.plot((LEFT - 0.1, LEFT - 0.1), (top - 0.05, bottom - 0.05), color=INK, linewidth=1.5)
        axes.text(0.1, (top + bottom) / 2 - 0.05, str(number), fontweight="bold", va="center")
        for row, line in enumerate(lines):
            _draw_line(axes, line, top + LINE * row)
        _draw_figures(axes, layer, most, top)
        form = " x ".join(map(str, layer.output))
        axes.text(LEFT, bottom + 0.08, f"\N{DOWNWARDS ARROW} {form}", color=MUTED, fontsize=7, va="center")
        top = bottom + GAP
    return figure


def lines_of(operations: Sequence[tuple[str, str]]) -> list[tuple[str, list[str]]]:
    """Gather the operations of a layer by their modules; neighbours with one operation each share a line.

    What computes nothing is left out, such as checks of the form.

    Example:
        >>> lines_of([("conv1", "Conv2d"), ("relu", "ReLU"), ("layer1", "Conv2d"), ("layer1", "eq"), ("layer1", "add")])
        [('conv1 to relu', ['Conv2d', 'ReLU']), ('layer1', ['Conv2d', 'add'])]
    """
    found: list[tuple[list[str], list[str]]] = []
    shown = [each for each in operations if each[1] not in UNSHOWN]
    for module, group in groupby(shown, key=lambda each: each[0]):
        names = [name for _, name in group]
        if found and len(names) == 1 and len(found[-1][0]) == len(found[-1][1]):
            found[-1][0].append(module)
            found[-1][1].extend(names)
        else:
            found.append(([module], names))
    return [(_title(modules), names) for modules, names in found]


def _title(modules: Sequence[str]) -> str:
    named = [module for module in modules if module] or [""]
    return named[0] if named[0] == named[-1] else f"{named[0]} to {named[-1]}"


def _wrapped(lines: Sequence[tuple[str, list[str]]]) -> Iterator[_Line]:
    """Break lines that are too wide; the parts after the first have no title."""
    for title, names in lines:
        line = _Line(title, [])
        for name in names:
            if line.names and CHIPS + sum(map(_width, [*line.names, name])) > RIGHT - 0.2:
                yield line
                line = _Line("", [])
            line.names.append(name)
        yield line


def _width(name: str) -> float:
    return LETTER * len(name) + 0.12


def _colour(name: str) -> str:
    lower = name.lower()
    return next((colour for colour, parts in KINDS.values() if any(part in lower for part in parts)), OTHER)


def _draw_line(axes: Axes, line: _Line, top: float) -> None:
    from matplotlib.patches import Rectangle

    axes.text(LEFT, top + 0.05, line.title, fontsize=6.5, va="center")
    left = CHIPS
    for name in line.names:
        width = _width(name)
        axes.add_patch(Rectangle((left, top - 0.03), width - 0.03, LINE - 0.04, color=_colour(name), linewidth=0))
        axes.text(left + width / 2 - 0.015, top + 0.055, name, fontsize=6, ha="center", va="center")
        left += width


def _draw_figures(axes: Axes, layer: CutLayer, most: Sequence[int], top: float) -> None:
    from matplotlib.patches import Rectangle

    values = (layer.parameters, layer.multiply_adds)
    for place, (value, largest, colour) in enumerate(zip(values, most, (ACCENT, SECOND), strict=True)):
        left = RIGHT + place * (BAR + 0.2)
        axes.text(left, top + 0.03, f"{value:,}", fontsize=7, va="center")
        axes.add_patch(Rectangle((left, top + 0.13), BAR * value / largest, 0.05, color=colour, linewidth=0))


def _head(axes: Axes, title: str) -> None:
    from matplotlib.patches import Rectangle

    axes.text(0.1, 0.12, title, fontsize=10.5, fontweight="bold", va="center")
    left = LEFT - 0.4
    for name, (colour, _) in {**KINDS, "other": (OTHER, ())}.items():
        axes.add_patch(Rectangle((left, 0.34), 0.14, 0.12, color=colour, linewidth=0))
        axes.text(left + 0.2, 0.4, name, fontsize=7, va="center", color=MUTED)
        left += 0.35 + 0.075 * len(name)
    axes.text(0.1, 0.72, "layer", fontsize=7, va="center", color=MUTED)
    axes.text(CHIPS, 0.72, "operations, in the order in which they run", fontsize=7, va="center", color=MUTED)
    for place, name in enumerate(("parameters", "multiply-adds a sample")):
        axes.text(RIGHT + place * (BAR + 0.2), 0.72, name, fontsize=7, va="center", color=MUTED)
