"""What travels with a student in its file: its card, the number of its format and, of texts, its tokenizer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from torch import nn

from cgl_ignite.data import Tokenizer, dump_tokenizer, parse_tokenizer
from cgl_ignite.errors import InputError
from cgl_ignite.pool.limits import refuse_large_inputs
from cgl_ignite.student.card import FORMAT, Card, foreign
from cgl_ignite.student.network import tokenizer_of

__all__ = ["CARD", "ENCODER", "extra_files", "parse_card", "parse_extra"]

CARD, NUMBER, ENCODER = "card.json", "format", "encoder.json"


def extra_files(student: nn.Module, card: Card) -> dict[str, str]:
    """Return what travels with a student: its card, its format and its tokenizer."""
    tokenizer = tokenizer_of(student)
    encoder = {} if tokenizer is None else {ENCODER: dump_tokenizer(tokenizer)}
    return {CARD: card.model_dump_json(), NUMBER: str(FORMAT), **encoder}


def parse_card(path: Path, extra: Mapping[str, str | bytes]) -> Card:
    """Read the card among what travels with a student.

    Raises:
        InputError: there is no right card.
    """
    try:
        number, text = json.loads(extra[NUMBER]), extra[CARD]
    except (KeyError, ValueError) as error:
        raise InputError(foreign(path)) from error
    return Card.parse(path, number, text)


def parse_extra(path: Path, extra: Mapping[str, str | bytes]) -> tuple[Card, Tokenizer | None]:
    """Read the card and the tokenizer that travel with a program.

    Raises:
        InputError: there is no right card.
    """
    card = parse_card(path, extra)
    refuse_large_inputs(path, card.spec)
    return card, parse_tokenizer(extra[ENCODER], path, card.spec) if ENCODER in extra else None
