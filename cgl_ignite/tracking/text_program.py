"""A student of texts as a model of MLflow: raw strings in, labels and probabilities out.

MLflow stores this file with the model and runs it; it needs PyTorch, and SentencePiece where that makes the token
ids, but not this package, unless a plugin's encoding does. See
https://mlflow.org/docs/latest/ml/model/models-from-code.
"""

from __future__ import annotations

import importlib
import json
from base64 import b64decode
from collections.abc import Callable, Sequence
from typing import Any

import mlflow
import pandas as pd
import torch
from mlflow.pyfunc.model import PythonModel, PythonModelContext
from torch import Tensor

__all__ = ["PROGRAM", "TextModel", "encoder_of"]

PROGRAM = "program"
"""The name of the artifact that holds the student, its card and its encoder: a ``pt2`` file."""

ROWS = 128
Encode = Callable[[Sequence[str]], Tensor]


class TextModel(PythonModel):
    """Answers a column of texts with a row each: label, its probability, and the probabilities of all classes."""

    def load_context(self, context: PythonModelContext) -> None:
        """Read the program, the names of the classes and the encoder."""
        extra = {"card.json": "", "encoder.json": ""}
        self.program = torch.export.load(context.artifacts[PROGRAM], extra_files=extra).module()
        card = json.loads(extra["card.json"])
        self.classes = card["classes"]
        self.encode = encoder_of(extra["encoder.json"], card["plugins"])

    def predict(
        self, context: PythonModelContext, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """Name the class of each text; MLflow makes a table of whatever it is given."""
        texts = list(map(str, model_input.iloc[:, 0]))
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


def encoder_of(text: str, plugins: Sequence[str] = ()) -> Encode:
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
    from cgl_ignite.data import parse_encoder

    return parse_encoder(text, PROGRAM).encode


_ENCODERS: dict[str, Callable[[dict[str, Any]], Encode]] = {"characters": _characters, "sentencepiece": _sentencepiece}

mlflow.models.set_model(TextModel())
