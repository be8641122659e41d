"""The archives that PyTorch writes: their members, before and after a look at their checksums."""

from __future__ import annotations

import zipfile
from pathlib import Path

from cgl_ignite.errors import InputError
from cgl_ignite.pool.limits import Damaged, checked_members
from cgl_ignite.student.card import foreign

__all__ = ["check_archive", "members"]


def members(path: Path) -> list[str]:
    """List the members of an archive; there are none in a file that is not one.

    Raises:
        OSError: the file cannot be read.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.namelist()
    except OSError:
        raise
    except Exception:  # noqa: BLE001  whatever is wrong with it, it is no archive
        return []


def check_archive(path: Path) -> None:
    """Make sure that an archive holds what was written.

    Raises:
        InputError: it does not.
    """
    try:
        checked_members(path)
    except Damaged as error:
        raise InputError(f"{path}: damaged ({error})") from error
    except ValueError as error:
        raise InputError(foreign(path)) from error
