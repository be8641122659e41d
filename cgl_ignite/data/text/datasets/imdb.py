"""IMDB: 50,000 film reviews, half of them for the test, negative or positive, one file each.

Reference: A. Maas et al., "Learning Word Vectors for Sentiment Analysis", 2011.
"""

from __future__ import annotations

import gzip
import io
import os
import tarfile
import zlib
from collections import deque
from collections.abc import Iterator
from functools import partial
from hashlib import blake2b
from pathlib import Path

import numpy as np

from cgl_ignite.data.archive import Archive, find_fault
from cgl_ignite.data.base import DATASETS, DataSource, InputSpec
from cgl_ignite.data.digest import listing_digest
from cgl_ignite.data.text.cache.files import cache_folder, digest_of
from cgl_ignite.data.text.cache.store import read_targets
from cgl_ignite.data.text.corpus import Block, Corpus, files_identity
from cgl_ignite.errors import InputError

__all__ = ["IMDB", "imdb"]

_CLASSES = ("neg", "pos")
_BLOCK_ROWS = 1000
_MOST_BYTES = 2**30
"""An archive that unpacks to more is not read."""

_LONGEST_BYTES = 2**21
"""A review that is longer is not read."""


class ReviewArchive(Archive):
    """The archive of IMDB, which is read as it is; where somebody unpacked it, the folder is read."""

    @property
    def contents(self) -> str:
        """What the folder holds, in words."""
        return "the folders train and test, in each neg and pos with a .txt file per review"

    def location(self, root: Path) -> Path:
        """Return the folder if it is there, else the archive."""
        unpacked = root / self.folder
        return unpacked if unpacked.is_dir() else root / self.file

    def present(self, root: Path) -> bool:
        """Whether the folder or the archive is there."""
        return self.location(root).exists()

    def faults(self, root: Path) -> list[str]:
        """Compare the archive with its checksum; the files of the folder have none."""
        fault = None if (root / self.folder).is_dir() else find_fault(root / self.file, self.md5)
        return [fault] if fault else []

    def verify(self, root: Path) -> None:
        """Compare the archive with its checksum, or read every review of the folder.

        Raises:
            InputError: the archive is missing or damaged, or a review cannot be read.
        """
        super().verify(root)
        if (root / self.folder).is_dir():
            for part in ("train", "test"):
                deque(_read(root / self.folder, part), maxlen=0)

    def unpack(self, archive: Path, scratch: Path, location: Path) -> None:
        """Move the archive to its place."""
        archive.replace(location)


IMDB = ReviewArchive(
    kind="imdb",
    title="IMDB",
    url="https://ai.stanford.edu/~amaas/data/sentiment/aclImdb_v1.tar.gz",
    file="aclImdb_v1.tar.gz",
    md5="7c2ac02c03563afcf9b574c7e56c153a",
    folder="aclImdb",
    members={},
)


@DATASETS.register(
    "imdb",
    title=IMDB.title,
    modality="text",
    shape=None,
    classes=len(_CLASSES),
    rows=(25_000, 25_000),
    files=IMDB,
)
def imdb(root: Path) -> DataSource:
    """Read the labelled reviews from the official archive, fetched first if it is not there, or its folder.

    The test part is read once, so that faults in it are known before the training.

    Raises:
        InputError: files that cannot be fetched or read.
    """
    if not IMDB.present(root):
        IMDB.fetch(root)
    path = IMDB.location(root)

    def part(name: str) -> Corpus:
        return Corpus(f"{IMDB.title} {name}", _identity(path, name), cache_folder(root), partial(_read, path, name))

    read_targets(part("test"))
    return DataSource(
        part("train"),
        partial(part, "test"),
        _CLASSES,
        InputSpec("text", ()),
        notes=tuple(_unofficial(path)),
        digest=_digest(path, cache_folder(root)),
    )


def _unofficial(path: Path) -> Iterator[str]:
    if path.is_file() and find_fault(path, IMDB.md5):
        yield f"{path.name} is not the published archive, whose md5 is {IMDB.md5}; what it holds is read as it is"


def _digest(path: Path, cache: Path) -> dict[str, str]:
    """Describe the archive by its content, or the folder by the names and sizes of its reviews."""
    if path.is_file():
        return digest_of(cache, path)
    digest: dict[str, str] = {}
    for part in ("train", "test"):
        entries = [entry for number, _ in enumerate(_CLASSES) for entry in _entries(path, part, number)]
        digest |= listing_digest(part, path, (Path(entry.path) for entry in entries))
    return digest


