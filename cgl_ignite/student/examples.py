"""The test part of any data set, in the form and with the class numbers of one student."""

from __future__ import annotations

from inspect import Parameter
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cgl_ignite.data import DATASETS, DataSource, Examples, data_root, prepare
from cgl_ignite.errors import InputError, choices, nearest
from cgl_ignite.student.card import Card

__all__ = ["read_test_part"]

FOLDERS = "local_images"


def read_test_part(which: str, card: Card, root: Path | None = None, limit: int | None = None) -> Examples:
    """Read the test rows of a data set as a student's inputs and labels.

    The data set that the student was trained on gets the options it had there, and the same ``limit`` chooses
    the same rows.

    Args:
        which: a kind of data set, or a folder with a folder per class.
        card: of the student.
        root: the folder of the data sets.
        limit: at most so many rows, chosen at random with every class keeping its share.

    Raises:
        InputError: data that cannot be read, that has classes unknown to the student, or another form.
    """
    source = _source(which, card, data_root(root))
    numbers = _class_numbers(which, source.classes, card.classes)
    _check_form(which, source.spec.shape, card.shape)
    test = source.test if limit is None else prepare(source, holdout=0, limit=limit, seed=card.seed).test
    examples = test()
    return Examples(_channels(examples.inputs, card.shape[0]), numbers[examples.targets])


def _source(which: str, card: Card, root: Path) -> DataSource:
    trained = card.dataset.options if which == card.dataset.kind else {}
    if which in DATASETS:
        needed = [name for name, option in DATASETS.options(which).items() if option.default is Parameter.empty]
        if missing := [name for name in needed if name not in trained]:
            hint = "give the folder instead" if which == FOLDERS else "the student was not trained on it"
            raise InputError(f"data set {which!r} needs {', '.join(missing)}: {hint}")
        return _built(which, root, trained)
    if not Path(which).is_dir():
        known = DATASETS.kinds()
        raise InputError(
            f"{which!r} is neither a folder of images nor a data set{nearest(which, known)} (known: {choices(known)})"
        )
    options = card.dataset.options if card.dataset.kind == FOLDERS else {}
    sides = card.shape[1:]
    size = {"size": sides[0]} if len(set(sides)) == 1 else {}
    return _built(FOLDERS, root, {**options, **size, "path": which})


def _built(kind: str, root: Path, options: dict[str, Any]) -> DataSource:
    source: DataSource = DATASETS.get(kind)(root, **options)
    return source


def _class_numbers(which: str, held: tuple[str, ...], known: tuple[str, ...]) -> Tensor:
    """Find the student's number of each class of the data."""
    if unknown := [name for name in held if name not in known]:
        listed = choices(known) if len(known) <= 12 else f"{choices(known[:12])} and {len(known) - 12} more"
        raise InputError(
            f"the classes of {which} are not those of the student: {choices(unknown[:3])} is unknown to it;"
            f" it tells apart {listed}"
        )
    return torch.tensor([known.index(name) for name in held])


def _check_form(which: str, held: tuple[int, ...], read: tuple[int, ...]) -> None:
    convertible = held[0] == read[0] or {held[0], read[0]} == {1, 3}
    if len(held) != len(read) or held[1:] != read[1:] or not convertible:
        forms = (" x ".join(map(str, shape)) for shape in (held, read))
        raise InputError("{} holds inputs of {}, but the student reads {}".format(which, *forms))


def _channels(inputs: Tensor, channels: int) -> Tensor:
    """Bring images to grey, by the luminance of ITU-R 601 as Pillow computes it, or to three colours."""
    if inputs.shape[1] == channels:
        return inputs
    if channels == 1:
        weights = torch.tensor([19595, 38470, 7471]).view(3, 1, 1)
        return ((inputs.long() * weights).sum(1, keepdim=True) + 2**15 >> 16).to(torch.uint8)
    return inputs.expand(-1, channels, -1, -1)
