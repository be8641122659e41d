"""A student of texts as a model of MLflow: raw strings in, labels and probabilities out.

MLflow stores this file with the model and runs it; it needs PyTorch, and SentencePiece where that makes the token
ids, but not this package. See https://mlflow.org/docs/latest/ml/model/models-from-code.
"""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Callable, Sequence
from typing import Any

import mlflow
import pandas as pd
import torch
from mlflow.pyfunc import PythonModel, PythonModelContext
from torch import Tensor

__all__ = ["PROGRAM", "TextModel"]

PROGRAM = "program"
"""The name of the artifact that holds the student, its card and its encoder: a ``pt2`` file."""

ROWS = 128
Tokens = Callable[[Sequence[str]], list[list[int]]]


class TextModel(PythonModel):  # type: ignore[misc]
    """Answers a column of texts with a row each: label, its probability, and the probabilities of all classes."""

    def load_context(self, context: PythonModelContext) -> None:
        """Read the program, the names of the classes and the encoder."""
        extra = {"card.json": "", "encoder.json": ""}
        self.program = torch.export.load(context.artifacts[PROGRAM], extra_files=extra).module()
        self.classes = json.loads(extra["card.json"])["classes"]
        state = json.loads(extra["encoder.json"])
        self.length, self.full = state["length"], state["pad"] == "full"
        self.tokens = _READERS[state["kind"]](state)

    def predict(self, context: PythonModelContext, model_input: pd.DataFrame) -> pd.DataFrame:
        """Name the class of each text; MLflow makes a table of whatever it is given."""
        texts = list(map(str, model_input.iloc[:, 0]))
        with torch.inference_mode():
            parts = [self.program(self._encode(texts[i : i + ROWS])) for i in range(0, len(texts), ROWS)]
        shares = torch.cat(parts).softmax(1) if parts else torch.zeros(0, len(self.classes))
        best = shares.max(1)
        return pd.DataFrame(
            {
                "label": [self.classes[number] for number in best.indices.tolist()],
                "probability": best.values.tolist(),
                "probabilities": shares.tolist(),
            }
        )

    def _encode(self, texts: Sequence[str]) -> Tensor:
        rows = [row[: self.length] for row in self.tokens(texts)]
        width = self.length if self.full else max(1, *map(len, rows))
        return torch.tensor([row + [0] * (width - len(row)) for row in rows])


def _characters(state: dict[str, Any]) -> Tokens:
    ids = {character: number for number, character in enumerate(state["alphabet"], start=2)}
    ids |= {character.upper(): number for character, number in ids.items()}
    ids |= dict.fromkeys("\t\n\v\f\r", ids.get(" ", 1))
    return lambda texts: [[ids.get(character, 1) for character in text] for text in texts]


def _sentencepiece(state: dict[str, Any]) -> Tokens:
    from sentencepiece import SentencePieceProcessor

    processor = SentencePieceProcessor(model_proto=b64decode(state["model"]["base64"]))
    return lambda texts: processor.encode(list(texts))  # type: ignore[no-any-return]


_READERS: dict[str, Callable[[dict[str, Any]], Tokens]] = {"characters": _characters, "sentencepiece": _sentencepiece}

mlflow.models.set_model(TextModel())
