"""Students in files: their weights (``state``), or a program that needs none of this package (``pt2``).

A ``state`` file is read with ``weights_only=True`` and runs nothing that it holds. A ``pt2`` file is a
program; as PyTorch says of :func:`torch.export.load`, read only those whose origin you trust.
"""

from __future__ import annotations

import copy
import io
import json
import zipfile
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from pydantic import ValidationError
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram
from torch.export.passes import move_to_device_pass

from cgl_ignite.backbones import BACKBONES
from cgl_ignite.config.schema import Chooses, Part, Table
from cgl_ignite.config.specialise import specialise
from cgl_ignite.data import Normaliser, TokenIds, dump_encoder, parse_encoder
from cgl_ignite.errors import InputError, choices, first_line
from cgl_ignite.pool import modular_layers
from cgl_ignite.student.card import Card
from cgl_ignite.student.network import Program, Student, example_inputs
from cgl_ignite.tracking.files import write_atomically

__all__ = ["Format", "read_student", "write_student"]

Format = Literal["state", "pt2"]
"""``state``: weights and card; ``pt2``: a ``torch.export`` program with the card in it."""

FORMAT = 1
_CARD, _NUMBER, _ENCODER = "card.json", "format", "encoder.json"


class _Rebuilt(Table):
    """The backbone of a card, with the types of its options."""

    backbone: Annotated[Part, Chooses("backbone")]


def write_student(path: Path, student: Student, card: Card, form: Format = "state") -> None:
    """Write a student and its card to a file, all of it or nothing.

    Raises:
        InputError: a file that cannot be written, or a backbone that cannot be made a program.
    """
    content = (_state if form == "state" else _program)(student, card)
    try:
        write_atomically(path, content)
    except OSError as error:
        raise InputError(f"cannot write {path} ({error.strerror})") from error


def read_student(path: Path, device: torch.device | str = "cpu") -> tuple[nn.Module, Card]:
    """Read a student from a file of either format: a module from pixels or token ids to logits, and its card.

    ``student.encoder`` makes token ids of texts; it is None for images.

    Raises:
        InputError: a file that is not there, is damaged, holds no student or one of a later version; a
            backbone that is not registered or has changed.
    """
    members = _members(path)
    found = next((name for name in members if name.endswith(f"/extra/{_CARD}")), None)
    return _read_state(path, device) if found is None else _read_program(path, found.removesuffix(_CARD), device)


def _state(student: Student, card: Card) -> bytes:
    weights = {name: value.detach().cpu() for name, value in student.state_dict().items()}
    buffer = io.BytesIO()
    content = {"format": FORMAT, "card": card.model_dump_json(), "state_dict": weights}
    if student.encoder is not None:
        content["encoder"] = dump_encoder(student.encoder)
    torch.save(content, buffer)
    return buffer.getvalue()


def _program(student: Student, card: Card) -> bytes:
    network, example = copy.deepcopy(student).cpu(), torch.from_numpy(example_inputs(card))
    free: dict[int, Any] = {0: Dim("batch", min=1)}
    if student.encoder is not None and student.encoder.pad == "batch" and card.shape[0] > 1:
        free[1] = Dim("length", min=1, max=card.shape[0])
    try:
        program = torch.export.export(network, (example,), dynamic_shapes={"inputs": free})
        _try_out(program, network, example, shorter=1 in free)
    except Exception as error:
        raise InputError(
            f"torch.export cannot turn backbone {card.backbone.kind!r} into a program ({first_line(error)}); "
            "write it in the format 'state'"
        ) from error
    buffer = io.BytesIO()
    extra = {_CARD: card.model_dump_json(), _NUMBER: str(FORMAT)}
    if student.encoder is not None:
        extra[_ENCODER] = dump_encoder(student.encoder)
    torch.export.save(program, buffer, extra_files=extra)
    return buffer.getvalue()


