"""A student as a ``torch.export`` program: the format ``pt2``, which runs without this package.

A program maps pixels or token ids to logits. Raw text still needs the tokenizer, which lies in the file as JSON.

A program runs what it holds; as PyTorch says of :func:`torch.export.load`, read only those whose origin you trust.
"""

from __future__ import annotations

import copy
import io
import json
import logging
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram
from torch.export.passes import move_to_device_pass

from cgl_ignite.data import dump_tokenizer, parse_tokenizer
from cgl_ignite.errors import InputError, first_line
from cgl_ignite.pool.limits import refuse_large_inputs
from cgl_ignite.student.card import FORMAT, Card, foreign
from cgl_ignite.student.network import Program, Student, example_inputs

__all__ = ["CARD", "read", "write"]

CARD, _NUMBER, _ENCODER = "card.json", "format", "encoder.json"


def write(student: Student, card: Card) -> bytes:
    """Return the content of a file with the program of a student, its card and its tokenizer.

    Raises:
        InputError: a backbone that cannot be made a program.
    """
    network, example = copy.deepcopy(student).cpu(), torch.from_numpy(example_inputs(card))
    free: dict[int, Any] = {0: Dim("batch", min=1)}
    if student.tokenizer is not None and student.tokenizer.pad == "batch" and card.shape[0] > 1:
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
    extra = {CARD: card.model_dump_json(), _NUMBER: str(FORMAT)}
    if student.tokenizer is not None:
        extra[_ENCODER] = dump_tokenizer(student.tokenizer)
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


def read(path: Path, device: torch.device | str) -> tuple[nn.Module, Card]:
    """Read what :func:`write` has written.

    Raises:
        InputError: a program of another PyTorch.
    """
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        folder = next(name for name in names if name.endswith(f"/extra/{CARD}")).removesuffix(CARD)
        extra = {name.removeprefix(folder): archive.read(name) for name in names if name.startswith(folder)}
    try:
        number = json.loads(extra[_NUMBER])
    except (KeyError, ValueError) as error:
        raise InputError(foreign(path)) from error
    card = Card.parse(path, number, extra[CARD])
    refuse_large_inputs(path, card.spec)
    tokenizer = parse_tokenizer(extra[_ENCODER], path, card.spec) if _ENCODER in extra else None
    try:
        with path.open("rb") as file, warnings.catch_warnings(), _silent(logging.getLogger("torch.export")):
            warnings.filterwarnings("ignore", "The given buffer is not writable", UserWarning)
            program = move_to_device_pass(torch.export.load(file), device).module()
    except Exception as error:
        raise InputError(
            f"{path}: PyTorch {torch.__version__} cannot read the program; it was written with {card.torch} "
            f"({type(error).__name__}: {first_line(error)})"
        ) from error
    return Program(program, tokenizer), card


@contextmanager
def _silent(logger: logging.Logger) -> Iterator[None]:
    """Keep back what a library logs of an error that it raises as well."""
    before = logger.disabled
    logger.disabled = True
    try:
        yield
    finally:
        logger.disabled = before
