"""The user's own texts: a CSV or TSV file with a column for the class, everything else found out from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from cgl_ignite.data.base import DATASETS, DataSource, InputSpec
from cgl_ignite.data.corpus import Corpus, files_identity
from cgl_ignite.data.splits import choose_stratified
from cgl_ignite.data.text.cache import cache_folder
from cgl_ignite.data.text.rows import Layout, first_row, labels_of, read_rows
from cgl_ignite.errors import InputError, choices, nearest
from cgl_ignite.seeding import stream

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["local_text"]

_ENDINGS = tuple(kind + packed for kind in (".csv", ".tsv") for packed in ("", ".gz", ".xz"))
_FEW_ROWS = 20


@DATASETS.register(
    "local_text",
    title="Your own texts",
    modality="text",
    shape=None,
    classes=None,
    rows=None,
    own_holdout=True,
    files=None,
    where="the file or folder data.path",
)
def local_text(
    root: Path,
    *,
    path: str,
    label: int | str = 1,
    text: list[int | str] | None = None,
    header: bool | None = None,
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] | None = None,
    quotes: bool = True,
    escaped_newlines: bool = False,
    classes: Annotated[list[str], Field(min_length=2)] | None = None,
    test_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.2,
) -> DataSource:
    """Read a CSV or TSV file, plain or packed (``.gz``, ``.xz``), or a folder with such files ``train`` and ``test``.

    Args:
        root: where encoded texts are kept; a relative path starts at the current folder.
        path: the file or folder.
        label: the column of the class, by its number from 1 or by its name.
        text: the columns of the text, joined with a space; by default all but the label's.
        header: whether the first row holds names; by default it does if a column is given by its name.
        delimiter: the ASCII character that separates columns; by default a tab in a ``.tsv``, else a comma.
        quotes: whether quotes enclose a column, or are characters like others.
        escaped_newlines: whether a backslash and an n stand for a new line.
        classes: the names of the classes; by default the labels themselves, or the lines of a
            ``classes.txt`` in the folder if the labels are their numbers from 1.
        test_fraction: how much of the only file is the test set, the same in every run; not used where
            there is a file ``test``. Nothing can be learned with 1: then all of it is judged.

    Raises:
        InputError: a file or column that is missing, a damaged row, or fewer than two classes.
    """
    train, test = _find(Path(path).expanduser())
    delimiter = _delimiter(train, delimiter)
    if header is None:
        header = any(isinstance(column, str) for column in (label, *(text or ())))
    row = first_row(train, delimiter, quotes)
    place = _column(train, row, header, "data.label", label)
    columns = _text_columns(train, row, header, place, text)
    layout = Layout(len(row), place, columns, delimiter, header, escaped_newlines, quotes)
    found, codes = labels_of(train, layout)
    names = _names(train, found, len(codes), classes)
    labels = _numbered(found, names)
    _check_known(train, layout, found, codes, labels)

    def part(file: Path) -> Corpus:
        identity = f"{files_identity(file)} {layout} {labels}"
        return Corpus(str(file), identity, cache_folder(root), partial(read_rows, file, layout, labels))

    spec = InputSpec("text", ())
    if test is not None:
        return DataSource(part(train), partial(part, test), names, spec)
    if test_fraction == 1:
        return DataSource(part(train), partial(part, train), names, spec)
    targets = torch.tensor([labels[name] for name in found])[torch.from_numpy(codes)]
    taught, judged = (part(train).only(rows) for rows in _divided(train, targets, names, test_fraction))
    return DataSource(taught, lambda: judged, names, spec)


def _find(path: Path) -> tuple[Path, Path | None]:
    """Return the files of train and test; the latter is None if it has to be cut off."""
    if path.is_file():
        return path, None
    if not path.is_dir():
        raise InputError(f"data.path: there is no file or folder {path.absolute()}\n{_layout(path)}")
    train, test = (_file(path, part) for part in ("train", "test"))
    if train is None:
        raise InputError(f"data.path: {path.absolute()} holds no file train.csv or train.tsv\n{_layout(path)}")
    return train, test


def _file(folder: Path, part: str) -> Path | None:
    found = [file for ending in _ENDINGS if (file := folder / (part + ending)).is_file()]
    if len(found) > 1:
        raise InputError(f"data.path: {found[0]} and {found[1].name} are there both; leave one of them")
    return found[0] if found else None


def _delimiter(path: Path, given: str | None) -> str:
    if given is None:
        return "\t" if ".tsv" in map(str.lower, path.suffixes) else ","
    if given in '"\r\n' or not given.isascii():
        raise InputError(f"data.delimiter = {given!r} must be one ASCII character, and neither a quote nor a new line")
    return given


def _column(path: Path, row: Sequence[str], named: bool, key: str, column: int | str) -> int:
    """Find a column, given by its number from 1 or by its name, and count it from 0."""
    if isinstance(column, int):
        if not 1 <= column <= len(row):
            raise InputError(f"{key} = {column}: {path} has the columns 1 to {len(row)}")
        return column - 1
    if not named:
        raise InputError(f"{key} = {column!r}: without a header columns are given by their number")
    if row.count(column) != 1:
        there = "twice" if column in row else "not"
        raise InputError(f"{key} = {column!r} stands {there} in the first row of {path}{nearest(column, row)}: {row}")
    return row.index(column)


def _text_columns(
    path: Path, row: Sequence[str], named: bool, label: int, text: Sequence[int | str] | None
) -> tuple[int, ...]:
    if text is None:
        columns = tuple(column for column in range(len(row)) if column != label)
    else:
        columns = tuple(_column(path, row, named, "data.text", one) for one in text)
    if not columns:
        raise InputError(f"{path} has no column beside the one of the label; is data.delimiter right?")
    if label in columns or len({*columns}) < len(columns):
        raise InputError(f"data.text = {text} must name each column once, and not the one of data.label")
    return columns


def _names(path: Path, found: Sequence[str], rows: int, given: Sequence[str] | None) -> tuple[str, ...]:
    """Name the classes: as given, or by the lines of ``classes.txt`` if the labels number them, or by the labels."""
    if given:
        return _each_once("data.classes", given)
    listed = path.with_name("classes.txt")
    if all(map(str.isdecimal, found)) and listed.is_file():
        lines = [line.strip() for line in listed.read_text("utf-8-sig", "replace").splitlines() if line.strip()]
        if {*map(int, found)} <= {*range(1, 1 + len(lines))}:
            return _each_once(str(listed), lines)
    if len(found) < 2:
        raise InputError(f"{path} holds one class only, {found[0]!r}; is data.label the right column?")
    if len(found) > max(_FEW_ROWS, rows // 2):
        raise InputError(f"{path} holds {len(found)} classes in {rows} rows; is data.label the right column?")
    numeric = all(map(str.isdecimal, found))
    return tuple(sorted(found, key=int) if numeric else sorted(found))


def _each_once(where: str, names: Sequence[str]) -> tuple[str, ...]:
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise InputError(f"{where} names the class {twice!r} twice")
    return tuple(names)


def _numbered(found: Sequence[str], names: Sequence[str]) -> dict[str, int]:
    """Tell the number of each class by its label: its name, or its place from 1."""
    if not {*found} <= {*names} and all(map(str.isdecimal, found)):
        return {str(place): place - 1 for place in range(1, 1 + len(names))}
    return {name: number for number, name in enumerate(names)}


def _check_known(
    path: Path, layout: Layout, found: Sequence[str], codes: NDArray[np.int64], labels: Mapping[str, int]
) -> None:
    for code, label in enumerate(found):
        if not label or label not in labels:
            row = 1 + layout.header + int((codes == code).argmax())
            fault = f"class {label!r} is not {choices(labels)}" if label else "column of the class is empty"
            raise InputError(f"{path}, row {row}: the {fault}")


def _divided(path: Path, targets: Tensor, names: Sequence[str], test_fraction: float) -> tuple[Tensor, Tensor]:
    """Cut off the test set, with every class keeping its share."""
    rows = max(1, round(test_fraction * len(targets)))
    judged = choose_stratified(targets, rows, stream(0, "local_text test"))
    taught = torch.ones(len(targets), dtype=torch.bool).index_fill_(0, judged, False).nonzero().squeeze(1)
    there, left = (rows.bincount(minlength=len(names)).tolist() for rows in (targets, targets[taught]))
    for name, before, after in zip(names, there, left, strict=True):
        if before and not after:
            fraction = f"data.test_fraction = {test_fraction:g}"
            raise InputError(f"{path}: no row of class {name!r} is left to learn from after {fraction}")
    return taught, judged


def _layout(path: Path) -> str:
    name = path.stem or "texts"
    return (
        "expected one of:\n"
        f"  {name}/train.csv and {name}/test.csv     (or .tsv; packed with .gz or .xz)\n"
        f"  {name}.csv                         (data.test_fraction of each class becomes the test set)"
    )
