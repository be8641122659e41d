"""What stands below the table of a comparison, as it does not say it itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cgl_ignite.analysis.columns import bounds, size
from cgl_ignite.analysis.comparison import TableRow
from cgl_ignite.analysis.cost_curves import crossings, curves_of, last_leads, reference_curves
from cgl_ignite.analysis.paper import STATEMENT
from cgl_ignite.config.dump import toml_value

__all__ = ["notes"]


def notes(rows: Sequence[TableRow], equal: str) -> Iterator[str]:
    """Say below the table what it does not say itself."""
    yield "± is the standard deviation over seeds; MAdds: multiply-adds, forward and backward, per training sample"
    if any(row.over_seeds for row in rows):
        yield "certain: the interval over seeds leaves out 0"
    if equal.startswith("cost"):
        epochs = ", ".join(f"{row.method} {row.cost.epochs}" for row in rows)
        yield f"equal multiply-adds of the training: epochs: {epochs}"
    if equal == "steps":
        passes = ", ".join(f"{row.method} {row.cost.passes}" for row in rows)
        yield f"equal optimizer steps: passes over the data per epoch: {passes}"
    yield from _over_the_cost(rows)
    yield from _variants(rows)
    for row in rows:
        if row.deviations:
            changes = ", ".join(f"{key} = {toml_value(value)}" for key, value in row.deviations.items())
            yield f"* {row.method} deviates from the common protocol: {changes}"
        for seed, reason in row.failed.items():
            yield f"{row.method} seed {seed} failed: {reason}"
    if any(row.paper for row in rows):
        yield STATEMENT


def _over_the_cost(rows: Sequence[TableRow]) -> Iterator[str]:
    """Compare methods that were trained for several lengths at equal cost, and say where their curves cross."""
    curves = curves_of(rows)
    for reference in reference_curves(rows):
        yield f"differences are to {reference} of the same length"
        for name, lead in last_leads(curves, reference):
            interval = f" {bounds(lead.over_seeds)}" if lead.over_seeds else ""
            cost = f"at equal cost, {size(lead.work)} multiply-adds of training"
            yield f"{cost}: {name} {lead.mean:+.2f}{interval} to {reference}"
    for cross in crossings(curves):
        up_to = f"{cross.before} is ahead of {cross.after} up to {size(cross.work)} multiply-adds of training"
        yield f"{up_to}, and behind after that" + ("" if cross.certain else " (not certain)")


def _variants(rows: Sequence[TableRow]) -> Iterator[str]:
    """Say once what each variant changes."""
    lines = {
        row.variant: ", ".join(f"{key} = {toml_value(value)}" for key, value in row.changes.items()) for row in rows
    }
    yield from (f"{name}: {changes}" for name, changes in lines.items() if changes)
