"""A student as its weights in a ``safetensors`` file, with its card, its tokenizer and a sha256 as metadata.

The names of the weights are those of :class:`cgl_ignite.student.Student`; see https://huggingface.co/docs/safetensors.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
from torch import Tensor, nn

from cgl_ignite.errors import InputError
from cgl_ignite.student.card import Card, foreign
from cgl_ignite.student.extra import CARD, ENCODER, extra_files, parse_card
from cgl_ignite.student.network import Student
from cgl_ignite.student.readme import Usage
from cgl_ignite.student.seal import PLACE, check_seal, seal
from cgl_ignite.student.weights import WEIGHTS_ALONE, rebuilt

__all__ = ["is_one", "read", "usage", "write"]

_DIGEST = "sha256"
_LENGTH = 8
"""Bytes of the length of the header, with which a file begins."""


def write(student: Student, card: Card) -> bytes:
    """Return the content of a file with the weights of a student, its card and its tokenizer."""
    from safetensors.torch import save

    weights = {name: value.detach().cpu().contiguous().clone() for name, value in student.state_dict().items()}
    return seal(save(weights, {**extra_files(student, card), _DIGEST: PLACE}))


def is_one(path: Path) -> bool:
    """Tell whether a file begins with a header of ``safetensors`` that names a card."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(_LENGTH), "little")
        header = file.read(min(length, path.stat().st_size))
    return header.startswith(b"{") and CARD.encode() in header


def read(path: Path, device: torch.device | str) -> tuple[nn.Module, Card]:
    """Read what :func:`write` has written.

    Raises:
        InputError: a file that was damaged or changed, or weights that do not fit the backbone as it is registered now.
    """
    from safetensors import SafetensorError, safe_open

    check_seal(path, path.read_bytes())
    try:
        with safe_open(path, framework="pt") as file:
            extra = file.metadata()
            weights: dict[str, Tensor] = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise InputError(foreign(path)) from error
    card = parse_card(path, extra)
    return rebuilt(path, card, weights, extra.get(ENCODER, "")).to(device), card


def usage(file: str, card: Card) -> Usage:
    """Show how the weights are loaded without this package."""
    return Usage(
        packages=("torch", "safetensors"),
        imports=("from safetensors import safe_open",),
        load=(
            f'with safe_open({json.dumps(file)}, framework="pt") as file:',
            "    extra = file.metadata()",
            "    weights = {name: file.get_tensor(name) for name in file.keys()}",
        ),
        more=WEIGHTS_ALONE,
    )
