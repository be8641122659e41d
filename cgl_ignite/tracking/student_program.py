"""A student as a model of MLflow: pixels or raw strings in, labels and probabilities out.

MLflow stores this file with the model and runs it; it needs PyTorch, and SentencePiece where that makes the token
ids, but not this package, unless a plugin's encoding does. See
https://mlflow.org/docs/latest/ml/model/models-from-code.
"""

from __future__ import annotations

import importlib
import json
from base64 import b64decode
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import torch
from mlflow.exceptions import MlflowException
from mlflow.pyfunc.model import PythonModel, PythonModelContext
from torch import Tensor

__all__ = ["PROGRAM", "StudentProgram", "parse_encode", "pixels_of", "texts_of"]

PROGRAM = "program"
"""The name of the artifact that holds the student, its card and its tokenizer: a ``pt2`` file."""

ROWS = 128
Encode = Callable[[Sequence[str]], Tensor]


class StudentProgram(PythonModel):
    """Answers images or texts with a row each: label, its probability, and the probabilities of all classes.

    Where rows have several labels, label and probability are lists, of all labels above 0.5.
    """

    def load_context(self, context: PythonModelContext) -> None:
        """Read the program, the names of the classes and, of texts, the tokenizer."""
        extra = {"card.json": "", "encoder.json": ""}
        self.program = torch.export.load(context.artifacts[PROGRAM], extra_files=extra).module()
        card = json.loads(extra["card.json"])
        self.name = _NAMED[card.get("task", "single_label")]
        self.classes, self.shape = card["classes"], tuple(card["shape"])
        self.encode = parse_encode(extra["encoder.json"], card["plugins"]) if card["modality"] == "text" else None

    def predict(
        self, context: PythonModelContext, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """Name the class of each image or text; MLflow passes on an array, or without a schema whatever it is given."""
        given: Any = texts_of(model_input) if self.encode else pixels_of(model_input, self.shape)
        ready = self.encode or (lambda pixels: torch.from_numpy(pixels).float() / 255)
        with torch.inference_mode():
            parts = [self.program(ready(given[i : i + ROWS])) for i in range(0, len(given), ROWS)]
        return self.name(torch.cat(parts) if parts else torch.zeros(0, len(self.classes)), self.classes)


def pixels_of(given: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Check what a model of images is given: pixels from 0 to 255, as image files hold them.

    Shape: result uint8 (N, channels, height, width).

    Raises:
        MlflowException: values of another type, or another shape.
    """
    pixels = np.asarray(given)
    if pixels.dtype != np.uint8 or pixels.shape[1:] != shape:
        wanted = " x ".join(map(str, ("N", *shape)))
        raise MlflowException.invalid_parameter_value(
            f"the model reads pixels from 0 to 255 as uint8 of {wanted}, not {pixels.dtype} of shape {pixels.shape}"
        )
    return np.ascontiguousarray(pixels)


def texts_of(given: Any) -> list[str]:
    """Take the texts out of what a model is given.

    Of a table with several columns, the one named ``text`` is read, or else the only one that holds strings.

    Raises:
        MlflowException: a value that is missing or no text, with its row; a table without one such column.
    """
    given = [given] if isinstance(given, (str, Mapping)) and not _holds_columns(given) else given
    column = given if isinstance(given, pd.Series) else _column(pd.DataFrame(given))
    for row, text in enumerate(column):
        if not isinstance(text, str):
            fault = "is missing" if pd.isna(text) else f"is not a text but {text!r}"
            raise MlflowException.invalid_parameter_value(f"row {row} (the first is 0) {fault}")
    return list(column)


def _holds_columns(given: str | Mapping[str, Any]) -> bool:
    return isinstance(given, Mapping) and not any(isinstance(value, str) for value in given.values())


def _column(table: pd.DataFrame) -> pd.Series:
    if table.shape[1] <= 1:
        return table.iloc[:, 0] if table.shape[1] else pd.Series(dtype=object)
    places = [number for number, name in enumerate(table.columns) if name == "text"]
    places = places or [number for number in range(table.shape[1]) if _is_text(table.iloc[:, number])]
    if len(places) != 1:
        names = ", ".join(repr(str(name)) for name in table.columns)
        raise MlflowException.invalid_parameter_value(
            f"which column holds the texts? The table has {names}; name one of them 'text', or give it alone"
        )
    return table.iloc[:, places[0]]


def _is_text(column: pd.Series) -> bool:
    held = column.dropna()
    return len(held) > 0 and all(isinstance(value, str) for value in held)


def parse_encode(text: str, plugins: Sequence[str] = ()) -> Encode:
    """Make what turns texts into token ids, int64 (N, T), from the JSON that a student carries."""
    state = json.loads(text)
    own = _ENCODERS.get(state["kind"])
    return own(state) if own else _plugged(text, plugins)


def _characters(state: dict[str, Any]) -> Encode:
    ids = {character: number for number, character in enumerate(state["alphabet"], start=2)}
    ids |= {character.upper(): number for character, number in ids.items()}
    ids |= dict.fromkeys("\t\n\v\f\r", ids.get(" ", 1))
    return lambda texts: _padded([[ids.get(character, 1) for character in text] for text in texts], state)


def _sentencepiece(state: dict[str, Any]) -> Encode:
    from sentencepiece import SentencePieceProcessor

    processor = SentencePieceProcessor(model_proto=b64decode(state["model"]["base64"]))
    return lambda texts: _padded(processor.encode(list(texts)), state)


def _padded(rows: Sequence[list[int]], state: dict[str, Any]) -> Tensor:
    kept = [row[: state["length"]] for row in rows]
    width = state["length"] if state["pad"] == "full" else max(1, *map(len, kept))
    return torch.tensor([row + [0] * (width - len(row)) for row in kept])


def _plugged(text: str, plugins: Sequence[str]) -> Encode:
    for plugin in plugins:
        importlib.import_module(plugin)
    from cgl_ignite.data import parse_tokenizer

    return parse_tokenizer(text, PROGRAM).encode


def _one_class(logits: Tensor, classes: Sequence[str]) -> pd.DataFrame:
    shares = logits.softmax(1)
    best = shares.max(1)
    labels = [classes[number] for number in best.indices.tolist()]
    return pd.DataFrame({"label": labels, "probability": best.values.tolist(), "probabilities": shares.tolist()})


def _all_labels(logits: Tensor, classes: Sequence[str]) -> pd.DataFrame:
    shares = logits.sigmoid().tolist()
    labels = [[name for name, share in zip(classes, row, strict=True) if share > 0.5] for row in shares]
    likely = [[share for share in row if share > 0.5] for row in shares]
    return pd.DataFrame({"label": labels, "probability": likely, "probabilities": shares})


_NAMED = {"single_label": _one_class, "multi_label": _all_labels}
_ENCODERS: dict[str, Callable[[dict[str, Any]], Encode]] = {"characters": _characters, "sentencepiece": _sentencepiece}

mlflow.models.set_model(StudentProgram())
