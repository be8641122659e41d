"""The test part of any data set, in the form and with the class numbers of one student."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from inspect import Parameter
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cgl_ignite.data import (
    DATASETS,
    DataSource,
    Examples,
    Tokenizer,
    data_root,
    prepare,
)
from cgl_ignite.data.stored import StoredImages
from cgl_ignite.data.text.tokenizers.known import KnownTokenizer
from cgl_ignite.errors import InputError, choices, nearest
from cgl_ignite.student.card import Card

__all__ = ["read_test_part"]

OWN = {"image": "local_images", "text": "local_text"}
"""The data set that reads the user's own files, by modality."""


def read_test_part(
    which: str,
    card: Card,
    root: Path | None = None,
    limit: int | None = None,
    tokenizer: Tokenizer | None = None,
    tell: Callable[[Sequence[str]], object] | None = None,
) -> Examples:
    """Read the test rows of a data set as a student's inputs and labels.

    The data set that the student was trained on gets the options it had there, and the same ``limit`` chooses
    the same rows. A table or a folder of the user's that is not divided into training and test is taken whole,
    unless it bears the name of the one that the student was trained on: then its test part is cut off as it was.

    Args:
        which: a kind of data set; a folder with a folder per class, or a table of texts.
        card: of the student.
        root: the folder of the data sets.
        limit: at most this many rows, chosen at random with every class keeping its share.
        tokenizer: of a student of texts.
        tell: takes the notes of the data set, which say what was decided while reading.

    Raises:
        InputError: data that cannot be read, that has classes unknown to the student, or another form.
    """
    source = _source(which, card, data_root(root))
    if tell is not None:
        tell(source.notes)
    if card.labelled.several_labels != (source.label_sets is not None):
        held = "one class" if source.label_sets is None else "several labels"
        raise InputError(f"a row of {which} has {held}, but the task of the student is {card.task!r}")
    numbers = _class_numbers(which, source.classes, card.classes)
    if tokenizer is None:
        _check_form(which, source.spec.shape, card.shape)
    part = source.test()
    alone = replace(source, train=part, test=lambda: part, holdout=None)
    encoding = None if tokenizer is None else KnownTokenizer(tokenizer)
    examples = prepare(alone, holdout=0, limit=limit, seed=card.seed, encoding=encoding).test()
    inputs = examples.inputs
    if isinstance(inputs, StoredImages) and inputs.shape[1] != card.shape[0]:
        inputs = inputs.load()
    if isinstance(inputs, Tensor) and tokenizer is None:
        inputs = _channels(inputs, card.shape[0])
    if examples.label_sets is None:
        return Examples(inputs, numbers[examples.targets])
    label_sets = torch.zeros(len(examples.label_sets), len(card.classes), dtype=torch.bool)
    label_sets[:, numbers] = examples.label_sets
    return Examples(inputs, examples.targets, label_sets=label_sets)


def _source(which: str, card: Card, root: Path) -> DataSource:
    trained = card.dataset.options if which == card.dataset.kind else {}
    if which in DATASETS:
        _check_modality(which, card)
        needed = [name for name, option in DATASETS.options(which).items() if option.default is Parameter.empty]
        if missing := [name for name in needed if name not in trained]:
            hint = "give the path instead" if which in OWN.values() else "the student was not trained on it"
            raise InputError(f"data set {which!r} needs {', '.join(missing)}: {hint}")
        return _built(which, root, trained)
    own, path = OWN[card.modality], Path(which)
    if not (path.exists() if card.modality == "text" else path.is_dir()):
        known = [kind for kind in DATASETS.kinds() if DATASETS.facts(kind).get("modality", "image") == card.modality]
        wanted = "a table of texts" if card.modality == "text" else "a folder of images"
        raise InputError(
            f"{which!r} is neither {wanted} nor a data set{nearest(which, known)} (known: {choices(known)})"
        )
    options = card.dataset.options if card.dataset.kind == own else {}
    if not _is_trained_on(path, options.get("path")):
        options = {**options, "test_fraction": 1.0, **_undivided(path, card, options)}
    options = {**options, "task": card.task}
    known_by_student = _size(card) if card.modality == "image" else {"classes": list(card.classes)}
    return _built(own, root, {**options, **known_by_student, "path": which})


def _is_trained_on(path: Path, trained: object) -> bool:
    """Whether data bear the name of those that the student was trained on."""
    return isinstance(trained, str) and path.resolve().name == Path(trained).name


def _undivided(path: Path, card: Card, options: dict[str, Any]) -> dict[str, Any]:
    """Take a table whole, and images without the table that lists others."""
    if card.modality == "text":
        return {"split": False}
    if "table" not in options or (path / str(options["table"])).is_file():
        return {}
    return dict.fromkeys(("table", "image", "label", "split", "weight"))


def _check_modality(which: str, card: Card) -> None:
    held = DATASETS.facts(which).get("modality", "image")
    if held != card.modality:
        raise InputError(f"{which} holds {held}, but the student reads {card.modality}")


def _size(card: Card) -> dict[str, Any]:
    return {"size": card.shape[1:]} if len(card.shape) == 3 else {}


def _built(kind: str, root: Path, options: dict[str, Any]) -> DataSource:
    source: DataSource = DATASETS.get(kind)(root, **options)
    return source


def _class_numbers(which: str, held: tuple[str, ...], known: tuple[str, ...]) -> Tensor:
    """Find the student's number of each class of the data, which may be named by its number from 1."""
    numbered = {str(number): number - 1 for number in range(1, len(known) + 1)}
    if not set(held) & set(known) and set(held) <= numbered.keys():
        return torch.tensor([numbered[name] for name in held])
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
