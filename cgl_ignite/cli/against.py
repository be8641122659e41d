"""The last lines of ``cgl run --against``: both methods, their cost, and how sure the difference is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.text import Text

if TYPE_CHECKING:
    from cgl_ignite.analysis.comparison import TableRow
    from cgl_ignite.comparison.against import Outcome

__all__ = ["outcome_lines"]


def outcome_lines(outcome: Outcome) -> Iterator[Text]:
    """Tell what each method reached for its cost, and the difference with its interval."""
    yield Text.assemble(("against ", "bold"), (outcome.other.method, "bold"), ", for the same cost of training")
    width = max(len(outcome.row.method), len(outcome.other.method), len("difference")) + 2
    for row in (outcome.row, outcome.other):
        yield Text.assemble("  ", (f"{row.method:<{width}}", "dim"), (_accuracy(row), "bold"), f"   {_cost(row)}")
    difference, verdict = f"{outcome.row.difference:+.2f} points   ", _verdict(outcome.row, len(outcome.own))
    yield Text.assemble("  ", (f"{'difference':<{width}}", "dim"), difference, verdict)


def _accuracy(row: TableRow) -> str:
    if row.accuracy is None:
        return "–"
    spread = "" if row.accuracy.std is None else f" ± {row.accuracy.std:.2f}"
    return f"{row.accuracy.mean:.2f}{spread} % on the test set"


def _cost(row: TableRow) -> str:
    return f"{row.cost.epochs} epochs, {row.cost.steps:,} optimizer steps, {row.cost.work:.3g} multiply-adds"


def _verdict(row: TableRow, seeds: int) -> tuple[str, str]:
    """Say whether the difference is certain; where seeds cannot tell, as one cannot, the test rows do."""
    interval, over = row.over_seeds, f"{seeds} seeds"
    if interval is None:
        interval, over = row.over_samples, "test rows, one seed" if seeds == 1 else "test rows"
    if interval is None:
        return "", ""
    bounds = f"95 % over {over}: {interval.low:+.2f} to {interval.high:+.2f}"
    if not interval.leaves_out_zero:
        return f"not certain ({bounds})", "yellow"
    return f"certain ({bounds})", "green" if interval.low > 0 else "red"
