"""Texts as they come: on the command line, in files with one per line, from standard input; and their answers."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from cgl_ignite.errors import InputError, Unreadable
from cgl_ignite.student.network import tokenizer_of
from cgl_ignite.student.score import ROWS, finite

__all__ = ["answer_texts", "read_texts"]

STANDARD_INPUT = "-"


def read_texts(given: Iterable[str]) -> list[str | Unreadable]:
    """Collect texts: of a ``.txt`` file each line, of ``-`` each line of standard input, else what is given.

    In the place of a file that cannot be read, or is no ``.txt``, stands what is wrong with it.

    Raises:
        InputError: nothing at all to read.
    """
    found = [text for one in given for text in _attempt(one)]
    if not found:
        raise InputError("there is no line to read in what was given")
    return found


def answer_texts(student: nn.Module, texts: Sequence[str], device: torch.device | str = "cpu") -> Tensor:
    """Return the logits of texts, on the CPU; those of about the same length are read together.

    Shape: result float32 (N, classes).

    Raises:
        InputError: a student of images, or one with damaged weights.
    """
    tokenizer = tokenizer_of(student)
    if tokenizer is None:
        raise InputError("the student has no tokenizer: it reads no texts")
    order = sorted(range(len(texts)), key=lambda number: len(texts[number]))
    parts = []
    with torch.inference_mode():
        for start in range(0, len(order), ROWS):
            tokens = tokenizer.encode([texts[number] for number in order[start : start + ROWS]])
            parts.append(student(tokens.to(device)).cpu())
    return finite(torch.cat(parts))[torch.tensor(order).argsort()]


def _attempt(given: str) -> Sequence[str | Unreadable]:
    try:
        return _texts(given)
    except Unreadable as fault:
        return [fault]


def _texts(given: str) -> list[str]:
    if given == STANDARD_INPUT:
        return _lines(sys.stdin.buffer.read(), "standard input")
    path = Path(given)
    single_word = len(given.split()) == 1
    if path.suffix == ".txt" and (single_word or _is_there(path)):
        try:
            return _lines(path.read_bytes(), given)
        except OSError as error:
            raise Unreadable(given, f"cannot be read: {error.strerror}") from error
    if given.strip() and _is_there(path):
        raise Unreadable(given, "is no text but a file or folder; files of texts end with .txt and hold one per line")
    if not given.isascii() and any("\ud800" <= character <= "\udfff" for character in given):
        raise Unreadable(ascii(given), "is not UTF-8 text")
    return [given]


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def _lines(content: bytes, name: str) -> list[str]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise Unreadable(name, f"is not UTF-8 text in line {line} (byte {error.start})") from error
    lines = text.removesuffix("\n").split("\n") if text else []
    return [line.removesuffix("\r") for line in lines]
