"""The user's own texts: tables with a column for the class, everything else found out from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor

from cgl_ignite.data.base import DATASETS, DataSource, InputSpec
from cgl_ignite.data.look import Look
from cgl_ignite.data.splits import choose_stratified
from cgl_ignite.data.text.cache.files import cache_folder, digest_of
from cgl_ignite.data.text.cache.store import read_targets
from cgl_ignite.data.text.corpus import Corpus, files_identity
from cgl_ignite.data.text.tables.classes import Naming, check_known, check_missing, name_classes
from cgl_ignite.data.text.tables.rows import read_rows
from cgl_ignite.data.text.tables.table import Request, TextTable, open_like, open_table
from cgl_ignite.errors import InputError
from cgl_ignite.seeding import stream

__all__ = ["local_text"]

_ENDINGS = tuple(kind + packed for kind in (".csv", ".tsv") for packed in ("", ".gz", ".xz"))
_PARTS = {"train": ("train",), "test": ("test",), "holdout": ("val", "valid", "validation", "dev")}


def look_at_tables(options: Mapping[str, Any], *, files: bool) -> Look:
    """Tell the classes and rows of tables by reading their labels, if that is asked for and they are there.

    Raises:
        InputError: as :func:`local_text`.
    """
    if not files or not Path(options["path"]).expanduser().exists():
        return Look()
    given = {option.name: options[option.name] for option in fields(Request)}
    tables, naming = _open(options["path"], Request(**given))
    rows = {part: len(table.codes) for part, table in tables.items()}
    cut = 0 if "test" in rows else _test_rows(rows["train"], options["test_fraction"])
    return Look(
        classes=len(naming.classes),
        train=rows["train"] - cut,
        holdout=rows.get("holdout"),
        test=rows.get("test", cut),
    )


@DATASETS.register(
    "local_text",
    title="Your own texts",
    modality="text",
    shape=None,
    classes=None,
    rows=None,
    own_holdout=True,
    stratified=True,
    files=None,
    where="the file or folder data.path",
    look=look_at_tables,
)
def local_text(
    root: Path,
    *,
    path: str,
    label: int | str | None = None,
    text: list[int | str] | None = None,
    header: bool | None = None,
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] | None = None,
    charset: str | None = None,
    quotes: bool | None = None,
    escape: Annotated[str, Field(min_length=1, max_length=1)] | None = None,
    escaped_newlines: bool = False,
    classes: Annotated[list[str], Field(min_length=2)] | None = None,
    test_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.2,
) -> DataSource:
    """Read a CSV or TSV file, plain or packed (``.gz``, ``.xz``), or a folder with such files ``train`` and ``test``.

    A file ``val``, ``valid``, ``validation`` or ``dev`` beside them is the holdout. What is found out is told in
    ``notes``. All tables are read once, so that a fault in any of them is known before the training.

    Args:
        root: where encoded texts are kept; a relative path starts at the current folder.
        path: the file or folder.
        label: the column of the class, by its number from 1 or by its name; by default one with a usual name
            (label, class, category ...), else the first.
        text: the columns of the text, joined with a space; by default all but the label's and those that have no name
            or number the rows.
        header: whether the first row holds names; by default it does if a column is given by its name, or if it
            looks like a header (:func:`~cgl_ignite.data.text.tables.header.is_header`).
        delimiter: the ASCII character that separates columns; by default a tab in a ``.tsv``, else a comma, or what
            else divides all first rows alike.
        charset: the character set of the files, such as ``"cp1252"``; by default UTF-8, or UTF-16 where the first
            bytes tell.
        quotes: whether quotes enclose a column, or are characters like others; by default they do, except where a table
            that is separated by tabs shows otherwise.
        escape: the character that takes its meaning from the next one, a quote for example; none by default.
        escaped_newlines: whether a backslash and an n stand for a new line.
        classes: the names of the classes; by default the labels themselves, or the lines of a
            ``classes.txt`` in the folder if the labels are their numbers from 0 or 1.
        test_fraction: how much of the only file is the test set, the same in every run; not used where
            there is a file ``test``. Nothing can be learned with 1: then all of it is judged.

    Raises:
        InputError: a file or column that is missing, a damaged row, an unknown class, or fewer than two classes.
    """
    if escape == "\\" and escaped_newlines:
        raise InputError("data.escaped_newlines = true reads \\n as a new line, data.escape reads it as n: choose one")
    request = Request(label, text, header, delimiter, quotes, escape, escaped_newlines, classes, charset)
    tables, naming = _open(path, request)
    cache = cache_folder(root)
    parts = {part: _corpus(table, naming, cache) for part, table in tables.items()}
    source = DataSource(
        train=parts["train"],
        test=lambda: parts["test"],
        classes=naming.classes,
        spec=InputSpec("text", ()),
        holdout=(lambda: parts["holdout"]) if "holdout" in parts else None,
        notes=(*(note for table in tables.values() for note in table.notes), *naming.notes),
        digest=digest_of(cache, *(table.path for table in tables.values())),
    )
    if "test" in parts:
        return source
    if test_fraction == 1:
        return replace(source, test=lambda: source.train)
    training, judged = _divided(tables["train"], naming, test_fraction)
    return replace(source, train=parts["train"].only(training), test=lambda: parts["train"].only(judged))


def _open(path: str, request: Request) -> tuple[dict[str, TextTable], Naming]:
    """Open the table of each part, first the training part's, and name the classes."""
    files = _find(Path(path).expanduser())
    train = open_table(files.pop("train"), request)
    others = {part: open_like(file, request, train) for part, file in files.items()}
    tables = {"train": train, **others}
    missing = [note for table in tables.values() for note in check_missing(table, request.classes)]
    naming = name_classes(train, others.values(), request.classes)
    return tables, replace(naming, notes=(*naming.notes, *missing))


