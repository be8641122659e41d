"""A student as an ONNX program: the format ``onnx``, which ONNX Runtime runs without this package and without PyTorch.

The program maps pixels or token ids to logits. Its metadata are the card, the tokenizer and a sha256 of the file.
"""

from __future__ import annotations

import json
import logging
import warnings
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from cgl_ignite.errors import InputError, first_line
from cgl_ignite.student.card import Card, foreign
from cgl_ignite.student.extra import CARD, extra_files, parse_extra
from cgl_ignite.student.network import Program
from cgl_ignite.student.program import export, refusal, silent
from cgl_ignite.student.readme import Usage
from cgl_ignite.student.seal import PLACE, check_seal, seal

__all__ = ["INPUTS", "finish", "is_one", "read", "usage", "write"]

_DIGEST = "sha256"
_FIRST_FIELD = b"\x08"
"""An ONNX file begins with the version of its representation, field 1 of its message."""
_SEVERE = 3
INPUTS = "inputs"
"""The name of what a program reads."""


def write(student: nn.Module, card: Card) -> bytes:
    """Return the content of a file with the program of a student, its card and its tokenizer.

    Raises:
        InputError: a backbone that cannot be made such a program.
        RunFailed: memory or disk space that is short.
    """
    program = export(student, card)
    try:
        with (
            warnings.catch_warnings(),
            silent(logging.getLogger("torch.onnx")),
            silent(logging.getLogger("onnxscript")),
        ):
            warnings.simplefilter("ignore")
            exported = torch.onnx.export(
                program,
                dynamo=True,
                verbose=False,
                input_names=[INPUTS],
                output_names=["logits"],
                custom_translation_table={torch.ops.aten.sort.stable: _sort},
            )
        assert exported is not None
        model = exported.model_proto
        _name_dimensions(model.graph)
        _forget_source(model.graph)
        for function in model.functions:
            _forget_source(function)
        return finish(model, student, card)
    except Exception as error:
        told = f"torch.onnx cannot turn backbone {card.backbone.kind!r} into a program"
        raise refusal(error, told, "write it in the format 'pt2'") from error


def finish(model: Any, student: nn.Module, card: Card) -> bytes:
    """Return the content of a file with a program: its metadata become the card, the tokenizer and a sha256."""
    del model.metadata_props[:]
    for name, text in {**extra_files(student, card), _DIGEST: PLACE}.items():
        model.metadata_props.add(key=name, value=text)
    return seal(model.SerializeToString())


def _sort(values: Any, *, stable: bool = True, dim: int = -1, descending: bool = False) -> Any:
    """Sort as PyTorch does with ``stable=True``: of equal values, ``TopK`` names the earlier one first."""
    onnxscript: Any = import_module("onnxscript")
    op = onnxscript.opset18
    return op.TopK(values, op.Gather(op.Shape(values), [dim]), axis=dim, largest=int(descending), sorted=1)


def _name_dimensions(graph: Any) -> None:
    """Call the dimensions that vary what they are: the batch, and the length of texts."""
    sizes = graph.input[0].type.tensor_type.shape.dim
    names = {size.dim_param: name for size, name in zip(sizes, ("batch", "length"), strict=False) if size.dim_param}
    for value in (*graph.input, *graph.output, *graph.value_info):
        for size in value.type.tensor_type.shape.dim:
            if size.dim_param in names:
                size.dim_param = names[size.dim_param]


def _forget_source(graph: Any) -> None:
    """Take out the lines of source that each operation came from, with the paths of this machine."""
    for part in (*graph.node, *graph.value_info):
        del part.metadata_props[:]
        part.doc_string = ""


def is_one(path: Path) -> bool:
    """Tell whether a file begins as an ONNX program and names a card."""
    with path.open("rb") as file:
        return file.read(1) == _FIRST_FIELD and CARD.encode() in file.read()


def read(path: Path, device: torch.device | str) -> tuple[nn.Module, Card]:
    """Read what :func:`write` has written; it runs on the CPU, whatever the device of its inputs.

    Raises:
        InputError: a file that was damaged or changed, or a program that ONNX Runtime cannot run.
    """
    from onnxruntime import InferenceSession, SessionOptions

    content = path.read_bytes()
    check_seal(path, content)
    options = SessionOptions()
    options.log_severity_level = _SEVERE
    try:
        session = InferenceSession(content, options, providers=["CPUExecutionProvider"])
        extra = session.get_modelmeta().custom_metadata_map
    except Exception as error:
        raise InputError(f"{path}: ONNX Runtime cannot read the program ({first_line(error)})") from error
    if CARD not in extra:
        raise InputError(foreign(path))
    card, tokenizer = parse_extra(path, extra)
    return Program(_Session(session, path), tokenizer), card


def usage(file: str, card: Card) -> Usage:
    """Show how a program is loaded without this package."""
    return Usage(
        packages=("onnxruntime",),
        imports=("import onnxruntime",),
        load=(
            f"session = onnxruntime.InferenceSession({json.dumps(file)})",
            "extra = session.get_modelmeta().custom_metadata_map",
        ),
        answer=f'session.run(None, {{"{INPUTS}": inputs}})[0]',
    )


class _Session(nn.Module):
    """An ONNX program as a module. Shape: inputs as of the student; result float32 (B, classes)."""

    def __init__(self, session: Any, path: Path) -> None:
        super().__init__()
        self.session, self.path = session, path

    def forward(self, inputs: Tensor) -> Tensor:
        try:
            (logits,) = self.session.run(None, {INPUTS: inputs.detach().cpu().numpy()})
        except Exception as error:
            raise InputError(f"{self.path}: ONNX Runtime cannot run the program ({first_line(error)})") from error
        return torch.from_numpy(logits).to(inputs.device)
