"""The formats in which a student leaves the package. PyTorch is imported when one is written or read, not before."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from cgl_ignite.errors import InputError
from cgl_ignite.registry import Registry

__all__ = ["EXPORT_FORMATS", "check_name", "import_needed", "names_with"]

Writer = Callable[[Any, Any], bytes]
"""Makes the content of a file of a student and its card."""

EXPORT_FORMATS: Registry[Writer] = Registry("format")
"""Writers by name.

Facts of each: ``suffix`` of its files; ``help``, what they are good for in a few words; and where it has them:

- ``module``: reads it back for :func:`cgl_ignite.student.read_student`, by its functions ``is_one(path)``, which tells
  such a file from all others, and ``read(path, device)``. By ``usage(file, card)`` it shows how to load a file without
  this package (:class:`cgl_ignite.student.readme.Usage`).
- ``program``: True if it holds what the student computes, not weights for a backbone that must be known. Then it is
  compared with the student when it is exported.
- ``int8``: the module that quantises such a program, by its function ``quantise(content, student, card, splits)``
  (:func:`cgl_ignite.student.int8.quantise`); it takes the same packages.
- ``needs``: the packages that writing takes, and ``extra``, the one of this package that installs them;
  ``reads_with``, the packages that reading takes.
"""


def check_name(path: Path, form: str) -> None:
    """Make sure that a file of a format is not named as those of another.

    Raises:
        InputError: it is.
    """
    suffixes = {kind: str(EXPORT_FORMATS.facts(kind)["suffix"]) for kind in EXPORT_FORMATS.kinds()}
    others = [kind for kind, suffix in suffixes.items() if path.name.endswith(suffix)]
    if others and form not in others:
        raise InputError(
            f"{path}: its name is one of format {others[0]!r}, but its content is of format {form!r}, whose files end "
            f"with {suffixes[form]}"
        )


def import_needed(form: str, fact: str) -> None:
    """Make sure that the packages are installed that a format takes for writing (``needs``) or ``reads_with``.

    Raises:
        InputError: one cannot be imported.
    """
    facts = EXPORT_FORMATS.facts(form)
    try:
        for package in facts.get(fact, ()):
            import_module(package)
    except ImportError as error:
        remedy = f": pip install 'cgl_ignite[{facts['extra']}]'" if "extra" in facts else ""
        raise InputError(f"format {form!r} needs a package that cannot be imported ({error}){remedy}") from error


def names_with(fact: str) -> list[str]:
    """Name the formats that have a fact."""
    return [name for name in EXPORT_FORMATS.kinds() if EXPORT_FORMATS.facts(name).get(fact)]


def _register(name: str, module: str, **facts: Any) -> None:
    def write(student: Any, card: Any) -> bytes:
        return bytes(import_module(module).write(student, card))

    EXPORT_FORMATS.register(name, module=module, **facts)(write)


_register("state", "cgl_ignite.student.weights", suffix=".pt", help="weights, read with cgl_ignite")
_register(
    "pt2",
    "cgl_ignite.student.program",
    suffix=".pt2",
    program=True,
    help="a program for PyTorch alone, from pixels or token ids to logits",
)
_register(
    "onnx",
    "cgl_ignite.student.onnx",
    suffix=".onnx",
    program=True,
    int8="cgl_ignite.student.int8",
    needs=("onnx", "onnxscript", "onnxruntime"),
    reads_with=("onnxruntime",),
    extra="onnx",
    help="the same program for ONNX Runtime and others",
)
_register(
    "safetensors",
    "cgl_ignite.student.tensors",
    suffix=".safetensors",
    needs=("safetensors",),
    reads_with=("safetensors",),
    extra="safetensors",
    help="weights that many libraries read",
)
