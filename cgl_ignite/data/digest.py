"""What was read of a data set, as a few short facts, so that a change of the data is noticed.

A digest is a flat mapping from a fact's name, such as ``train.csv: bytes``, to its value as text. It does not depend on
where the data lie or when they were written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from hashlib import blake2b
from pathlib import Path

__all__ = ["changes", "content_digest", "file_hash", "listing_digest"]

_BLOCK_BYTES = 2**20
_HASH_BYTES = 12


def file_hash(path: Path, size: int = 8) -> str:
    """Hash the content of a file, read block by block, to this many bytes, as hexadecimal digits.

    Raises:
        OSError: it cannot be read.
    """
    content = blake2b(digest_size=size)
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            content.update(block)
    return content.hexdigest()


def content_digest(name: str, path: Path) -> dict[str, str]:
    """Describe one file by its size and the hash of its content.

    Args:
        name: what the file is called in messages.
        path: where it lies.

    Raises:
        OSError: it cannot be read.
    """
    return {f"{name}: bytes": f"{path.stat().st_size:,}", f"{name}: content": file_hash(path, _HASH_BYTES)}


def listing_digest(name: str, folder: Path, files: Iterable[Path]) -> dict[str, str]:
    """Describe many files by their number, their size in all, and the hash of their names and sizes.

    Args:
        name: what they are called in messages.
        folder: names of files in it are relative to it.
        files: in any order.

    Raises:
        OSError: one of them is gone.
    """
    listed, count, size = blake2b(digest_size=_HASH_BYTES), 0, 0
    for path in sorted(files, key=str):
        bytes_of_file = path.stat().st_size
        place = path.relative_to(folder) if path.is_relative_to(folder) else path
        listed.update(f"{place.as_posix()} {bytes_of_file}\n".encode(errors="surrogateescape"))
        count, size = count + 1, size + bytes_of_file
    return {f"{name}: files": f"{count:,}", f"{name}: bytes": f"{size:,}", f"{name}: names": listed.hexdigest()}


def changes(before: Mapping[str, str], now: Mapping[str, str]) -> Iterator[str]:
    """Name every fact that differs between two digests.

    Example:
        >>> list(changes({"train.csv: rows": "300"}, {"train.csv: rows": "310"}))
        ['train.csv: rows: 310, it was 300']
    """
    for fact in dict.fromkeys((*before, *now)):
        was, value = before.get(fact), now.get(fact)
        if was != value:
            yield f"{fact}: {value or 'none'}, it was {was or 'none'}"
