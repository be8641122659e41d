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

PLUGIN = """
import os
import shutil
from pathlib import Path

from cgl_ignite.data import DATASETS, DataSource
from cgl_ignite.data.archive import Archive
from cgl_ignite.data.text.cache.files import cache_folder
from cgl_ignite.data.text.corpus import Corpus, files_identity
from cgl_ignite.data.text.tables.rows import TableLayout, read_rows
from cgl_ignite.spec import InputSpec


class NotedArchive(Archive):
    def obtain(self, root, scratch):
        note(root, "download")
        return Path(shutil.copy(root.parent / self.file, scratch))


@DATASETS.register("fetched_reviews", title="Fetched reviews", modality="text", shape=None, classes=2, rows=None)
def fetched_reviews(root: Path) -> DataSource:
    names = "train.csv", "test.csv"
    files = NotedArchive("fetched_reviews", "Reviews", "", "reviews.tar", "", "reviews", dict.fromkeys(names))
    files.fetch(root)
    train, test = (corpus(root, files.find(root, name)) for name in names)
    return DataSource(train, lambda: test, ("bad", "good"), InputSpec("text", ()), digest={})


def corpus(root, path):
    def read():
        note(root, f"read {path.name}")
        return read_rows(path, TableLayout(columns=2, label=0, text=(1,)), {"0": 0, "1": 1})

    return Corpus(path.stem, files_identity(path), cache_folder(root), read)


def note(root, what):
    with (root / "notes.txt").open("a") as notes:
        notes.write(f"{os.getpid()} {what}\\n")
"""
"""A data set of reviews that are fetched from beside the data root; it notes which process fetches and reads them."""


def publish(folder: Path) -> None:
    """Pack a few reviews into an archive."""
    with tarfile.open(folder / "reviews.tar", "w") as archive:
        for name, rows in (("train.csv", 90), ("test.csv", 30)):
            content = "".join(f'"{n % 2}","{"dull" if n % 2 else "fine"} film of the year {n}"\n' for n in range(rows))
            member = tarfile.TarInfo(f"reviews/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content.encode()))


def train(folder: Path, peers: Peers | None) -> None:
    assert "fetched" not in sys.modules
    import_plugin("fetched", folder)
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
    (folder / "fetched.py").write_text(PLUGIN)
    with started(size, folder / "logs", lambda peers: train(folder, peers if size > 1 else None)) as group:
        assert finish(group) == [0] * size, [path.read_text() for path in (folder / "logs").iterdir()]
    return [tuple(line.split(" ", 1)) for line in (folder / "root" / "notes.txt").read_text().splitlines()]


def test_one_of_two_processes_fetches_and_encodes(tmp_path: Path) -> None:
    alone, together = (notes(tmp_path / str(size), size) for size in (1, 2))
    assert [what for _, what in alone].count("download") == 1
    assert len({process for process, _ in together}) == 1
    assert sorted(what for _, what in together) == sorted(what for _, what in alone)
