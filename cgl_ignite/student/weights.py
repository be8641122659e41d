"""A student as its weights: the format ``state``, read with ``weights_only=True``; it runs nothing that it holds."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import ValidationError
from torch import Tensor, nn

from cgl_ignite.backbones import BACKBONES
from cgl_ignite.config.schema import Chooses, Part, Table
from cgl_ignite.config.specialise import specialise
from cgl_ignite.data import Normaliser, PadTokens, dump_tokenizer, parse_tokenizer
from cgl_ignite.errors import InputError, choices, first_line
from cgl_ignite.pool import modular_layers
from cgl_ignite.pool.limits import read_archive, refuse_large_inputs, refuse_large_layers
from cgl_ignite.student.archive import check_archive, members
from cgl_ignite.student.card import FORMAT, Card, foreign
from cgl_ignite.student.network import Student
from cgl_ignite.student.program import is_card
from cgl_ignite.student.readme import Usage

__all__ = ["WEIGHTS_ALONE", "is_one", "read", "rebuilt", "usage", "write"]

WEIGHTS_ALONE = (
    "The file holds weights. The network that they are of is code of cgl_ignite, whose `read_student` reads the file; "
    "the formats `pt2` and `onnx` hold the network, too. "
)


class _Rebuilt(Table):
    """The backbone of a card, with the types of its options."""

    backbone: Annotated[Part, Chooses("backbone")]


def write(student: Student, card: Card) -> bytes:
    """Return the content of a file with the weights of a student, its card and its tokenizer."""
    weights = {name: value.detach().cpu() for name, value in student.state_dict().items()}
    buffer = io.BytesIO()
    content = {"format": FORMAT, "card": card.model_dump_json(), "state_dict": weights}
    if student.tokenizer is not None:
        content["encoder"] = dump_tokenizer(student.tokenizer)
    torch.save(content, buffer)
    return buffer.getvalue()


def is_one(path: Path) -> bool:
    """Tell whether a file is what PyTorch saves and no program."""
    names = members(path)
    return bool(names) and not any(is_card(name) for name in names)


def read(path: Path, device: torch.device | str) -> tuple[nn.Module, Card]:
    """Read what :func:`write` has written.

    Raises:
        InputError: something else, or weights that do not fit the backbone as it is registered now.
    """
    content = _loaded(path)
    card = Card.parse(path, content["format"], content["card"])
    return rebuilt(path, card, content["state_dict"], content.get("encoder", "")).to(device), card


def rebuilt(path: Path, card: Card, weights: Mapping[str, Tensor], encoder: str) -> Student:
    """Build a student by its card and give it its weights and, of texts, its tokenizer.

    Raises:
        InputError: weights that do not fit the backbone as it is registered now.
    """
    refuse_large_inputs(path, card.spec)
    network = _untrained(path, card)
    tokenizer = parse_tokenizer(encoder, path, card.spec) if card.modality == "text" else None
    try:
        normaliser = PadTokens() if tokenizer else Normaliser(weights["mean"], weights["std"])
        student = Student(network, normaliser, tokenizer)
        student.load_state_dict(weights)
    except (AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        raise InputError(
            f"{path}: its weights do not fit backbone {card.backbone.kind!r} as it is registered now "
            f"({str(error).strip().splitlines()[-1].strip()})"
        ) from error
    return student


def usage(file: str, card: Card) -> Usage:
    """Show how the weights are loaded without this package."""
    encoder = ', "encoder.json": content["encoder"]' if card.encoding else ""
    return Usage(
        packages=("torch",),
        imports=("import torch",),
        load=(
            f"content = torch.load({json.dumps(file)}, weights_only=True)",
            'weights = content["state_dict"]',
            f'extra = {{"card.json": content["card"]{encoder}}}',
        ),
        more=WEIGHTS_ALONE,
    )


def _loaded(path: Path) -> dict[str, Any]:
    check_archive(path)
    try:
        content = read_archive(path)
    except (OSError, ValueError) as error:
        raise InputError(foreign(path)) from error
    if isinstance(content, dict) and "selector" in content:
        raise InputError(f"{path} is the checkpoint of a run, not a student file: cgl export {path} makes one")
    if not isinstance(content, dict) or not {"format", "card", "state_dict"} <= content.keys():
        raise InputError(foreign(path))
    weights, plain = content["state_dict"], (content["format"], content["card"], content.get("encoder", ""))
    right = list(map(type, plain)) == [int, str, str] and isinstance(weights, dict)
    if not right or not all(isinstance(value, Tensor) for value in weights.values()):
        raise InputError(foreign(path))
    return content


def _untrained(path: Path, card: Card) -> nn.Sequential:
    """Build the layers of a student by its card, with weights that are about to be replaced."""
    kind, plugins = card.backbone.kind, card.plugins
    if kind not in BACKBONES:
        hint = f"import its plugin {choices(plugins)} first (--plugin)" if plugins else "its plugin is not known"
        raise InputError(f"{path}: backbone {kind!r} is not registered; {hint}")
    tree = {"backbone": {"kind": kind, **card.backbone.options}}
    try:
        part = specialise(_Rebuilt, tree, {"backbone": BACKBONES}).model_validate_json(json.dumps(tree)).backbone
        backbone = BACKBONES.build(part, card.spec, len(card.classes))
        layers = modular_layers(backbone)
        refuse_large_layers(path, layers, [1] * len(layers))
        with torch.random.fork_rng(devices=[]):
            return nn.Sequential(*(build() for build in layers))
    except ValidationError as error:
        faults = ", ".join(".".join(map(str, fault["loc"])) for fault in error.errors())
        raise InputError(f"{path}: backbone {kind!r} does not take the options of the card ({faults})") from error
    except InputError:
        raise
    except Exception as error:
        raise InputError(
            f"{path}: backbone {kind!r} cannot be built here ({first_line(error)}); a student that cgl export writes "
            "in the format 'pt2' is read without its backbone, and without the files that this one needs"
        ) from error
