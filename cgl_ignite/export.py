"""A student of a run as a file of its own, for those who use it."""

from __future__ import annotations

from pathlib import Path

from cgl_ignite.errors import InputError
from cgl_ignite.formats import EXPORT_FORMATS
from cgl_ignite.runs import RunFiles, take_student
from cgl_ignite.student import write_student
from cgl_ignite.tracking.files import write_atomically

__all__ = ["export_student"]


def export_student(run: RunFiles, student: int | None = None, form: str = "state", target: Path | None = None) -> Path:
    """Write a student of a run at the selected epoch to a file, and its card for people beside it.

    Args:
        run: an opened run.
        student: its index, from 0; the selected one if left out.
        form: a name of :data:`cgl_ignite.formats.EXPORT_FORMATS`; the plugins of the run are imported first, as they
            may add some.
        target: a file or a folder; ``student`` with the suffix of the format, in the current folder, if left out.

    Returns:
        The file; the card is ``<file>.md``.

    Raises:
        InputError: a plugin that cannot be imported, an unknown format, a student that is not there, or a file that
            cannot be written.
    """
    run.import_plugins()
    name = f"student{EXPORT_FORMATS.facts(form)['suffix']}"
    path = Path(name) if target is None else target / name if target.is_dir() else target
    if path.exists() and path.samefile(run.path):
        raise InputError(f"{path} is the checkpoint that the student is taken from; choose another file")
    network, card = take_student(run, student)
    write_student(path, network, card, form)
    write_atomically(path.with_name(f"{path.name}.md"), card.markdown().encode())
    return path
