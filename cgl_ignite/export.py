"""A student of a run as a file of its own, for those who use it."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from torch import nn

from cgl_ignite.data import Splits
from cgl_ignite.errors import InputError, choices
from cgl_ignite.formats import EXPORT_FORMATS, check_name, import_needed, names_with
from cgl_ignite.pipeline.data import read_data
from cgl_ignite.runs import RunFiles, design_of, refuse_other_data, take_student
from cgl_ignite.student import Card, Student, read_student
from cgl_ignite.student.compare import TOLERANCE, Difference, compare
from cgl_ignite.student.file import content_of, usage_of, write_content
from cgl_ignite.student.readme import readme

__all__ = ["MOST_DROP", "Exported", "Int8", "export_file", "export_student"]

MOST_DROP = 1.0
"""How many points of accuracy on the holdout int8 may cost."""


@dataclass(frozen=True)
class Exported:
    """A student that was written to a file.

    Attributes:
        path: the file; ``<path>.md`` is its README.
        card: of the student.
        difference: between the program in float32, as it is read back, and the student; None for formats that hold no
            program.
    """

    path: Path
    card: Card
    difference: Difference | None


@dataclass(frozen=True)
class Int8:
    """What a program in int8 takes.

    Attributes:
        root: the folder of the data sets, if it is not where the run had it.
        most_drop: how many points of accuracy on the holdout it may cost.
    """

    root: Path | None = None
    most_drop: float = MOST_DROP


def export_student(
    run: RunFiles,
    student: int | None = None,
    form: str = "state",
    target: Path | None = None,
    int8: Int8 | None = None,
) -> Exported:
    """Write a student of a run at the selected epoch to a file, and a README beside it.

    A program is read back and compared with the student before it is written. One in int8 is calibrated on training
    rows of the run, and measured on its holdout.

    Args:
        run: an opened run.
        student: its index, from 0; the selected one if left out.
        form: a name of :data:`cgl_ignite.formats.EXPORT_FORMATS`; the plugins of the run are imported first, as they
            may add some.
        target: a file or a folder; ``student`` with the suffix of the format, in the current folder, if left out.
        int8: whether the program is quantised, and what that takes; float32 if left out.

    Raises:
        InputError: a plugin that cannot be imported, an unknown format or one whose packages are not installed, a
            student that is not there or cannot be written in the format, or a file that cannot be written; for int8 a
            format without it, data that are not those of the run, or a loss of accuracy above the bound.
    """
    run.import_plugins()
    path = _target(form, target, run.path, "checkpoint")
    splits = None if int8 is None else _data_for_int8(run, path, form, int8.root)
    network, card = take_student(run, student)
    content, difference = _content(path, network, card, form)
    if int8 is not None:
        content, card = import_module(EXPORT_FORMATS.facts(form)["int8"]).quantise(content, network, card, splits)
        _refuse_drop(card, int8.most_drop)
    return _written(Exported(path, card, difference), content, form)


def export_file(file: Path, form: str = "state", target: Path | None = None) -> Exported:
    """Write the student of a file with weights (``state``, ``safetensors``) to another file, and a README beside it.

    Args:
        file: of the student.
        form: as of :func:`export_student`.
        target: as of :func:`export_student`.

    Raises:
        InputError: a file that :func:`cgl_ignite.read_student` refuses, or that holds a program; for the new file as
            :func:`export_student`.
    """
    path = _target(form, target, file, "file")
    network, card = read_student(file)
    if not isinstance(network, Student):
        raise InputError(f"{file} holds a program, which cannot be changed; give the run, {card.run_id[:8]}")
    content, difference = _content(path, network, card, form)
    return _written(Exported(path, card, difference), content, form)


def _target(form: str, target: Path | None, source: Path, kind: str) -> Path:
    """Return the file to write.

    Raises:
        InputError: an unknown format, or the file that the student is taken from.
    """
    name = f"student{EXPORT_FORMATS.facts(form)['suffix']}"
    path = Path(name) if target is None else target / name if target.is_dir() else target
    if path.exists() and source.exists() and path.samefile(source):
        raise InputError(f"{path} is the {kind} that the student is taken from; choose another file")
    return path


def _content(path: Path, student: nn.Module, card: Card, form: str) -> tuple[bytes, Difference | None]:
    """Make the content of a file, and compare a program with the student.

    Raises:
        InputError: a student that cannot be written in the format.
    """
    content = content_of(path, student, card, form)
    return content, _compared(content, form, student, card) if EXPORT_FORMATS.facts(form).get("program") else None


def _written(exported: Exported, content: bytes, form: str) -> Exported:
    """Write a file and its README.

    Raises:
        InputError: a file that cannot be written.
    """
    path = exported.path
    write_content(path, content)
    usage = usage_of(form, path.name, exported.card)
    write_content(path.with_name(f"{path.name}.md"), readme(exported.card, usage).encode())
    return exported


def _data_for_int8(run: RunFiles, path: Path, form: str, root: Path | None) -> Splits:
    """Read the data of a run that calibrate its student, after all that takes no time is checked.

    Raises:
        InputError: a format without int8, packages that are not installed, or data that are not those of the run.
    """
    if form not in (able := names_with("int8")):
        raise InputError(f"format {form!r} has no int8; it is for {choices(able)}")
    check_name(path, form)
    import_needed(form, "needs")
    return _splits(run, root)


def _splits(run: RunFiles, root: Path | None) -> Splits:
    """Read the data of a run again, divided as it had them; its relative paths are those of the folder it began in."""
    pipeline, started = design_of(run)[0], Path(run.facts.get("folder") or "")
    given = run.card(run.selected[1]).dataset.options
    changes: dict[str, Any] = {name: given[name] for name in ("path", "table") if given.get(name) is not None}
    if root is not None or pipeline.data.root is not None:
        changes["root"] = root or started / Path(pipeline.data.root or "")
    data = read_data(pipeline.model_copy(update={"data": pipeline.data.model_copy(update=changes)}))
    splits = data.splits(run.facts["seed"])
    refuse_other_data(run, data, splits)
    return splits


def _refuse_drop(card: Card, most: float) -> None:
    """Refuse a student that loses too much accuracy on the holdout in int8.

    Raises:
        InputError: it does.
    """
    found = card.quantised
    if found is not None and not found.drop <= most:
        raise InputError(
            f"int8 costs {found.drop:.2f} points of accuracy on the holdout ({found.float_accuracy:.2f} % ->"
            f" {found.accuracy:.2f} %), more than {most:g}; keep float32, or allow more with --max-drop"
        )


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
