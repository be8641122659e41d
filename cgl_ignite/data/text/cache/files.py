"""What is computed once and kept in files: written whole or not at all, by one process at a time."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from hashlib import blake2b
from pathlib import Path

from filelock import FileLock

from cgl_ignite.data.digest import content_digest
from cgl_ignite.data.text.corpus import files_identity
from cgl_ignite.errors import InputError

__all__ = ["cache_folder", "digest_of", "kept", "key_of"]

_DIGEST = "digest.json"
_LARGE_BYTES = 2**20


def cache_folder(root: Path) -> Path:
    """Choose the folder for encoded texts: below the data root, or the user's cache if that is read-only."""
    folder = root / "encoded"
    existing = next(place for place in (folder, *folder.absolute().parents) if place.is_dir())
    if os.access(existing, os.W_OK):
        return folder
    return Path("~/.cache/cgl_ignite/encoded").expanduser()


def key_of(*facts: object) -> str:
    """Hash what an entry is computed from."""
    return blake2b("\n".join(map(str, facts)).encode(), digest_size=16).hexdigest()


def kept(folder: Path, key: str, write: Callable[[Path], None]) -> Path:
    """Return the folder of an entry, which ``write`` fills if it is not there yet.

    Processes that start together wait for the first of them; one that is killed leaves no entry.

    Raises:
        InputError: the entry cannot be written.
    """
    entry = folder / key
    if entry.is_dir():
        return entry
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / f"{key}.lock"):
            if not entry.is_dir():
                for left in folder.glob(f".{key}-*"):
                    shutil.rmtree(left)
                with tempfile.TemporaryDirectory(dir=folder, prefix=f".{key}-") as scratch:
                    new = Path(scratch) / "new"
                    new.mkdir()
                    write(new)
                    new.rename(entry)
    except OSError as error:
        hint = "encoded texts are kept there; make room, or choose another data.root"
        raise InputError(f"cannot write to {folder}: {error.strerror or error} ({hint})") from error
    return entry


def digest_of(folder: Path, *paths: Path) -> dict[str, str]:
    """Describe files by name, size and content; large ones are read only if they have changed since the last time.

    Files of equal names are told apart by their folders.

    Args:
        folder: where the digests of large files are kept.
        paths: the files.

    Raises:
        InputError: a file cannot be read, or an entry not written.
    """
    digest: dict[str, str] = {}
    for name, path in _names(paths).items():
        try:
            if path.stat().st_size < _LARGE_BYTES:
                digest |= content_digest(name, path)
                continue
        except OSError as error:
            raise InputError(f"{path} cannot be read: {error.strerror or error}") from error
        entry = kept(folder, key_of("digest", name, files_identity(path)), partial(_write_digest, name, path))
        digest |= json.loads((entry / _DIGEST).read_text("utf-8"))
    return digest


def _names(paths: Sequence[Path]) -> dict[str, Path]:
    """Name files by their last parts, as few as tell them apart."""
    most = max((len(path.parts) for path in paths), default=1)
    for length in range(1, most + 1):
        names = {Path(*path.parts[-length:]).as_posix(): path for path in paths}
        if len(names) == len({*paths}):
            break
    return names


def _write_digest(name: str, path: Path, folder: Path) -> None:
    (folder / _DIGEST).write_text(json.dumps(content_digest(name, path)), encoding="utf-8")
