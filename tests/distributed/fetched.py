"""A plugin: reviews that are fetched from an archive beside the data root; it notes who fetches and who reads."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from hashlib import md5
from pathlib import Path

from cgl_ignite.data import DATASETS, DataSource
from cgl_ignite.data.archive import Archive
from cgl_ignite.data.text.cache.files import cache_folder
from cgl_ignite.data.text.corpus import Block, Corpus, files_identity
from cgl_ignite.data.text.tables.rows import TableLayout, read_rows
from cgl_ignite.spec import InputSpec

__all__ = ["fetched_reviews"]

ARCHIVE, NOTES = "reviews.tar", "notes.txt"


class NotedArchive(Archive):
    """Copies the archive in the place of a download, and notes it."""

    def obtain(self, root: Path, scratch: Path) -> Path:
        _note(root, "download")
        return Path(shutil.copy(root.parent / self.file, scratch))


@DATASETS.register("fetched_reviews", title="Fetched reviews", modality="text", shape=None, classes=2, rows=None)
def fetched_reviews(root: Path) -> DataSource:
    """Read two classes of reviews."""
    published = root.parent / ARCHIVE
    digest = md5(published.read_bytes()).hexdigest()
    names = "train.csv", "test.csv"
    files = NotedArchive("fetched_reviews", "Reviews", "", ARCHIVE, digest, "reviews", dict.fromkeys(names))
    files.fetch(root)
    train, test = (_corpus(root, files.find(root, name)) for name in names)
    return DataSource(train, lambda: test, ("bad", "good"), InputSpec("text", ()), digest={"archive": digest})


def _corpus(root: Path, path: Path) -> Corpus:
    def read() -> Iterator[Block]:
        _note(root, f"read {path.name}")
        return read_rows(path, TableLayout(columns=2, label=0, text=(1,)), {"0": 0, "1": 1})

    return Corpus(path.stem, files_identity(path), cache_folder(root), read)


def _note(root: Path, what: str) -> None:
    with (root / NOTES).open("a") as notes:
        notes.write(f"{os.getpid()} {what}\n")
