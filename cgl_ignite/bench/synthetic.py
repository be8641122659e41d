"""Random images and random texts in the shape of a data set, for timing where the real ones are not at hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor

from cgl_ignite.catalogue import load_pipeline
from cgl_ignite.config.dump import values
from cgl_ignite.config.schema import Pipeline
from cgl_ignite.data import (
    DATASETS,
    ENCODINGS,
    DataSource,
    Examples,
    PadTokens,
    Preprocessing,
    Preprocessor,
    Tokenizer,
    data_root,
    dump_tokenizer,
    input_of,
    is_present,
    look_at,
    parse_tokenizer,
    rows_held_out,
)
from cgl_ignite.data.base import Rows
from cgl_ignite.data.encoding import Pad
from cgl_ignite.data.text.ragged import Ragged
from cgl_ignite.spec import InputSpec

__all__ = ["is_absent", "made_up", "synthetic", "synthetic_text", "synthetic_tokens"]

TEXT_ROWS, HOLDOUT, IDS = 25_000, 2000, 2**14
MEDIAN, SPREAD = 230, 0.6
"""Of the log-normal lengths: those of IMDB in pieces of words, nearly."""

ROWS, TEST_ROWS = 50_000, 10_000

Count = Annotated[int, Field(ge=1)]


def is_absent(pipeline: Pipeline) -> bool:
    """Tell whether the data of a pipeline are known not to be there."""
    data = pipeline.data
    return is_present(data.kind, data_root(data.root), data.options) is False


def made_up(pipeline: Pipeline) -> Pipeline:
    """Return the pipeline with random inputs of the same shape, in as many classes, in place of its data.

    There are as many rows, but at most 50,000 images or 25,000 texts, and no more of them for the holdout than 5,000
    or 2,000. Texts have the lengths of film reviews, and their students take a tokenizer with them, unless it would be
    learned from real texts.
    """
    data = pipeline.data
    look = look_at(data.kind, data.options, files=True)
    spec, classes, _ = input_of(data.kind, data.encoding, look)
    text = spec.modality == "text"
    most, holdout = (TEXT_ROWS, HOLDOUT) if text else (ROWS, ROWS // 10)
    rows = min(most, look.train or most)
    drawn: dict[str, Any] = {"kind": "synthetic", "shape": list(spec.shape)}
    if text:
        encoding: dict[str, Any] = {"kind": "synthetic_tokens", "length": spec.shape[0], "vocabulary": spec.vocabulary}
        encoding["pad"] = getattr(data.encoding, "pad", "full")
        if tokenizer := getattr(ENCODINGS.build(data.encoding), "tokenizer", None):
            encoding["tokenizer"] = dump_tokenizer(tokenizer)
        drawn = {"kind": "synthetic_text", "encoding": encoding}
    held_out = data.holdout if isinstance(data.holdout, int) else rows_held_out(data.holdout or 0.1, rows)
    drawn |= {"classes": classes, "rows": rows, "holdout": min(holdout, held_out)}
    tree = values(pipeline)
    kept = {key: tree["data"][key] for key in ("limit", "test_limit", "augment") if key in tree["data"]}
    return load_pipeline({**tree, "data": kept | drawn})


@DATASETS.register(
    "synthetic",
    listed=False,
    title="Random images",
    modality="image",
    shape=None,
    classes=None,
    rows=None,
    files=None,
    where="drawn when they are asked for",
)
def synthetic(root: Path, *, shape: list[Count], classes: Count, rows: Count) -> DataSource:
    """Draw images and labels."""
    names = tuple(map(str, range(classes)))
    spec = InputSpec("image", tuple(shape))
    return DataSource(draw(rows, shape, classes), lambda: draw(TEST_ROWS, shape, classes), names, spec)


def draw(rows: int, shape: Sequence[int], classes: int) -> Examples:
    """Draw as many examples."""
    generator = torch.Generator().manual_seed(rows)
    inputs = torch.randint(256, (rows, *shape), generator=generator, dtype=torch.uint8)
    return Examples(inputs, torch.randint(classes, (rows,), generator=generator))


@DATASETS.register(
    "synthetic_text",
    listed=False,
    title="Random texts",
    modality="text",
    shape=None,
    classes=None,
    rows=None,
    files=None,
    where="drawn when they are asked for",
)
def synthetic_text(root: Path, *, classes: Count, rows: Count) -> DataSource:
    """Draw texts of different lengths, as numbers that :func:`synthetic_tokens` makes tokens of."""
    generator = torch.Generator().manual_seed(0)
    lengths = (MEDIAN * torch.randn(rows, generator=generator).mul(SPREAD).exp()).long().clamp(min=1)
    numbers = torch.randint(IDS, (int(lengths.sum()) + 1,), generator=generator, dtype=torch.int16)
    texts = Ragged(numbers, 1 + lengths.cumsum(0) - lengths, lengths)
    part = Examples(texts, torch.randint(classes, (rows,), generator=generator))
    return DataSource(part, lambda: part, tuple(map(str, range(classes))), InputSpec("text", ()))


@ENCODINGS.register("synthetic_tokens", listed=False, modality="text")
def synthetic_tokens(*, length: int, vocabulary: int, pad: Pad = "batch", tokenizer: str = "") -> Preprocessing:
    """Make token ids of random texts; ``tokenizer``: the one that students take with them, as JSON."""
    width = length if pad == "full" else None
    if tokenizer:
        known = parse_tokenizer(tokenizer, "synthetic_tokens")
        return _Tokens(known.spec, width, known)
    return _Tokens(InputSpec("text", (length,), vocabulary=vocabulary), width)


def _drawn(part: Rows) -> Examples:
    if not isinstance(part, Examples):
        raise TypeError("only synthetic_text is read so")
    return part


@dataclass(frozen=True)
class _Tokens:
    spec: InputSpec
    width: int | None
    tokenizer: Tokenizer | None = None

    def targets(self, part: Rows) -> Tensor:
        return _drawn(part).targets

    def fit(self, source: DataSource, training: Tensor) -> Preprocessor:
        return Preprocessor(self.spec, self._read, normaliser=lambda train: PadTokens(), tokenizer=self.tokenizer)

    def _read(self, part: Rows, rows: Tensor) -> Examples:
        texts = _drawn(part).inputs
        if not isinstance(texts, Ragged):
            raise TypeError("these are no texts")
        tokens = 1 + texts.tokens % (self.spec.vocabulary - 1)
        texts = Ragged(tokens, texts.starts, texts.lengths.clamp(max=self.spec.shape[0]), self.width)
        return Examples(texts, self.targets(part)).take(rows)