def _try_out(program: ExportedProgram, network: nn.Module, example: Tensor, *, shorter: bool) -> None:
    """Compare a program with its network on batches of other sizes than the example.

    Raises:
        ValueError: other answers.
    """
    for rows in (1, 3):
        inputs = example[[0, 1, 0][:rows]]
        inputs = inputs[:, : inputs.shape[1] - 1] if shorter else inputs
        with torch.inference_mode():
            found, expected = program.module()(inputs), network(inputs)
        if found.shape != expected.shape or not torch.allclose(
            found, expected, 1e-3, 1e-4 * float(expected.abs().max())
        ):
            raise ValueError(f"the program answers a batch of {rows} otherwise than the student")


def _members(path: Path) -> list[str]:
    """List the members of the archive that every student file is, after a look at its checksums."""
    try:
        with zipfile.ZipFile(path) as archive:
            broken = archive.testzip()
            names = archive.namelist()
    except OSError as error:
        raise InputError(f"cannot read {path} ({error.strerror})") from error
    except (zipfile.BadZipFile, EOFError) as error:
        raise InputError(f"{path}: not a student file, or damaged ({error})") from error
    if broken:
        raise InputError(f"{path}: damaged ({broken} does not have its checksum)")
    return names


def _read_state(path: Path, device: torch.device | str) -> tuple[nn.Module, Card]:
    content = _loaded(path)
    card = _card(path, content["format"], content["card"])
    network, weights = _untrained(path, card), content["state_dict"]
    encoder = parse_encoder(content.get("encoder", ""), path) if card.modality == "text" else None
    try:
        normaliser = TokenIds() if encoder else Normaliser(weights["mean"], weights["std"])
        student = Student(network, normaliser, encoder)
        student.load_state_dict(weights)
    except (KeyError, RuntimeError) as error:
        raise InputError(
            f"{path}: its weights do not fit backbone {card.backbone.kind!r} as it is registered now "
            f"({str(error).strip().splitlines()[-1].strip()})"
        ) from error
    return student.to(device), card


def _loaded(path: Path) -> dict[str, Any]:
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise InputError(f"{path}: not a student file, or damaged ({type(error).__name__})") from error
    if isinstance(content, dict) and "selector" in content:
        raise InputError(f"{path} is the checkpoint of a run, not a student file: cgl export {path} makes one")
    if not isinstance(content, dict) or not {"format", "card"} <= content.keys():
        raise InputError(f"{path}: not a student file (cgl export writes them)")
    return content


def _read_program(path: Path, folder: str, device: torch.device | str) -> tuple[nn.Module, Card]:
    with zipfile.ZipFile(path) as archive:
        extra = {name: archive.read(name) for name in archive.namelist() if name.startswith(folder)}
    card = _card(path, json.loads(extra[folder + _NUMBER]), extra[folder + _CARD])
    encoder = parse_encoder(extra[folder + _ENCODER], path) if folder + _ENCODER in extra else None
    try:
        with path.open("rb") as file:
            program = torch.export.load(file)
    except Exception as error:
        raise InputError(
            f"{path}: PyTorch {torch.__version__} cannot read the program; it was written with {card.torch} "
            f"({type(error).__name__}: {error})"
        ) from error
    return Program(move_to_device_pass(program, device).module(), encoder), card


def _card(path: Path, number: Any, text: str | bytes) -> Card:
    if number != FORMAT:
        raise InputError(
            f"{path}: a student file of format {number}, written by a later version; this one reads {FORMAT}"
        )
    try:
        return Card.model_validate_json(text)
    except ValidationError as error:
        faults = ", ".join(".".join(map(str, fault["loc"])) or "JSON" for fault in error.errors())
        raise InputError(f"{path}: the card of the student is not right ({faults})") from error


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
    except ValidationError as error:
        faults = ", ".join(".".join(map(str, fault["loc"])) for fault in error.errors())
        raise InputError(f"{path}: backbone {kind!r} does not take the options of the card ({faults})") from error
    with torch.random.fork_rng(devices=[]):
        return nn.Sequential(*(build() for build in modular_layers(backbone)))
