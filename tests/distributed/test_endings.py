"""However one process of a run ends, the others end soon, with one reason, and the run can go on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cgl_ignite.handlers.contents import read_run_checkpoint
from tests.distributed.pools import WHOLE, left, train, uneven
from tests.equivalence.test_resume import assert_identical

pytestmark = pytest.mark.slow

EACH = "run.checkpoint_every={iterations=1}"


@pytest.mark.parametrize(("action", "code"), [("exit", 7), ("kill", -9)])
def test_a_process_that_dies_in_the_middle(tmp_path: Path, action: str, code: int) -> None:
    setting = uneven(tmp_path / "runs", "run.epochs=2", EACH)
    assert train(2, setting, tmp_path / "logs", at=(1, 5), action=action) == [1, code]
    assert "PeerLost: another process of this run has ended" in (tmp_path / "logs" / "0.txt").read_text()
    (checkpoint,) = tmp_path.rglob("checkpoint.pt")
    assert read_run_checkpoint(checkpoint)["trainer"]["iteration"] == 4
    assert json.loads((checkpoint.parent / "run.json").read_text())["status"] == "FAILED"
    assert train(1, setting, tmp_path / "logs", resume=True) == [0]
    assert train(1, uneven(tmp_path / "whole", "run.epochs=2"), tmp_path / "logs") == [0]
    assert_identical(left(tmp_path / "runs"), left(tmp_path / "whole"))


def test_the_first_process_dies(tmp_path: Path) -> None:
    assert train(2, uneven(tmp_path / "runs", EACH), tmp_path / "logs", at=(0, 5), action="kill") == [-9, 1]
    assert "another process of this run has ended" in (tmp_path / "logs" / "1.txt").read_text()


def test_an_error_in_one_process_is_told_by_the_first(tmp_path: Path) -> None:
    codes = train(2, uneven(tmp_path / "runs", EACH), tmp_path / "logs", at=(1, 5), action="fail")
    assert codes == [1, 1]
    assert (tmp_path / "logs" / "0.txt").read_text() == "PeerFailed: process 1: no module fits"
    assert (tmp_path / "logs" / "1.txt").read_text() == "RunFailed: no module fits"


@pytest.mark.parametrize(("action", "code"), [("exit", 7), ("kill", -9)])
def test_a_process_that_dies_while_others_exchange_logits(tmp_path: Path, action: str, code: int) -> None:
    setting = uneven(tmp_path / "runs", *WHOLE, "run.epochs=1", EACH)
    codes = train(2, setting, tmp_path / "logs", at=(1, 3), action=action, before="exchange")
    assert codes == [1, code]
    assert "PeerLost: another process of this run has ended" in (tmp_path / "logs" / "0.txt").read_text()
    (checkpoint,) = tmp_path.rglob("checkpoint.pt")
    assert read_run_checkpoint(checkpoint)["trainer"]["iteration"] == 2
    assert train(1, setting, tmp_path / "logs", resume=True) == [0]
    assert train(1, uneven(tmp_path / "whole", *WHOLE, "run.epochs=1"), tmp_path / "logs") == [0]
    assert_identical(left(tmp_path / "runs"), left(tmp_path / "whole"))


@pytest.mark.parametrize("rank", [0, 1])
def test_an_error_before_logits_are_exchanged_ends_all(tmp_path: Path, rank: int) -> None:
    codes = train(2, uneven(tmp_path / "runs", *WHOLE, EACH), tmp_path / "logs", at=(rank, 3), action="fail")
    assert codes == [1, 1]
    assert (tmp_path / "logs" / f"{rank}.txt").read_text() == "RunFailed: no module fits"
    assert (tmp_path / "logs" / f"{1 - rank}.txt").read_text() == f"PeerFailed: process {rank}: no module fits"
    (checkpoint,) = tmp_path.rglob("checkpoint.pt")
    assert read_run_checkpoint(checkpoint)["trainer"]["iteration"] == 2


def test_all_stop_after_the_same_iteration(tmp_path: Path) -> None:
    """The wish of process 1 goes with the gradients of iteration 5, so both stop there and the first one saves."""
    setting = uneven(tmp_path / "runs")
    assert train(2, setting, tmp_path / "logs", at=(1, 5), action="terminate") == [130, 130]
    assert {(tmp_path / "logs" / f"{rank}.txt").read_text() for rank in (0, 1)} == {
        "Interrupted: interrupted by SIGTERM"
    }
    (checkpoint,) = tmp_path.rglob("checkpoint.pt")
    assert read_run_checkpoint(checkpoint)["trainer"]["iteration"] == 5