def _identity(path: Path, part: str) -> str:
    if path.is_file():
        return f"{files_identity(path)} {part}"
    listed = blake2b(digest_size=16)
    for number, _ in enumerate(_CLASSES):
        for entry in _entries(path, part, number):
            status = entry.stat()
            listed.update(f"{entry.path} {status.st_size} {status.st_mtime_ns}\n".encode(errors="surrogateescape"))
    return listed.hexdigest()


def _entries(folder: Path, part: str, number: int) -> list[os.DirEntry[str]]:
    """List the reviews of one class, in the order of their names."""
    place = folder / part / _CLASSES[number]
    try:
        with os.scandir(place) as entries:
            found = sorted((entry for entry in entries if entry.name.endswith(".txt")), key=lambda entry: entry.name)
    except OSError as error:
        raise InputError(f"{IMDB.title}: cannot read the folder {place}: {error.strerror}") from error
    if not found:
        raise InputError(f"{IMDB.title}: {place} holds no .txt file")
    return found


def _read(path: Path, part: str) -> Iterator[Block]:
    """Read a part class by class, a review per row, in the order of the names."""
    rows = _archived(path, part) if path.is_file() else _unpacked(path, part)
    texts: list[str] = []
    targets: list[int] = []
    for name, content, target, done in rows:
        try:
            texts.append(content.decode())
        except UnicodeDecodeError as error:
            raise InputError(f"{name}: byte {error.start} is not UTF-8") from error
        targets.append(target)
        if len(texts) == _BLOCK_ROWS:
            yield _block(texts, targets, done)
            texts, targets = [], []
    if texts:
        yield _block(texts, targets, 1.0)


def _block(texts: list[str], targets: list[int], done: float) -> Block:
    import pyarrow as pa

    return Block(pa.array(texts, pa.string()), np.array(targets, np.int64), done)


def _unpacked(folder: Path, part: str) -> Iterator[tuple[str, bytes, int, float]]:
    entries = [(entry, number) for number, _ in enumerate(_CLASSES) for entry in _entries(folder, part, number)]
    try:
        for row, (entry, number) in enumerate(entries, start=1):
            yield entry.path, Path(entry.path).read_bytes(), number, row / len(entries)
    except OSError as error:
        raise InputError(f"{IMDB.title}: a review cannot be read: {error}") from error


class _Bounded(io.BufferedIOBase):
    """A file of which no more than :data:`_MOST_BYTES` are read."""

    def __init__(self, file: gzip.GzipFile) -> None:
        self._file = file
        self._left = _MOST_BYTES

    def read(self, size: int | None = -1, /) -> bytes:
        """Return the next bytes.

        Raises:
            OSError: there are too many.
        """
        content = self._file.read(size)
        self._left -= len(content)
        if self._left < 0:
            raise OSError(f"it unpacks to more than {_MOST_BYTES >> 20:,} MiB")
        return content


def _archived(archive: Path, part: str) -> Iterator[tuple[str, bytes, int, float]]:
    """Read the archive once from end to end; only the reviews asked for are held."""
    found: list[tuple[int, str, bytes]] = []
    try:
        with gzip.open(archive) as file, tarfile.open(fileobj=_Bounded(file), mode="r|") as tar:
            for member in tar:
                folder, _, name = member.name.rpartition("/")
                label = folder.removeprefix(f"{IMDB.folder}/{part}/")
                if label in _CLASSES and name.endswith(".txt") and (packed := tar.extractfile(member)):
                    if member.size > _LONGEST_BYTES:
                        raise InputError(f"{archive}: {member.name} is longer than {_LONGEST_BYTES >> 20} MiB")
                    found.append((_CLASSES.index(label), name, packed.read()))
    except (OSError, EOFError, tarfile.TarError, zlib.error) as error:
        raise InputError(f"{archive} cannot be read: {error}; `cgl data verify imdb` compares its checksum") from error
    if not found:
        raise InputError(f"{archive} holds no review {IMDB.folder}/{part}/*/*.txt; `cgl data verify imdb` checks it")
    for row, (number, name, content) in enumerate(sorted(found), start=1):
        yield f"{archive}, {part}/{_CLASSES[number]}/{name}", content, number, row / len(found)
