"""What every method would cost on a pipeline, as the number of students grows (the paper's Fig. 3b and appendix)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress

from cgl_ignite.catalogue import bind
from cgl_ignite.cli.preview import Preview
from cgl_ignite.config.load import Document, Tree
from cgl_ignite.config.presets import METHODS, PAPER_METHODS
from cgl_ignite.config.variants import variant
from cgl_ignite.errors import ConfigError
from cgl_ignite.pool.cost import LayerCost

__all__ = ["growth", "growth_lines"]

COUNTS = (2, 4, 8, 16)


def growth(
    document: Document, methods: Sequence[str] = PAPER_METHODS, counts: Sequence[int] = COUNTS
) -> Iterator[Preview]:
    """Preview each method with so many students; combinations that cannot be, such as too few rows, are left out.

    A method that is defined for one student comes once.
    """
    costs: Sequence[LayerCost] = ()
    for method in methods:
        alone = METHODS[method]["students"] == 1
        for students in [1] if alone else counts:
            entry: Tree = {"students": students}
            tree = {**document.tree, "methods": {method: entry}}
            with suppress(ConfigError):
                preview = Preview.of(bind(variant(Document(tree, {}, document.path), method)), costs)
                costs = preview.costs
                yield preview


def growth_lines(document: Document) -> Iterator[str]:
    """Yield the table as lines of text."""
    rows = list(growth(document))
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
