"""A student of a run as a file of its own, for those who use it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from torch import nn

from cgl_ignite.errors import InputError
from cgl_ignite.formats import EXPORT_FORMATS
from cgl_ignite.runs import RunFiles, take_student
from cgl_ignite.student import Card, read_student
from cgl_ignite.student.compare import TOLERANCE, Difference, compare
from cgl_ignite.student.file import content_of, usage_of, write_content
from cgl_ignite.student.readme import readme

__all__ = ["Exported", "export_student"]


@dataclass(frozen=True)
class Exported:
    """A student that was written to a file.

    Attributes:
        path: the file; ``<path>.md`` is its README.
        card: of the student.
        difference: between the file, as it is read back, and the student; None for formats that hold no program.
    """

    path: Path
    card: Card
    difference: Difference | None


def export_student(
    run: RunFiles, student: int | None = None, form: str = "state", target: Path | None = None
) -> Exported:
    """Write a student of a run at the selected epoch to a file, and a README beside it.

    A program is read back and compared with the student before it is written.

    Args:
        run: an opened run.
        student: its index, from 0; the selected one if left out.
        form: a name of :data:`cgl_ignite.formats.EXPORT_FORMATS`; the plugins of the run are imported first, as they
            may add some.
        target: a file or a folder; ``student`` with the suffix of the format, in the current folder, if left out.

    Raises:
        InputError: a plugin that cannot be imported, an unknown format or one whose packages are not installed, a
            student that is not there or cannot be written in the format, or a file that cannot be written.
    """
    run.import_plugins()
    name = f"student{EXPORT_FORMATS.facts(form)['suffix']}"
    path = Path(name) if target is None else target / name if target.is_dir() else target
    if path.exists() and path.samefile(run.path):
        raise InputError(f"{path} is the checkpoint that the student is taken from; choose another file")
    network, card = take_student(run, student)
    content = content_of(path, network, card, form)
    difference = _compared(content, form, network, card) if EXPORT_FORMATS.facts(form).get("program") else None
    write_content(path, content)
    write_content(path.with_name(f"{path.name}.md"), readme(card, usage_of(form, path.name, card)).encode())
    return Exported(path, card, difference)


def _compared(content: bytes, form: str, student: nn.Module, card: Card) -> Difference:
    """Read a program back and compare it with the student.

    Raises:
        InputError: they differ.
    """
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"student{EXPORT_FORMATS.facts(form)['suffix']}"
        path.write_bytes(content)
        difference = compare(student, read_student(path)[0], card)
    if not difference.accepted:
        raise InputError(
            f"the program in the format {form!r} answers otherwise than the student: logits up to "
            f"{difference.logit:.3g} differ by {difference.largest:.3g}, more than {TOLERANCE:g} of the largest; "
            "write it in the format 'state'"
        )
    return difference
