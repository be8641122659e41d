"""Several processes at one comparison: who takes which cell, and what one learns of the cells of others."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cgl_ignite.catalogue import load_pipeline
from cgl_ignite.comparison import sharing
from cgl_ignite.comparison.cells import Cell
from cgl_ignite.comparison.claims import Claims
from cgl_ignite.comparison.sharing import SharedCells
from cgl_ignite.comparison.task import Task

DIGITS = Path(__file__).resolve().parents[2] / "pipelines" / "digits_resnet.toml"
HOLD = """
import sys
from pathlib import Path
from cgl_ignite.comparison.cells import Cell
from cgl_ignite.comparison.claims import Claims
claims = Claims(Path(sys.argv[1]))
print(claims.take(Cell("cgl", 1)), flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharing, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(sharing, "PUBLISH_SECONDS", 0.0)


@pytest.fixture(scope="module")
def task() -> Task:
    return Task.of(load_pipeline(DIGITS), 1, {}, None, {}, {})


def three() -> list[Cell]:
    return [Cell("cgl", seed) for seed in (1, 2, 3)]


def test_a_killed_process_lets_go_of_its_cells(tmp_path: Path) -> None:
    first = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert first.stdout is not None and first.stdout.readline() == "True\n"
    claims = Claims(tmp_path)
    assert not claims.take(Cell("cgl", 1)) and claims.elsewhere(Cell("cgl", 1)) and claims.take(Cell("cgl", 2))
    first.kill()
    first.communicate()
    assert claims.take(Cell("cgl", 1))
    claims.release_all()


def test_every_cell_is_taken_by_one_of_two_processes(tmp_path: Path, task: Task) -> None:
    """The second is given a turn in the middle of each cell of the first, and ends one cell in every turn."""
    done: list[tuple[str, int]] = []
    shown: list[tuple[int, str]] = []
    other = SharedCells(tmp_path, lambda cell: None)
    other_cells = three()

    def work(shared: SharedCells, name: str, turn: Any) -> Any:
        def take(tasks: Any) -> None:
            for cell, _ in tasks:
                cell.status = "running"
                shared.publish(cell)
                turn()
                done.append((name, cell.seed))
                cell.status, cell.run_id = "finished", f"run-{cell.seed}"
                shared.publish(cell)

        return take

    def turn() -> None:
        other.work_off(other_cells, work(other, "other", lambda: None), lambda cell: task, lambda: False)

    mine, cells = SharedCells(tmp_path, lambda cell: shown.append((cell.seed, cell.status))), three()
    mine.work_off(cells, work(mine, "mine", turn), lambda cell: task)
    assert done == [("other", 2), ("other", 3), ("mine", 1)]
    assert shown == [(2, "finished"), (3, "finished")]
    assert [cell.run_id for cell in cells] == ["run-1", "run-2", "run-3"]
    assert [cell.status for cell in other_cells] == ["running", "finished", "finished"]


def test_what_another_process_says_of_its_cell_is_shown(tmp_path: Path, task: Task) -> None:
    """It runs, then fails; its failure is taken over and not tried again."""
    shown: list[tuple[str, float, str]] = []
    other, cell = Claims(tmp_path), Cell("cgl", 1)
    assert other.take(cell)
    steps = iter([Cell("cgl", 1, "running", share=0.5), Cell("cgl", 1, "failed", reason="not finite")])

    def work(tasks: Any) -> None:
        assert list(tasks) == []
        state = next(steps)
        other.publish(state)
        if state.status == "failed":
            other.release(state)

    shared = SharedCells(tmp_path, lambda cell: shown.append((cell.status, cell.share, cell.reason)))
    shared.work_off([cell], work, lambda cell: task)
    assert shown == [("running", 0.5, ""), ("failed", 0.0, "not finite")]


def test_a_cell_that_another_process_has_left_is_taken(tmp_path: Path, task: Task) -> None:
    """Its process was killed: it still says that it runs, but nobody holds it."""
    claims, cell, taken = Claims(tmp_path), Cell("cgl", 1), []
    assert claims.take(cell)
    claims.publish(Cell("cgl", 1, "running", share=0.5))
    shared = SharedCells(tmp_path, lambda cell: None)

    def work(tasks: Any) -> None:
        for one, _ in tasks:
            taken.append(one.label)
            one.status = "finished"
            shared.publish(one)
        claims.release(cell)

    shared.work_off([Cell("cgl", 1)], work, lambda cell: task)
    assert taken == ["cgl seed 1"]
