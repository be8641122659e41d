"""A data set of tokens, and a Transformer for them, registered while these tests run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from cgl_ignite.backbones import Backbone
from cgl_ignite.data import DataSource, Examples
from cgl_ignite.data.base import Rows
from cgl_ignite.data.encoding import Preprocessor
from cgl_ignite.data.normalise import PadTokens
from cgl_ignite.spec import InputSpec
from tests.equivalence.methods.networks import HEADS, HIDDEN, POSITIONS, TOKENS, WIDTH

CLASSES = 4
SPEC = InputSpec("text", (POSITIONS,), TOKENS)
FACTS: dict[str, Any] = {
    "title": "Toy",
    "shape": (POSITIONS,),
    "classes": CLASSES,
    "rows": (80, 20),
    "files": None,
    "where": "here",
}


class Embedding(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.tokens = nn.Embedding(TOKENS, WIDTH)
        self.places = nn.Parameter(torch.zeros(POSITIONS, WIDTH))

    def forward(self, values: Tensor) -> Tensor:
        tokens: Tensor = self.tokens(values)
        return tokens + self.places


class Head(nn.Module):
    def __init__(self, classes: int) -> None:
        super().__init__()
        self.linear = nn.Linear(WIDTH, classes)

    def forward(self, values: Tensor) -> Tensor:
        logits: Tensor = self.linear(values.mean(dim=1))
        return logits


def block() -> nn.Module:
    return nn.TransformerEncoderLayer(WIDTH, HEADS, HIDDEN, dropout=0.0, batch_first=True)


def toy_transformer(spec: InputSpec, classes: int) -> Backbone:
    """Two stages of two layers: embedding and block, block and block."""
    return Backbone(
        (Embedding, block, block, block),
        lambda: Head(classes),
        stages=(2, 2),
        to_vector=lambda values: values.mean(dim=1),
    )


def toy_tokens(root: Path) -> DataSource:
    generator = torch.Generator().manual_seed(0)

    def rows(count: int) -> Examples:
        tokens = torch.randint(TOKENS, (count, POSITIONS), generator=generator, dtype=torch.uint8)
        return Examples(tokens, torch.arange(count) % CLASSES)

    return DataSource(rows(80), lambda: rows(20), tuple("abcd"), SPEC)


class Ids:
    """The data set holds token ids; nothing is left to encode."""

    spec = SPEC

    def targets(self, part: Rows) -> Tensor:
        return examples_of(part).targets

    def fit(self, source: DataSource, training: Tensor) -> Preprocessor:
        return Preprocessor(
            SPEC, read=lambda part, rows: examples_of(part).take(rows), normaliser=lambda train: PadTokens()
        )


def examples_of(part: Rows) -> Examples:
    assert isinstance(part, Examples)
    return part


def toy_ids() -> Ids:
    return Ids()
