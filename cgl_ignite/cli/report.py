"""The report of the data as a table and a few lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.table import Table
from rich.text import Text

from cgl_ignite.cli.output import cells

if TYPE_CHECKING:
    from rich.console import Console

    from cgl_ignite.data import DataReport

__all__ = ["show_data"]


def show_data(report: DataReport, console: Console) -> None:
    """Print what a run reads, and what there is to worry about."""
    console.print(Text.assemble(("data ", "bold"), report.headline), soft_wrap=True)
    titles, *rows = report.table()
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False, header_style="dim")
    for title in titles:
        table.add_column(title, justify="left" if title in (titles[0], titles[-1]) else "right")
    for row in rows:
        table.add_row(*cells(row))
    console.print(table)
    for warning in report.warnings:
        console.print(Text.assemble(("warning: ", "yellow"), warning), soft_wrap=True)
    for note in report.notes:
        console.print(Text.assemble(("note: ", "yellow"), note), soft_wrap=True)
