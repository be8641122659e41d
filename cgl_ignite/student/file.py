"""Students in files, in any of the formats of :data:`cgl_ignite.formats.EXPORT_FORMATS`."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import nn

from cgl_ignite.errors import InputError
from cgl_ignite.formats import EXPORT_FORMATS, check_name, import_needed, names_with
from cgl_ignite.student.card import Card, foreign
from cgl_ignite.student.readme import Usage
from cgl_ignite.tracking.files import write_atomically

__all__ = ["content_of", "read_student", "usage_of", "write_content", "write_student"]


def write_student(path: Path, student: nn.Module, card: Card, form: str = "state") -> None:
    """Write a student and its card to a file, all of it or nothing.

    Raises:
        InputError: an unknown format, one whose packages are not installed or whose files have another suffix; a file
            that cannot be written, or a backbone that cannot be made a program.
    """
    write_content(path, content_of(path, student, card, form))


def content_of(path: Path, student: nn.Module, card: Card, form: str) -> bytes:
    """Make the content of a file of a student.

    Raises:
        InputError: as :func:`write_student`.
    """
    writer = EXPORT_FORMATS.get(form)
    check_name(path, form)
    import_needed(form, "needs")
    return writer(student, card)


def write_content(path: Path, content: bytes) -> None:
    """Write a file, all of it or nothing.

    Raises:
        InputError: a file that cannot be written.
    """
    try:
        write_atomically(path, content)
    except OSError as error:
        raise InputError(f"cannot write {path} ({error.strerror})") from error


def read_student(path: Path | str, device: torch.device | str = "cpu") -> tuple[nn.Module, Card]:
    """Read a student from a file of any format: a module from pixels or token ids to logits, and its card.

    ``student.tokenizer`` makes token ids of texts; it is None for images. What runs in ONNX Runtime runs on the CPU.

    Raises:
        InputError: a file that is not there, is damaged, holds no student or one of a later version, or has the name
            of another format; a format whose packages are not installed; a backbone that is not registered or has
            changed.
    """
    path = Path(path)
    form = _format_of(path)
    check_name(path, form)
    import_needed(form, "reads_with")
    student, card = _module(form).read(path, device)
    return student, card


def usage_of(form: str, file: str, card: Card) -> Usage | None:
    """Show how a file of a format is loaded without this package, if the format can tell."""
    usage = getattr(_module(form), "usage", None) if form in names_with("module") else None
    return None if usage is None else usage(file, card)


def _format_of(path: Path) -> str:
    """Tell the format of a file by its content."""
    try:
        with path.open("rb"):
            pass
        found = next((form for form in names_with("module") if _module(form).is_one(path)), None)
    except OSError as error:
        raise InputError(f"cannot read {path} ({error.strerror})") from error
    if found is None:
        raise InputError(foreign(path))
    return found


def _module(form: str) -> Any:
    return import_module(EXPORT_FORMATS.facts(form)["module"])
