"""Small pools that several processes train, and what is left of a run."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import nn

from cgl_ignite.catalogue import load_pipeline
from cgl_ignite.config.schema import Pipeline
from cgl_ignite.distributed.division import Division
from cgl_ignite.distributed.peers import Peers
from cgl_ignite.engine.step import CollaborativeStep
from cgl_ignite.errors import RunFailed
from cgl_ignite.pipeline import run
from cgl_ignite.tracking.memory import MemoryTracker
from tests.distributed.processes import finish, started
from tests.equivalence.test_resume import outcome

__all__ = ["ACTIONS", "PIPELINE", "WHOLE", "dropping", "left", "main", "train", "uneven"]

PIPELINE = Path(__file__).resolve().parents[2] / "pipelines" / "digits_resnet.toml"

SMALL = (
    "method.students=4",
    "data.limit=154",
    "data.holdout=20",
    'run.reduce="ordered"',
    "run.epochs=7",
)
"""Sub-sets of 34, 34, 33 and 33 rows: in the last of three iterations of an epoch two groups have no rows."""

WHOLE = ('method.preset="cgl_whole"', "optim.batch_size=32", "run.epochs=4")
"""All students read one batch, and nothing flows into a teacher: four epochs of five iterations, the last of 6 rows."""


def _fail() -> None:
    raise RunFailed("no module fits")


ACTIONS: dict[str, Callable[[], object]] = {
    "exit": lambda: os._exit(7),
    "kill": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "fail": _fail,
    "terminate": lambda: os.kill(os.getpid(), signal.SIGTERM),
}
"""What may happen to a process."""


def dropping() -> nn.Sequential:
    """Build a network for digits with dropout and batch normalisation."""
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.3),
        nn.Conv2d(4, 4, 3, stride=2), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(36, 10),
    )  # fmt: skip


def uneven(folder: Path, *changes: str) -> Pipeline:
    """Read the pipeline of a small pool."""
    width = [] if any(change.startswith("backbone=") for change in changes) else ["backbone.width=2"]
    return load_pipeline(PIPELINE, [*width, *SMALL, f"tracking.folder={folder}", *changes])


def main(
    pipeline: Pipeline,
    peers: Peers | None,
    *,
    resume: bool = False,
    at: tuple[int, int] = (0, 0),
    action: str = "",
    before: str = "forward",
) -> None:
    """Train a pool in one process, or as one of several; ``at``: the process and the iteration of the action.

    It happens before the first forward pass of the iteration, or before logits are exchanged. It is called in a process
    that ends with it.
    """
    forward, exchange, now = CollaborativeStep._forward, Division.exchange, [0]
    rank, waiting = 0 if peers is None else peers.rank, [True]

    def disturb(place: str) -> None:
        if (rank, now[0], place) == (*at, before) and waiting:
            waiting.pop()  # once, and not for every chunk of the iteration
            ACTIONS[action]()

    def disturbed(self: CollaborativeStep, work: Any, tables: Any, given: Any, iteration: int) -> Any:
        now[0] = iteration
        disturb("forward")
        return forward(self, work, tables, given, iteration)

    def interrupted(self: Division, logits: Any, sent: Any) -> Any:
        disturb("exchange")
        return exchange(self, logits, sent)

    CollaborativeStep._forward = disturbed  # type: ignore[method-assign]
    Division.exchange = interrupted  # type: ignore[method-assign]
    run(pipeline, resume=resume, tracker=MemoryTracker(), peers=peers)


def train(size: int, pipeline: Pipeline, logs: Path, **options: Any) -> list[int | None]:
    """Train a pool with so many processes, all forked from this one; return their exit codes."""
    with started(size, logs, lambda peers: main(pipeline, peers if size > 1 else None, **options)) as group:
        return finish(group)


def left(folder: Path) -> dict[str, Any]:
    """Return everything about the one run in a folder but its name and its timings."""
    (only,) = (place.parent for place in (folder / "runs").glob("*/run.json"))
    return outcome(folder, only.name)
