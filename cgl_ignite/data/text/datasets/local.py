"""The user's own texts: tables with a column for the class, everything else found out from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from torch import Tensor

from cgl_ignite.data.base import DATASETS, DataSource, InputSpec, class_counts
from cgl_ignite.data.look import Look
from cgl_ignite.data.part_names import Part
from cgl_ignite.data.separator import LabelTask, Separator, label_separator_of
from cgl_ignite.data.splits import choose_stratified
from cgl_ignite.data.text.cache.files import cache_folder, digest_of
from cgl_ignite.data.text.cache.store import read_targets
from cgl_ignite.data.text.corpus import Corpus, files_identity
from cgl_ignite.data.text.tables.classes import Naming
from cgl_ignite.data.text.tables.files import find_tables
from cgl_ignite.data.text.tables.opening import OpenTables, open_tables, read_tables, targets_of
from cgl_ignite.data.text.tables.table import Request, TextTable
from cgl_ignite.errors import InputError
from cgl_ignite.seeding import stream

__all__ = ["local_text"]


def look_at_tables(options: Mapping[str, Any], *, files: bool) -> Look:
    """Tell the classes and rows of tables by reading their labels, if that is asked for and they are there.

    Raises:
        InputError: as :func:`local_text`.
    """
    if not files:
        return Look()
    path = options["path"]
    if isinstance(path, str) and not _is_there(path):
        return Look()
    given: dict[str, Any] = {option.name: options.get(option.name) for option in fields(Request)} | {"weighs": True}
    given["label_separator"] = label_separator_of(options.get("task"), options.get("label_separator"))
    tables = open_tables(find_tables(path), Request(**given))
    rows = tables.counts()
    cut = 0 if "test" in rows else _test_rows(rows["train"], options["test_fraction"])
    targets = targets_of(tables.parts["train"], tables.naming)
    counts = targets[tables.rows["train"]].bincount() if tables.rows else targets.bincount()
    return Look(
        classes=len(tables.naming.classes),
        train=rows["train"] - cut,
        holdout=rows.get("holdout"),
        test=rows.get("test", cut),
        each=(int(counts.min()), int(counts.max())),
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
    path: str | Annotated[list[str], Field(min_length=1)],
    label: int | str | None = None,
    text: list[int | str] | None = None,
    header: bool | None = None,
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] | None = None,
    charset: str | None = None,
    quotes: bool | None = None,
    escape: Annotated[str, Field(min_length=1, max_length=1)] | None = None,
    escaped_newlines: bool = False,
    classes: Annotated[list[str], Field(min_length=2)] | None = None,
    split: int | str | Literal[False] | None = None,
    test_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.2,
    task: LabelTask = "single_label",
    label_separator: Separator | None = None,
    weight: int | str | None = None,
) -> DataSource:
    """Read tables of labelled texts: CSV, TSV, Parquet, Arrow or JSON Lines, one file, several, or one for each part.

    CSV, TSV and JSON Lines may be packed (``.gz``, ``.xz``).

    A file ``val``, ``valid``, ``validation`` or ``dev`` beside ``train`` is the holdout. What is found out is told in
    ``notes``. All tables are read once, so that a fault in any of them is known before the training.

    Args:
        root: where encoded texts are kept; a relative path starts at the current folder.
        path: a file; a pattern such as ``texts/*.parquet``, or a list of files, which are one table together; a
            folder with files ``train`` and ``test``; or one that ``save_to_disk`` of Hugging Face ``datasets`` wrote.
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
        split: the column that tells the part of each row, ``train``, ``val`` or ``test``; by default one named
            ``split`` if it holds such names; False if there is none.
        test_fraction: how much of the only file is the test set, the same in every run; not used where
            there is a file ``test``. Nothing can be learned with 1: then all of it is judged.
        task: ``multi_label`` if a row may have several labels, or none: in Parquet, Arrow and JSON Lines as a list,
            else as texts with a separator between them.
        label_separator: what separates the labels of a row; ``";"`` if it is left out.
        weight: the column that tells how much a training row counts in the loss with its label, from 0 on; by default
            all count alike.

    Raises:
        InputError: a file or column that is missing, a damaged row, an unknown class, a weight that is none, or fewer
            than two classes.
    """
    if escape == "\\" and escaped_newlines:
        raise InputError("data.escaped_newlines = true reads \\n as a new line, data.escape reads it as n: choose one")
    request = Request(label, text, header, delimiter, quotes, escape, escaped_newlines, classes, charset, split)
    separator = label_separator_of(task, label_separator)
    request = replace(request, label_separator=separator, weight=weight, weighs=test_fraction < 1)
    tables = open_tables(find_tables(path), request)
    naming, cache = tables.naming, cache_folder(root)
    parts = _corpora(tables, cache)
    source = DataSource(
        train=parts["train"],
        test=lambda: parts["test"],
        classes=naming.classes,
        spec=InputSpec("text", ()),
        holdout=(lambda: parts["holdout"]) if "holdout" in parts else None,
        notes=tables.notes,
        label_sets=naming.members,
        digest=digest_of(cache, *(table.path for files in tables.parts.values() for table in files)),
    )
    return source if "test" in parts else _with_test(source, tables, cache, test_fraction)


def _corpora(tables: OpenTables, cache: Path) -> dict[Part, Corpus]:
    """Make the parts of the data out of their tables, or out of the rows of one."""
    parts = {part: _corpus(files, tables.naming, cache) for part, files in tables.parts.items()}
    whole = parts["train"] = replace(parts["train"], weights=tables.weights)
    return {part: whole.only(rows) for part, rows in tables.rows.items()} or parts


def _with_test(source: DataSource, tables: OpenTables, cache: Path, test_fraction: float) -> DataSource:
    """Cut the test set off the training part; with 1, all rows are both."""
    if test_fraction == 1:
        return replace(source, test=lambda: source.train)
    training, judged = _divided(tables, test_fraction)
    whole = replace(_corpus(tables.parts["train"], tables.naming, cache), weights=tables.weights)
    return replace(source, train=whole.only(training), test=lambda: whole.only(judged))


def _is_there(path: str) -> bool:
    try:
        find_tables(path)
    except InputError:
        return Path(path).expanduser().exists()
    return True


def _corpus(tables: Sequence[TextTable], naming: Naming, cache: Path) -> Corpus:
    """Make a part of the data out of its tables, after all their rows have been read."""
    targets_of(tables, naming)
    layouts = " ".join(str(table.layout) for table in tables)
    identity = f"{files_identity(*(table.path for table in tables))} {layouts} {naming.numbers}"
    title = str(tables[0].path) + (f" and {len(tables) - 1} more" if len(tables) > 1 else "")
    corpus = Corpus(title, identity, cache, partial(read_tables, tables, naming.numbers))
    read_targets(corpus)
    return corpus


def _divided(tables: OpenTables, test_fraction: float) -> tuple[Tensor, Tensor]:
    """Cut off the test set, with every class keeping its share."""
    files, naming = tables.parts["train"], tables.naming
    targets = targets_of(files, naming)
    there = tables.rows.get("train", torch.arange(len(targets)))
    rows = _test_rows(len(there), test_fraction)
    judged = choose_stratified(targets[there], rows, stream(0, "local_text test"))
    training = torch.ones(len(there), dtype=torch.bool).index_fill_(0, judged, False).nonzero().squeeze(1)
    number, members = len(naming.classes), naming.members
    before, left = (class_counts(targets[rows], number, members) for rows in (there, there[training]))
    for name, count, kept in zip(naming.classes, before.tolist(), left.tolist(), strict=True):
        if count and not kept:
            fraction = f"data.test_fraction = {test_fraction:g}"
            raise InputError(f"{files[0].path}: no row of class {name!r} is left to learn from after {fraction}")
    return there[training], there[judged]


def _test_rows(rows: int, test_fraction: float) -> int:
    return max(1, round(test_fraction * rows))
