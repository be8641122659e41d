"""The user's own texts: a CSV or TSV file with a column for the class, everything else found out from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import torch
from pydantic import Field

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
    files=None,
    where="the file or folder data.path",
)
def local_text(
    root: Path,
    *,
    path: str,
    label: int | str = 1,
    text: list[int | str] = [],  # noqa: B006  an option of a pipeline, never changed
    header: bool | None = None,
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] | None = None,
    quotes: bool = True,
    escaped_newlines: bool = False,
    classes: list[str] = [],  # noqa: B006
    test_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.2,
) -> DataSource:
    """Read a CSV or TSV file, plain or packed (``.gz``, ``.xz``), or a folder with such files ``train`` and ``test``.

    Args:
        root: where encoded texts are kept; a relative path starts at the current folder.
        path: the file or folder.
        label: the column of the class, by its number from 1 or by its name.
        text: the columns of the text, joined with a space; an empty list takes all but the label's.
        header: whether the first row holds names; by default it does if a column is given by its name.
        delimiter: what separates columns; by default a tab in a ``.tsv``, else a comma.
        quotes: whether quotes enclose a column, or are characters like others.
        escaped_newlines: whether a backslash and an n stand for a new line.
        classes: the names of the classes; by default the labels themselves, or the lines of a
            ``classes.txt`` in the folder if the labels are their numbers from 1.
        test_fraction: how much of the only file is the test set, the same in every run; not used where
            there is a file ``test``.

    Raises:
        InputError: a file or column that is missing, a damaged row, or fewer than two classes.
    """
    train, test = _find(Path(path).expanduser())
    tab = "\t" if ".tsv" in train.suffixes else ","
    layout = _layout(train, label, text, header, delimiter or tab, quotes, escaped_newlines)
    found, codes = labels_of(train, layout)
    names, labels = _classes(train, found, len(codes), classes)
    table = _Table(layout, labels, cache_folder(root))
    whole = table.part(train)
    if test is not None:
        return DataSource(whole, partial(table.part, test), names, InputSpec("text", ()))
    targets = torch.tensor([labels.get(name, -1) for name in found])[torch.from_numpy(codes)]
    if (targets < 0).any():
        for _ in whole.read():
            pass
    chosen = choose_stratified(
        targets, max(1, round(test_fraction * len(targets))), stream(0, "local_text test")
    )
    rest = torch.ones(len(targets), dtype=torch.bool).index_fill_(0, chosen, False).nonzero().squeeze(1)
    _check_taught(train, targets[rest].bincount(minlength=len(names)), names, test_fraction)
    return DataSource(whole.only(rest), lambda: whole.only(chosen), names, InputSpec("text", ()))