def _corpus(table: TextTable, naming: Naming, cache: Path) -> Corpus:
    """Make a part of the data out of a table, after all its rows have been read."""
    check_known(table, naming)
    identity = f"{files_identity(table.path)} {table.layout} {naming.numbers}"
    corpus = Corpus(str(table.path), identity, cache, partial(read_rows, table.path, table.layout, naming.numbers))
    read_targets(corpus)
    return corpus


def _find(path: Path) -> dict[str, Path]:
    """Return the files by part: of train, and of test and holdout where there are some."""
    if path.is_file():
        return {"train": path}
    if not path.is_dir():
        raise InputError(f"data.path: there is no file or folder {path.absolute()}\n{_expected(path)}")
    found = {part: file for part, names in _PARTS.items() if (file := _file(path, names))}
    if "train" not in found:
        raise InputError(f"data.path: {path.absolute()} holds no file train.csv or train.tsv\n{_expected(path)}")
    return found


def _file(folder: Path, names: Sequence[str]) -> Path | None:
    wanted = {name + ending for name in names for ending in _ENDINGS}
    found = sorted(file for file in folder.iterdir() if file.name.lower() in wanted and file.is_file())
    if len(found) > 1:
        raise InputError(f"data.path: {found[0]} and {found[1].name} are there both; leave one of them")
    return found[0] if found else None


def _divided(table: TextTable, naming: Naming, test_fraction: float) -> tuple[Tensor, Tensor]:
    """Cut off the test set, with every class keeping its share."""
    path, names = table.path, naming.classes
    targets = torch.tensor([naming.numbers[label] for label in table.found])[torch.from_numpy(table.codes)]
    rows = _test_rows(len(targets), test_fraction)
    judged = choose_stratified(targets, rows, stream(0, "local_text test"))
    training = torch.ones(len(targets), dtype=torch.bool).index_fill_(0, judged, False).nonzero().squeeze(1)
    there, left = (rows.bincount(minlength=len(names)).tolist() for rows in (targets, targets[training]))
    for name, before, after in zip(names, there, left, strict=True):
        if before and not after:
            fraction = f"data.test_fraction = {test_fraction:g}"
            raise InputError(f"{path}: no row of class {name!r} is left to learn from after {fraction}")
    return training, judged


def _test_rows(rows: int, test_fraction: float) -> int:
    return max(1, round(test_fraction * rows))


def _expected(path: Path) -> str:
    name = path.stem or "texts"
    return (
        "expected one of:\n"
        f"  {name}/train.csv and {name}/test.csv     (or .tsv; packed with .gz or .xz; {name}/val.csv is the holdout)\n"
        f"  {name}.csv                         (data.test_fraction of each class becomes the test set)"
    )
