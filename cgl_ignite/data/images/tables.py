"""Images listed in a table: a column holds their paths, another their classes, perhaps a third their parts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import torch

from cgl_ignite.data.balance import classes_without_rows
from cgl_ignite.data.images.files import SkippedFiles, contents, printable
from cgl_ignite.data.images.folders import Files, FolderLayout, ImageFile, find_layout
from cgl_ignite.data.part_names import PART_NAMES, Part
from cgl_ignite.data.text.tables.columns import Columns, find_column
from cgl_ignite.data.text.tables.files import TableFiles
from cgl_ignite.data.text.tables.head import find_format, first_rows
from cgl_ignite.data.text.tables.header import label_column
from cgl_ignite.data.text.tables.opening import OpenTables, open_tables, read_tables, targets_of
from cgl_ignite.data.text.tables.table import Request, TextTable
from cgl_ignite.data.text.tables.typed import is_typed, schema_of
from cgl_ignite.errors import InputError, Unreadable, choices, listed

__all__ = ["ImageColumns", "find_images"]

_METADATA = ("metadata.csv", "metadata.jsonl", "metadata.parquet")
_USUAL = ("file_name", "filename", "image", "image_path", "path", "file", "img", "picture", "photo")


@dataclass(frozen=True)
class ImageColumns:
    """What a pipeline says of a table of images; None is found out.

    With ``label_separator`` images have several labels. ``weighs`` as that of
    :class:`~cgl_ignite.data.text.tables.table.Request`.
    """

    table: str | None = None
    image: int | str | None = None
    label: int | str | None = None
    split: int | str | Literal[False] | None = None
    label_separator: str | None = None
    weight: int | str | None = None
    weighs: bool = True


def find_images(folder: Path, columns: ImageColumns, *, skip_bad: bool = False) -> FolderLayout:
    """List the images of a folder by its table or metadata files, or else by its class folders.

    Args:
        folder: paths in the table start here; those in a metadata file where it lies.
        columns: the table and its columns. Without a table, ``metadata.csv``, ``.jsonl`` or ``.parquet`` in the folder
            or in the folders of its parts is used if it has a column of labels.
        skip_bad: whether rows of images that are missing are kept, to be left out with those that cannot be read.

    Raises:
        InputError: a table that cannot be read, an image that is missing, with its row, or a folder that is laid out
            otherwise than :func:`~cgl_ignite.data.images.folders.find_layout` says.
    """
    found = _given(folder, columns.table) if columns.table is not None else _metadata(folder)
    unread: tuple[str, ...] = ()
    if columns.table is None and found is not None:
        first = found.parts["train"][0]
        if columns.label is None and label_column(_names(first)) is None:
            unread = (f"{first.name} is not read, as no column has a usual name of a label (data.label names it)",)
            found = None
    if found is None:
        _refuse_columns(columns)
        if columns.label_separator is not None:
            raise InputError(f"{printable(folder)}: several labels per image stand in a table: data.table names it")
        layout = find_layout(folder)
        return FolderLayout(layout.classes, layout.folders, layout.files, (*unread, *layout.notes))
    request = Request(
        columns.label, [_image(found, columns.image)], None, None, None, None, False, None, None, columns.split
    )
    separator, weight = columns.label_separator, columns.weight
    request = replace(request, label_separator=separator, weight=weight, weighs=columns.weighs)
    opened = open_tables(found, request)
    return _layout(folder if columns.table is not None else None, opened, skip_bad=skip_bad)


def _given(folder: Path, table: str) -> TableFiles:
    for place in (folder / table, Path(table).expanduser()):
        if place.is_file():
            return TableFiles({"train": [place]})
    raise InputError(f"data.table = {table!r}: there is no such file in {printable(folder)} or the current folder")


def _metadata(folder: Path) -> TableFiles | None:
    """Find the metadata files of the folder, or those of its parts."""
    if not folder.is_dir():
        return None
    if here := _one(folder):
        return TableFiles({"train": [here]})
    parts: dict[Part, list[Path]] = {}
    for child in contents(folder, SkippedFiles())[0]:
        if (part := PART_NAMES.get(child.name.lower())) and (file := _one(child)):
            parts[part] = [file]
    return TableFiles({"train": parts.pop("train"), **parts}) if "train" in parts else None


def _one(folder: Path) -> Path | None:
    found = [folder / name for name in _METADATA if (folder / name).is_file()]
    if len(found) > 1:
        raise InputError(f"{found[0]} and {found[1].name} are there both; leave one of them, or name one by data.table")
    return found[0] if found else None


def _names(path: Path) -> list[str]:
    if is_typed(path):
        return list(schema_of(path).names)
    form, _ = find_format(path, None, None, None)
    return [cell.strip() for cell in first_rows(path, form)[0]]


def _image(found: TableFiles, image: int | str | None) -> int | str:
    """Find the column of the paths: the one given, or the first with a usual name."""
    path = found.parts["train"][0]
    names = _names(path)
    if image is not None:
        return image if isinstance(image, int) else names[find_column(Columns(path, names, True), "data.image", image)]
    usual = [name for wanted in _USUAL for name in names if name.lower() == wanted]
    if not usual:
        raise InputError(
            f"{path} has no column with a usual name of image files ({', '.join(_USUAL[:4])} ...); its header is: "
            f"{', '.join(map(repr, names))}; data.image names the column"
        )
    return usual[0]


def _refuse_columns(columns: ImageColumns) -> None:
    given = [name for name in ("image", "label", "split", "weight") if getattr(columns, name) not in (None, False)]
    if given:
        raise InputError(f"data.{given[0]} names a column of a table, but there is none: data.table names it")


def _layout(folder: Path | None, opened: OpenTables, *, skip_bad: bool) -> FolderLayout:
    naming, missing = opened.naming, list[Unreadable]()
    files: dict[Part, Files] = {}
    for part, tables in opened.parts.items():
        targets = targets_of(tables, naming).tolist()
        paths = [path for table in tables for path in _paths(folder, table, opened, missing)]
        weights = [1.0] * len(targets) if opened.weights is None or part != "train" else opened.weights.tolist()
        files[part] = list(map(ImageFile, paths, targets, weights))
    if missing and not skip_bad:
        raise InputError(f"{listed(missing)}\ndata.skip_bad = true leaves out what cannot be read")
    if opened.rows:
        whole = files["train"]
        files = {part: [whole[row] for row in rows.tolist()] for part, rows in opened.rows.items()}
    _check_taught(opened, files)
    places = {part: opened.parts.get(part, opened.parts["train"])[0].path for part in files}
    listing = tuple(table.path for part in opened.parts.values() for table in part)
    notes = tuple(note.replace(", text = column", ", image = column") for note in opened.notes)
    return FolderLayout(naming.classes, places, files, notes, listing, naming.members, opened.weights is not None)


def _paths(folder: Path | None, table: TextTable, opened: OpenTables, missing: list[Unreadable]) -> Iterator[Path]:
    """Yield the image of each row, and note those that are missing."""
    row, base = 1 + table.layout.header, folder or table.path.parent
    column = table.columns.shown(*table.layout.text)
    for block in read_tables([table], opened.naming.numbers):
        for name in block.texts.to_pylist():
            place = base / Path(name).expanduser()
            if not name.strip():
                raise InputError(f"{table.path}, row {row}: {column} is empty, it should name an image")
            if not place.is_file():
                missing.append(Unreadable(f"{table.path}, row {row}:", f"there is no image {printable(place)}"))
            yield place
            row += 1


def _check_taught(opened: OpenTables, files: dict[Part, Files]) -> None:
    targets = torch.tensor([file.target for file in files["train"]])
    if untaught := classes_without_rows(targets, opened.naming.classes, opened.naming.members):
        table = opened.parts["train"][0].path
        raise InputError(f"{table}: no row of the class {choices(untaught[:1])} is of the training part")
