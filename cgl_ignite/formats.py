"""The formats in which a student leaves the package. PyTorch is imported when one is written, not before."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from cgl_ignite.registry import Registry

__all__ = ["EXPORT_FORMATS"]

Writer = Callable[[Any, Any], bytes]
"""Makes the content of a file of a student and its card."""

EXPORT_FORMATS: Registry[Writer] = Registry("format")
"""Writers by name.

Facts of each: ``suffix`` of its files; ``help``, what they are good for in a few words; ``readable``, True if
:func:`cgl_ignite.student.read_student` reads them.
"""


def _written_by(module: str) -> Writer:
    return lambda student, card: bytes(import_module(module).write(student, card))


EXPORT_FORMATS.register("state", suffix=".pt", readable=True, help="weights, read with cgl_ignite")(
    _written_by("cgl_ignite.student.weights")
)
EXPORT_FORMATS.register(
    "pt2", suffix=".pt2", readable=True, help="a program for PyTorch alone, from pixels or token ids to logits"
)(_written_by("cgl_ignite.student.program"))
