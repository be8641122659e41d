"""The screens of a comparison: what is told, what fits, how long it takes."""

from __future__ import annotations

import io
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

from cgl_ignite.analysis.comparison import Cost, TableRow
from cgl_ignite.analysis.statistics import Interval, Spread
from cgl_ignite.cli.board import LiveBoard, PlainBoard, QuietBoard, make_board, show_table
from cgl_ignite.comparison.cells import Cell

WORK = {"a": 100.0, "b": 300.0}


def console(width=100, terminal=False):
    return Console(file=io.StringIO(), width=width, height=30, force_terminal=terminal, highlight=False)


def text(board):
    return board.console.file.getvalue()


def cells():
    return [Cell("a", 1, "finished", share=1.0), Cell("b", 1), Cell("b", 2)]


def started(board, jobs=1):
    all_cells = cells()
    board.start(Path("folder"), all_cells, WORK, jobs)
    return all_cells


def test_plain_lines_tell_each_run_once():
    board = PlainBoard(console())
    _, cell, other = started(board)
    for share in (0.0, 0.0, 0.5):
        cell.status, cell.share = "running", share
        board.update(cell)
    cell.status, cell.share, cell.accuracy = "finished", 1.0, 97.25
    board.update(cell)
    other.status, other.reason = "failed", "not finite"
    board.update(other)
    lines = text(board).splitlines()
    assert "a, b" in lines[0] and "3 runs, 1 finished before" in lines[0]
    assert [line.split("  ")[0] for line in lines[1:]] == ["1/3 runs", "2/3 runs", "3/3 runs"]
    assert "b seed 1 begins" in lines[1]
    assert "b seed 1 finished: test accuracy 97.25 %" in lines[2]
    assert "b seed 2 failed: not finite" in lines[3]


def test_while_tuning_the_holdout_is_shown_and_not_the_test_set():
    board = make_board(tuning=True, console=console())
    _, cell, _ = started(board)
    cell.status, cell.accuracy, cell.holdout_accuracy = "finished", 97.25, 95.5
    board.update(cell)
    assert "b seed 1 finished: holdout accuracy 95.50 %" in text(board) and "97.25" not in text(board)


def test_time_left_counts_the_work_of_this_process(monkeypatch):
    """The run that was finished before says nothing; 300 took 60 seconds, and 300 are left."""
    clock = [0.0]
    monkeypatch.setattr("cgl_ignite.cli.board.time.monotonic", lambda: clock[0])
    board = PlainBoard(console())
    _, cell, _ = started(board)
    assert board.left() is None
    clock[0], cell.share = 60.0, 1.0
    assert board.left() == pytest.approx(60.0)


def test_quiet_shows_failures_and_notes_only():
    board = QuietBoard(console())
    _, cell, _ = started(board)
    cell.status = "finished"
    board.update(cell)
    assert text(board) == ""
    cell.status, cell.reason = "failed", "not finite"
    board.update(cell)
    board.note("careful")
    assert text(board) == "b seed 1 failed: not finite\nnote: careful\n"


def test_live_bars_come_and_go():
    board = LiveBoard(console(terminal=True))
    _, cell, _ = started(board, jobs=2)
    cell.status, cell.share = "running", 0.5
    board.update(cell)
    assert "b seed 1" in text(board) and "50%" in text(board) and "1 running, 1 waiting" in text(board)
    cell.status, cell.share, cell.accuracy = "finished", 1.0, 97.25
    board.update(cell)
    board.stop()
    assert "97.25 %" in text(board) and "\x1b[?25h" in text(board)


def test_the_board_fits_where_it_is_shown():
    assert type(make_board(quiet=True)) is QuietBoard
    assert type(make_board(live=True, console=console())) is PlainBoard
    assert type(make_board(live=True, console=console(terminal=True))) is LiveBoard
    assert type(make_board(live=False, console=console(terminal=True))) is PlainBoard


def report():
    row = TableRow(
        method="cgl_attention", curve="cgl_attention", seeds=(1, 2, 3), failed={}, deviations={},
        accuracy=Spread(78.01, 0.07), mean_accuracy=Spread(77.5, 0.1), diversity=Spread(0.535, 0.01),
        parameters=22_400_000, parameters_student=11_200_000, cost=Cost(140_700, 1, 3.4e9, 1e18),
        seconds=Spread(36_000.0, 60.0), paper=Spread(78.01, 0.07), difference=3.33,
        over_seeds=Interval(2.95, 3.71), over_samples=Interval(2.61, 4.05),
    )  # fmt: skip
    return SimpleNamespace(rows=[row], reference="baseline", equal="epochs", folder=Path("folder"))


@pytest.mark.parametrize("width", [60, 80, 100, 200])
def test_the_table_fits_the_screen(width):
    screen = console(width, terminal=True)
    show_table(report(), stderr=False, console=screen)
    shown = re.sub(r"\x1b\[[\d;]*m", "", screen.file.getvalue())
    lines = shown.splitlines()
    assert all(len(line) <= width for line in lines[:4])
    (row,) = [line for line in lines if line.startswith("cgl_attention")]
    assert "…" not in row and "78.01 ± 0.07" in row and "+3.33" in row
    assert ("of all" in lines[0]) == (width == 200)
    assert ("not shown" in shown) == (width < 200)


def test_where_there_is_no_terminal_the_table_has_a_hundred_columns():
    screen = console(40)
    show_table(report(), stderr=False, console=screen)
    assert 80 < max(map(len, screen.file.getvalue().splitlines()[:4])) <= 100


def test_the_papers_number_is_marked():
    screen = console(200, terminal=True)
    show_table(report(), stderr=False, console=screen)
    shown = screen.file.getvalue().replace("\n", " ")
    assert "paper: 78.01 ± 0.07" in shown and "not measured here" in shown
