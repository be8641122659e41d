"""Students in files, in any of the formats of :data:`cgl_ignite.formats.EXPORT_FORMATS`."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from cgl_ignite.errors import InputError
from cgl_ignite.formats import EXPORT_FORMATS
from cgl_ignite.pool.limits import Damaged, checked_members
from cgl_ignite.student import program, weights
from cgl_ignite.student.card import Card, foreign
from cgl_ignite.student.network import Student
from cgl_ignite.tracking.files import write_atomically

__all__ = ["read_student", "write_student"]


def write_student(path: Path, student: Student, card: Card, form: str = "state") -> None:
    """Write a student and its card to a file, all of it or nothing.

    Raises:
        InputError: an unknown format, a file that cannot be written, or a backbone that cannot be made a program.
    """
    content = EXPORT_FORMATS.get(form)(student, card)
    try:
        write_atomically(path, content)
    except OSError as error:
        raise InputError(f"cannot write {path} ({error.strerror})") from error


def read_student(path: Path, device: torch.device | str = "cpu") -> tuple[nn.Module, Card]:
    """Read a student from a file of either format: a module from pixels or token ids to logits, and its card.

    ``student.tokenizer`` makes token ids of texts; it is None for images.

    Raises:
        InputError: a file that is not there, is damaged, holds no student or one of a later version; a
            backbone that is not registered or has changed.
    """
    is_program = any(name.endswith(f"/extra/{program.CARD}") for name in _members(path))
    read = program.read if is_program else weights.read
    return read(path, device)


def _members(path: Path) -> list[str]:
    """List the members of the archive that every student file is, after a look at its checksums."""
    try:
        names = checked_members(path)
    except OSError as error:
        raise InputError(f"cannot read {path} ({error.strerror})") from error
    except Damaged as error:
        raise InputError(f"{path}: damaged ({error})") from error
    except ValueError as error:
        raise InputError(foreign(path)) from error
    return names
