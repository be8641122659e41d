"""What is computed once and kept in files: written whole or not at all, by one process at a time."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path

from filelock import FileLock

from cgl_ignite.errors import InputError

__all__ = ["cache_folder", "kept", "key_of"]


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
