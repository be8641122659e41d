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

from cgl_ignite.errors import CglError, InputError, RunFailed, first_line, shortage
from cgl_ignite.student.archive import check_archive, members
from cgl_ignite.student.card import Card
from cgl_ignite.student.extra import CARD, ENCODER, extra_files, parse_extra
from cgl_ignite.student.network import Program, example_inputs, tokenizer_of
from cgl_ignite.student.readme import Usage

__all__ = ["export", "is_card", "is_one", "read", "reads_shorter", "refusal", "silent", "usage", "write"]


def write(student: nn.Module, card: Card) -> bytes:
    """Return the content of a file with the program of a student, its card and its tokenizer.

    Raises:
        InputError: a backbone that cannot be made a program.
    """
    buffer = io.BytesIO()
    torch.export.save(export(student, card), buffer, extra_files=extra_files(student, card))
    return buffer.getvalue()


def export(student: nn.Module, card: Card) -> ExportedProgram:
    """Make a program of a student, for any number of inputs and, if its tokenizer pads by batches, shorter texts.

    Raises:
        InputError: a backbone that cannot be made a program.
        RunFailed: memory or disk space that is short.
    """
    network, example = copy.deepcopy(student).cpu(), torch.from_numpy(example_inputs(card))
    free: dict[int, Any] = {0: Dim("batch", min=1)}
    if reads_shorter(student, card):
        free[1] = Dim("length", min=1, max=card.shape[0])
    try:
        program = torch.export.export(network, (example,), dynamic_shapes={"inputs": free})
        _try_out(program, network, example, shorter=1 in free)
    except Exception as error:
        told = f"torch.export cannot turn backbone {card.backbone.kind!r} into a program"
        raise refusal(error, told, "write it in the format 'state'") from error
    return program


def refusal(error: Exception, told: str, instead: str) -> CglError:
    """Say that a library made no program of a student, and what helps: if memory or disk space is short, more of it."""
    if missing := shortage(error):
        return RunFailed(f"{told}: {missing}; free some, and export it again")
    return InputError(f"{told} ({first_line(error)}); {instead}")


def reads_shorter(student: nn.Module, card: Card) -> bool:
    """Tell whether a student of texts reads batches of any length up to its own."""
    tokenizer = tokenizer_of(student)
    return tokenizer is not None and tokenizer.pad == "batch" and card.shape[0] > 1


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


def is_card(name: str) -> bool:
    """Tell whether a member of an archive is the card of a program."""
    return name.endswith(f"/extra/{CARD}")


def is_one(path: Path) -> bool:
    """Tell whether a file is a program with a card."""
    return any(is_card(name) for name in members(path))


def read(path: Path, device: torch.device | str) -> tuple[nn.Module, Card]:
    """Read what :func:`write` has written.

    Raises:
        InputError: a program of another PyTorch.
    """
    check_archive(path)
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        folder = next(filter(is_card, names)).removesuffix(CARD)
        extra = {name.removeprefix(folder): archive.read(name) for name in names if name.startswith(folder)}
    card, tokenizer = parse_extra(path, extra)
    try:
        with path.open("rb") as file, warnings.catch_warnings(), silent(logging.getLogger("torch.export")):
            warnings.filterwarnings("ignore", "The given buffer is not writable", UserWarning)
            program = move_to_device_pass(torch.export.load(file), device).module()
    except Exception as error:
        raise InputError(
            f"{path}: PyTorch {torch.__version__} cannot read the program; it was written with {card.torch} "
            f"({type(error).__name__}: {first_line(error)})"
        ) from error
    return Program(program, tokenizer), card


def usage(file: str, card: Card) -> Usage:
    """Show how a program is loaded without this package."""
    extra = {CARD: "", **({ENCODER: ""} if card.encoding else {})}
    return Usage(
        packages=("torch",),
        imports=("import torch",),
        load=(
            f"extra = {json.dumps(extra)}",
            f"program = torch.export.load({json.dumps(file)}, extra_files=extra).module()",
        ),
        answer="program(torch.from_numpy(inputs)).numpy(force=True)",
    )


@contextmanager
def silent(logger: logging.Logger) -> Iterator[None]:
    """Keep back what a library logs of an error that it raises as well."""
    before = logger.disabled
    logger.disabled = True
    try:
        yield
    finally:
        logger.disabled = before
