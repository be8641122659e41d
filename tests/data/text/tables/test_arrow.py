"""Arrow's threads let go of a table however its reading ends, so that a process can end, too."""

from __future__ import annotations

import gc
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from cgl_ignite.data.text.tables import arrow
from cgl_ignite.data.text.tables.rows import TableLayout, read_rows
from cgl_ignite.errors import InputError

LAYOUT = TableLayout(columns=2, label=0, text=(1,))
ROWS = 200_000


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four blocks of two classes."""
    path = tmp_path_factory.mktemp("table") / "train.csv"
    path.write_text(f'1,"{"word " * 8}"\n2,"other"\n' * (ROWS // 2), encoding="utf-8")
    return path


def handles() -> int:
    gc.collect()
    return sum(type(thing) is arrow._Handle for thing in gc.get_objects())


@pytest.mark.parametrize("how", ["whole", "early", "fault"])
def test_nothing_is_held_after_a_reading(table: Path, how: str) -> None:
    rows: Any = read_rows(table, LAYOUT, {"1": 0, "2": 1} if how != "fault" else {"1": 0})
    if how == "whole":
        assert sum(len(block.targets) for block in rows) == ROWS
    elif how == "early":
        next(rows)
        rows.close()
    else:
        with pytest.raises(InputError, match="the class '2' is not '1'"):
            next(rows)
    assert handles() == 0


def test_a_table_that_cannot_be_opened_is_not_held(tmp_path: Path) -> None:
    (tmp_path / "empty.csv").touch()
    with pytest.raises(InputError):
        next(iter(read_rows(tmp_path / "empty.csv", LAYOUT, {"1": 0})))
    assert handles() == 0


def test_readings_that_nobody_ended_are_ended_with_the_process(table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    registered: list[Any] = []
    monkeypatch.setattr(arrow.atexit, "register", registered.append)
    rows = read_rows(table, LAYOUT, {"1": 0, "2": 1})
    assert isinstance(rows, Generator)
    next(rows)
    assert handles() == 1
    (end,) = registered
    end()
    assert handles() == 0
    rows.close()


def test_a_process_that_leaves_a_reading_ends_with_exit_code_0(table: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from cgl_ignite.data.text.tables.rows import TableLayout, read_rows\n"
        "layout = TableLayout(columns=2, label=0, text=(1,))\n"
        f"rows = read_rows(Path({str(table)!r}), layout, {{'1': 0, '2': 1}}); next(rows)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=200)
    assert (done.returncode, done.stderr) == (0, "")
