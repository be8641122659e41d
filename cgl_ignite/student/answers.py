"""What a student says of many texts or pictures, read and answered in batches; a row that fails has its error."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple, TypeAlias

import torch
from torch import Tensor, nn

from cgl_ignite.errors import Unreadable
from cgl_ignite.student.card import Card
from cgl_ignite.student.pictures import read_pictures
from cgl_ignite.student.score import logits
from cgl_ignite.student.texts import answer_texts

__all__ = ["Answer", "Question", "answers"]

_ROWS = 512

Question: TypeAlias = "tuple[str, str | Path | Unreadable]"
"""What a row is called, and its text or picture, or what is wrong with it."""


class Answer(NamedTuple):
    """What a row is called, and the probabilities of the classes, (classes,), or what is wrong with it."""

    name: str
    probabilities: Tensor | None
    fault: str | None


def answers(student: nn.Module, card: Card, questions: Iterable[Question]) -> Iterator[Answer]:
    """Answer questions in their order, some hundred at a time.

    A text without a visible character and a picture that cannot be read are faults of their rows.

    Raises:
        InputError: a student with damaged weights, or one that reads something else.
    """
    waiting = iter(questions)
    while rows := list(islice(waiting, _ROWS)):
        given = [value for _, value in rows]
        read = _texts(given) if card.modality == "text" else _pictures(given, card)
        good = [value for value in read if not isinstance(value, Unreadable)]
        found: Iterator[Tensor] = iter(card.labelled.probabilities(_answered(student, card, good)) if good else ())
        for (name, _), value in zip(rows, read, strict=True):
            if isinstance(value, Unreadable):
                yield Answer(name, None, value.fault)
            else:
                yield Answer(name, next(found), None)


def _texts(given: list[str | Path | Unreadable]) -> list[str | Tensor | Unreadable]:
    return [
        one if isinstance(one, Unreadable) else Unreadable("the text", "is empty") if not str(one).strip() else str(one)
        for one in given
    ]


def _pictures(given: list[str | Path | Unreadable], card: Card) -> list[str | Tensor | Unreadable]:
    places = [one if isinstance(one, Unreadable) else Path(one) for one in given]
    return [one if isinstance(one, Unreadable) else one[0] for one in read_pictures(places, card)]


def _answered(student: nn.Module, card: Card, good: list[str | Tensor]) -> Tensor:
    if card.modality == "text":
        return answer_texts(student, [str(text) for text in good])
    return logits(student, torch.stack([picture for picture in good if isinstance(picture, Tensor)]))
