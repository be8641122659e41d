"""What every method would cost on a pipeline, as the number of students grows (the paper's Fig. 3b and appendix)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from cgl_ignite.catalogue import bind, effective
from cgl_ignite.cli.preview import Preview
from cgl_ignite.config.load import Document, Tree
from cgl_ignite.config.presets import PAPER_METHODS
from cgl_ignite.config.variants import variant
from cgl_ignite.data import Look
from cgl_ignite.errors import InputError
from cgl_ignite.pool.cost import LayerCost

__all__ = ["growth", "growth_lines"]

COUNTS = (2, 4, 8, 16)


def growth(
    document: Document,
    methods: Sequence[str] = PAPER_METHODS,
    counts: Sequence[int] = COUNTS,
    look: Look | None = None,
) -> Iterator[Preview]:
    """Preview each method with this many students; combinations that cannot be, such as too few rows, are left out.

    A method that is defined for one student comes once. Where others are imitated with a probability p, K p stays what
    it is in the preset, as in the paper's claim of constant cost.
    """
    costs: Sequence[LayerCost] = ()
    for method in methods:
        own = _preset(document, method)
        for students in [1] if own["students"] == 1 else counts:
            grown = _with_entry(document, method, {"students": students, **_choice(own, students)})
            with suppress(InputError):
                preview = Preview.of(bind(variant(grown, method)), costs, look)
                costs, look = preview.costs, preview.look
                yield preview


def growth_lines(document: Document, look: Look | None = None) -> Iterator[str]:
    """Yield the table as lines of text."""
    rows = list(growth(document, look=look))
    if not rows:
        return
    period = "epoch" if rows[0].iterations else "iteration"
    yield f"Every method on this pipeline: cost of an {period} as the number of students grows"
    yield f"{'method':<10}{'students':>9}{'parameters':>14}{'forward':>11}{'backward':>11}{'multiply-adds':>15}"
    for row in rows:
        method = row.pipeline.method
        yield (
            f"{method.preset:<10}{method.students:>9}{row.parameters:>14,}{row.forward_passes:>11,.0f}"
            f"{row.backward_passes:>11,.0f}{row.multiply_adds:>15.3g}"
        )
    yield "forward, backward: passes of one student over one batch; shared layers count once in multiply-adds"
    for name in dict.fromkeys(row.pipeline.method.preset for row in rows):
        own = _preset(document, name)
        if constant := _imitated_on_average(own):
            yield (
                f"{name}: imitation probability {constant:g} / students, at most 1, so that K p stays what it is with"
                f" {own['students']} students"
            )


def _preset(document: Document, method: str) -> Mapping[str, Any]:
    """Return the settings of a preset for the document's task."""
    table: Mapping[str, Any] = effective(variant(_with_entry(document, method, {}), method)).tree["method"]
    return table


def _with_entry(document: Document, method: str, entry: Tree) -> Document:
    return Document({**document.tree, "methods": {method: entry}}, {}, document.path)


def _imitated_on_average(method: Mapping[str, Any]) -> float:
    """Return K p; 0 where nobody is chosen with a probability."""
    return float(method["students"] * method["choose"].get("probability", 0))


def _choice(method: Mapping[str, Any], students: int) -> Tree:
    """Return the choice of sub-groups that keeps K p."""
    constant = _imitated_on_average(method)
    return {"choose": {**method["choose"], "probability": min(1.0, constant / students)}} if constant else {}
