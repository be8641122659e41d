"""Processes that start together import plugins each for itself, and fetch and encode the data once."""

from __future__ import annotations

import io
import sys
import tarfile
from pathlib import Path

from cgl_ignite.catalogue import load_pipeline
from cgl_ignite.distributed.peers import Peers
from cgl_ignite.pipeline import run
from cgl_ignite.plugins import import_plugin
from cgl_ignite.tracking.memory import MemoryTracker
from tests.distributed.processes import finish, started

PLUGIN, ARCHIVE, NOTES = "tests.distributed.fetched", "reviews.tar", "notes.txt"
"""A module that is imported after the processes have started, and its files."""


def publish(folder: Path) -> None:
    """Pack a few reviews into an archive."""
    with tarfile.open(folder / ARCHIVE, "w") as archive:
        for name, rows in (("train.csv", 90), ("test.csv", 30)):
            content = "".join(f'"{n % 2}","{"dull" if n % 2 else "fine"} film of the year {n}"\n' for n in range(rows))
            member = tarfile.TarInfo(f"reviews/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content.encode()))


def train(folder: Path, peers: Peers | None) -> None:
    assert PLUGIN not in sys.modules
    import_plugin(PLUGIN)
    tree = {
        "data": {
            "kind": "fetched_reviews", "root": str(folder / "root"), "holdout": 20,
            "encoding": {"kind": "sentencepiece", "vocabulary": 60, "length": 16},
        },
        "backbone": {"kind": "transformer", "width": 8, "embedding": 8, "feed_forward": 8, "heads": 2, "blocks": 1},
        "method": {"preset": "cgl", "students": 2},
        "optim": {"kind": "adam", "learning_rate": 1e-3, "batch_size": 16},
        "run": {"epochs": 1, "threads": 1, "device": "cpu"},
        "tracking": {"folder": str(folder / "runs")},
    }  # fmt: skip
    run(load_pipeline(tree), tracker=MemoryTracker(), peers=peers)


def notes(folder: Path, size: int) -> list[tuple[str, str]]:
    """Train in so many processes that find nothing; return which process fetched and read what."""
    folder.mkdir()
    publish(folder)
    with started(size, folder / "logs", lambda peers: train(folder, peers if size > 1 else None)) as group:
        assert finish(group) == [0] * size, [path.read_text() for path in (folder / "logs").iterdir()]
    return [tuple(line.split(" ", 1)) for line in (folder / "root" / NOTES).read_text().splitlines()]


def test_one_of_two_processes_fetches_and_encodes(tmp_path: Path) -> None:
    alone, together = (notes(tmp_path / str(size), size) for size in (1, 2))
    assert [what for _, what in alone].count("download") == 1
    assert sorted(what for _, what in together) == sorted(what for _, what in alone)
