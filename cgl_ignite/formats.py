"""The formats in which a student leaves the package. PyTorch is imported when one is written, not before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from cgl_ignite.errors import InputError, choices, nearest

__all__ = ["EXPORT_FORMATS", "ExportFormat", "find_format"]


@dataclass(frozen=True)
class ExportFormat:
    """A kind of file for a student.

    Attributes:
        suffix: of its files.
        target: the writer, as ``module:function``; it makes the content of a file of a student and its card.
        help: what the file is good for, in a few words.
    """

    suffix: str
    target: str
    help: str

    def writer(self) -> Callable[[Any, Any], bytes]:
        """Import the writer."""
        module, _, function = self.target.partition(":")
        writer: Callable[[Any, Any], bytes] = getattr(import_module(module), function)
        return writer


EXPORT_FORMATS = {
    "state": ExportFormat(".pt", "cgl_ignite.student.weights:write", "weights, read with cgl_ignite"),
    "pt2": ExportFormat(".pt2", "cgl_ignite.student.program:write", "a program that needs PyTorch alone"),
}
"""By name; the first is the default."""


def find_format(name: str) -> ExportFormat:
    """Return a format.

    Raises:
        InputError: a name that no format has.
    """
    if name not in EXPORT_FORMATS:
        known = choices(EXPORT_FORMATS)
        raise InputError(f"unknown format {name!r}{nearest(name, EXPORT_FORMATS)} (known: {known})")
    return EXPORT_FORMATS[name]
