"""The command as users start it: ``torchrun -m cgl_ignite run``."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from cgl_ignite.handlers.contents import read_run_checkpoint
from tests.distributed.pools import PIPELINE, SMALL

pytestmark = pytest.mark.slow

WAIT = float(os.environ.get("CGL_TEST_SECONDS", "60"))
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m", "cgl_ignite"]


def begun(folder: Path, *changes: str) -> subprocess.Popen[str]:
    """Start a long run, and wait until its second checkpoint is written."""
    changes = (
        *SMALL,
        "backbone.width=2",
        "run.epochs=2000",
        "run.checkpoint_every={iterations=1}",
        f"tracking.folder={folder}",
        *changes,
    )
    options = [part for change in changes for part in ("--set", change)]
    process = subprocess.Popen(
        [*TORCHRUN, "run", str(PIPELINE), *options, "--quiet"],
        cwd=PIPELINE.parents[1],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    end = time.monotonic() + 4 * WAIT
    while not list(folder.rglob("checkpoint.pt")):
        assert process.poll() is None, process.stderr and process.stderr.read()
        assert time.monotonic() < end
        time.sleep(0.2)
    return process


def told(process: subprocess.Popen[str]) -> list[str]:
    """Wait for the end; return the messages of the program, without those of ``torchrun``."""
    _, errors = process.communicate(timeout=WAIT)
    return re.findall(r"error: .*", errors)


def workers(process: subprocess.Popen[str]) -> list[psutil.Process]:
    return [child for child in psutil.Process(process.pid).children() if "RANK" in child.environ()]


def worker(process: subprocess.Popen[str], rank: int) -> int:
    (found,) = [child.pid for child in workers(process) if child.environ()["RANK"] == str(rank)]
    return found


@pytest.mark.timeout(600)
def test_ctrl_c_is_one_message_and_a_saved_state(tmp_path: Path) -> None:
    """A terminal sends the signal to torchrun and to its processes, and torchrun passes it on to them."""
    process = begun(tmp_path)
    os.killpg(process.pid, signal.SIGINT)
    (message,) = told(process)
    assert message.startswith("error: interrupted by SIGINT; the state is saved, go on with: cgl run ")
    (checkpoint,) = tmp_path.rglob("checkpoint.pt")
    assert read_run_checkpoint(checkpoint)["trainer"]["iteration"] >= 1


@pytest.mark.timeout(600)
def test_a_killed_process_is_one_message(tmp_path: Path) -> None:
    process = begun(tmp_path)
    os.kill(worker(process, 1), signal.SIGKILL)
    (message,) = told(process)
    assert message.startswith("error: another process of this run has ended")
    (checkpoint,) = tmp_path.rglob("checkpoint.pt")
    read_run_checkpoint(checkpoint)


@pytest.mark.timeout(600)
def test_a_mistake_is_told_once(tmp_path: Path) -> None:
    changes = ("--set", "run.epochs=0")
    command = [*TORCHRUN, "run", str(PIPELINE), *changes]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=PIPELINE.parents[1])
    (message,) = re.findall("error: .*", done.stderr)
    assert "run.epochs: must be a whole number of at least 1, not 0" in message
