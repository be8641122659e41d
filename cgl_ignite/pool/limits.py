"""How much memory what a file describes would take, told before any of it is taken."""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cgl_ignite.backbones.base import LayerBuilder
from cgl_ignite.errors import InputError
from cgl_ignite.spec import InputSpec

__all__ = ["TIMES", "Damaged", "checked_members", "read_archive", "refuse_large_inputs", "refuse_large_layers"]

TIMES = 10
"""What a file describes may take this many times the file's own bytes."""
SMALL = 2**26
"""Bytes of one input that are always allowed."""


class Damaged(ValueError):
    """An archive whose contents are not those that were written."""


def checked_members(path: Path) -> list[str]:
    """Name the members of an archive, after a look at their sizes and checksums.

    Raises:
        OSError: the file cannot be read.
        Damaged: a member is not what was written, or becomes much larger when it is unpacked.
        ValueError: the file is no archive.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(member.file_size for member in archive.infolist()) > TIMES * path.stat().st_size:
                raise Damaged("its contents become much larger when they are unpacked")
            if broken := archive.testzip():
                raise Damaged(f"{broken} does not have its checksum")
            return archive.namelist()
    except (OSError, Damaged):
        raise
    except Exception as error:  # damaged in a way that only the library knows
        raise ValueError(f"no archive: {type(error).__name__}") from error


def read_archive(path: Path) -> Any:
    """Read what :func:`torch.save` has written: tensors and plain values only, and no more than the file holds.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is damaged, or holds something else.
    """
    checked_members(path)
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        larger = sum(tensor.nbytes for tensor in _tensors(content)) > TIMES * path.stat().st_size
    except Exception as error:
        raise ValueError(f"not what torch.save writes: {type(error).__name__}") from error
    if larger:
        raise Damaged("its tensors are much larger than the file")
    return content


def refuse_large_inputs(path: Path, spec: InputSpec) -> None:
    """Make sure that one input is no larger than a network in a file of this size may read.

    Raises:
        InputError: it is larger.
    """
    needed, most = 4, max(SMALL, TIMES * path.stat().st_size)
    for length in spec.shape:
        needed *= length
    if needed > most:
        form = " x ".join(map(str, spec.shape))
        raise InputError(f"{path}: its inputs of {form} would take {needed:,} bytes each, more than {most:,}")


def refuse_large_layers(path: Path, layers: Sequence[LayerBuilder], modules: Sequence[int]) -> None:
    """Make sure that the modules of each layer are not much larger together than the file that holds their weights.

    Raises:
        InputError: they are.
    """
    most, needed = TIMES * path.stat().st_size, 0
    for builder, count in zip(layers, modules, strict=True):
        with warnings.catch_warnings(), torch.device("meta"):
            warnings.simplefilter("ignore")  # of plugins that read weights, which are not copied here
            module = builder()
        needed += count * sum(tensor.nbytes for tensor in (*module.parameters(), *module.buffers()))
        if needed > most:
            raise InputError(
                f"{path}: its backbone would take {needed:,} bytes or more, and the file holds {most // TIMES:,}"
            )


def _tensors(content: Any) -> Iterator[Tensor]:
    left = [content]
    while left:
        value = left.pop()
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, Mapping):
            left += value.values()
        elif isinstance(value, (list, tuple)):
            left += value
