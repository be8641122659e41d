"""A student of texts as a model of MLflow: raw strings in, labels and probabilities out.

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
import pandas as pd
import torch
from mlflow.exceptions import MlflowException
from mlflow.pyfunc.model import PythonModel, PythonModelContext
from torch import Tensor

__all__ = ["PROGRAM", "TextModel", "parse_encode", "texts_of"]

PROGRAM = "program"
"""The name of the artifact that holds the student, its card and its tokenizer: a ``pt2`` file."""

ROWS = 128
Encode = Callable[[Sequence[str]], Tensor]


class TextModel(PythonModel):
    """Answers a column of texts with a row each: label, its probability, and the probabilities of all classes."""

    def load_context(self, context: PythonModelContext) -> None:
        """Read the program, the names of the classes and the tokenizer."""
        extra = {"card.json": "", "encoder.json": ""}
        self.program = torch.export.load(context.artifacts[PROGRAM], extra_files=extra).module()
        card = json.loads(extra["card.json"])
        self.classes = card["classes"]
        self.encode = parse_encode(extra["encoder.json"], card["plugins"])

    def predict(
        self, context: PythonModelContext, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """Name the class of each text; without a schema MLflow passes on whatever it is given, see :func:`texts_of`."""
        texts = texts_of(model_input)
        with torch.inference_mode():
            parts = [self.program(self.encode(texts[i : i + ROWS])) for i in range(0, len(texts), ROWS)]
        shares = torch.cat(parts).softmax(1) if parts else torch.zeros(0, len(self.classes))
        best = shares.max(1)
        return pd.DataFrame(
            {
                "label": [self.classes[number] for number in best.indices.tolist()],
                "probability": best.values.tolist(),
                "probabilities": shares.tolist(),
            }
        )


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


_ENCODERS: dict[str, Callable[[dict[str, Any]], Encode]] = {"characters": _characters, "sentencepiece": _sentencepiece}

mlflow.models.set_model(TextModel())
