"""Random images in the shape of CIFAR-10 and random texts, for timing where the real ones are not at hand."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from cgl_ignite.data import DATASETS, ENCODINGS, Coder, DataSource, Encoding, Examples, TokenIds
from cgl_ignite.data.base import Rows
from cgl_ignite.data.encoding import Pad
from cgl_ignite.data.ragged import Ragged
from cgl_ignite.spec import InputSpec

__all__ = ["CHARACTERS", "SUBWORDS", "is_present", "synthetic", "synthetic_text", "synthetic_tokens"]

TEXTS = ("data.kind=synthetic_text", "data.holdout=2000", "data.encoding.kind=synthetic_tokens")
CHARACTERS = (*TEXTS, "data.encoding.length=1024", "data.encoding.vocabulary=69", "data.encoding.pad=full")
SUBWORDS = (*TEXTS, "data.encoding.length=512", "data.encoding.vocabulary=16000")
TEXT_ROWS, TEXT_CLASSES, IDS = 25_000, 5, 2**14
MEDIAN, SPREAD = 230, 0.6
"""Of the log-normal lengths: those of IMDB in pieces of words, nearly."""

SHAPE, CLASSES, ROWS, TEST_ROWS = (3, 32, 32), 10, 50_000, 10_000


def is_present(kind: str, root: Path) -> bool:
    """Tell whether the official files of a data set lie below the data root."""
    return bool(DATASETS.facts(kind)["files"].present(root))


@DATASETS.register(
    "synthetic",
    title="Random images",
    modality="image",
    shape=SHAPE,
    classes=CLASSES,
    rows=(ROWS, TEST_ROWS),
    files=None,
    where="drawn when they are asked for",
)
def synthetic(root: Path) -> DataSource:
    """Draw images and labels."""
    return DataSource(draw(ROWS), lambda: draw(TEST_ROWS), tuple(map(str, range(CLASSES))), InputSpec("image", SHAPE))


def draw(rows: int) -> Examples:
    """Draw as many examples."""
    generator = torch.Generator().manual_seed(rows)
    inputs = torch.randint(256, (rows, *SHAPE), generator=generator, dtype=torch.uint8)
    return Examples(inputs, torch.randint(CLASSES, (rows,), generator=generator))


@DATASETS.register(
    "synthetic_text",
    title="Random texts",
    modality="text",
    shape=None,
    classes=TEXT_CLASSES,
    rows=(TEXT_ROWS, TEXT_ROWS),
    files=None,
    where="drawn when they are asked for",
)
def synthetic_text(root: Path) -> DataSource:
    """Draw texts of different lengths, as numbers that :func:`synthetic_tokens` makes tokens of."""
    generator = torch.Generator().manual_seed(0)
    lengths = (MEDIAN * torch.randn(TEXT_ROWS, generator=generator).mul(SPREAD).exp()).long().clamp(min=1)
    numbers = torch.randint(IDS, (int(lengths.sum()) + 1,), generator=generator, dtype=torch.int16)
    texts = Ragged(numbers, 1 + lengths.cumsum(0) - lengths, lengths)
    part = Examples(texts, torch.randint(TEXT_CLASSES, (TEXT_ROWS,), generator=generator))
    return DataSource(part, lambda: part, tuple(map(str, range(TEXT_CLASSES))), InputSpec("text", ()))


@ENCODINGS.register("synthetic_tokens", modality="text")
def synthetic_tokens(*, length: int, vocabulary: int, pad: Pad = "batch") -> Encoding:
    """Make token ids of random texts."""
    return _Tokens(InputSpec("text", (length,), vocabulary=vocabulary), length if pad == "full" else None)


def _drawn(part: Rows) -> Examples:
    if not isinstance(part, Examples):
        raise TypeError("only synthetic_text is read so")
    return part


@dataclass(frozen=True)
class _Tokens:
    spec: InputSpec
    width: int | None

    def targets(self, part: Rows) -> Tensor:
        return _drawn(part).targets

    def fit(self, source: DataSource, taught: Tensor) -> Coder:
        return Coder(self.spec, self._read, normaliser=lambda train: TokenIds())

    def _read(self, part: Rows, rows: Tensor) -> Examples:
        texts = _drawn(part).inputs
        if not isinstance(texts, Ragged):
            raise TypeError("these are no texts")
        tokens = 1 + texts.tokens % (self.spec.vocabulary - 1)
        texts = Ragged(tokens, texts.starts, texts.lengths.clamp(max=self.spec.shape[0]), self.width)
        return Examples(texts, self.targets(part)).take(rows)
