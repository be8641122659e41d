"""What turns the rows of a data set into inputs of the pool: pixels as they are, or texts as token ids."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, TypeAlias

import numpy as np
import torch
from torch import Tensor

from cgl_ignite.data.base import DataSource, Examples, InputSpec, Rows
from cgl_ignite.data.normalise import Normaliser, PadTokens, measure_normaliser
from cgl_ignite.data.text.corpus import Corpus
from cgl_ignite.data.text.ragged import Ragged
from cgl_ignite.errors import InputError, choices
from cgl_ignite.registry import Registry

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

__all__ = [
    "ENCODINGS",
    "Pad",
    "Preprocessing",
    "Preprocessor",
    "Tokenizer",
    "as_they_are",
    "corpus_of",
    "cut",
    "restore_tokenizer",
]

Pad: TypeAlias = Literal["batch", "full"]
"""What texts are padded to: the longest of the batch, or the maximum length."""


class Tokenizer(Protocol):
    """Turns texts into token ids; 0 is padding, 1 is unknown. All of it is in :meth:`state`."""

    kind: ClassVar[str]
    pad: Pad

    @property
    def spec(self) -> InputSpec:
        """The form of one text: its maximum length and the number of token ids."""

    @property
    def dtype(self) -> type[np.integer[Any]]:
        """The integers that hold an id."""

    def tokens(self, texts: pa.StringArray) -> tuple[NDArray[np.integer[Any]], NDArray[np.int64]]:
        """Return the concatenated ids of all texts, not cut off, and how many belong to each."""

    def decode(self, ids: Tensor) -> list[str]:
        """Turn ids (N, T) back into texts, as far as they tell."""

    def state(self) -> dict[str, Any]:
        """Return ``kind`` and all that :func:`restore_tokenizer` needs, as plain values and bytes."""

    def encode(self, texts: Sequence[str]) -> Tensor:
        """Encode texts as the pool reads them: int64 (N, T), cut off at the maximum length, padded."""
        import pyarrow as pa

        try:
            flat, counts = self.tokens(pa.array(texts, pa.string()))
        except UnicodeEncodeError as error:
            raise InputError(f"a text is not valid Unicode: {error}") from error
        lengths = torch.from_numpy(counts)
        tokens = torch.from_numpy(np.concatenate([np.zeros(1, flat.dtype), flat]))
        return cut(Ragged(tokens, 1 + lengths.cumsum(0) - lengths, lengths), self).padded()


def cut(rows: Ragged, tokenizer: Tokenizer) -> Ragged:
    """Cut rows off at the tokenizer's maximum length, and let them be padded as it asks."""
    (length,) = tokenizer.spec.shape
    width = length if tokenizer.pad == "full" else None
    return Ragged(rows.tokens, rows.starts, rows.lengths.clamp(max=length), width)


@dataclass(frozen=True)
class Preprocessor:
    """An encoding that has seen the training part.

    Attributes:
        spec: the form of its inputs.
        read: makes the chosen rows of one part ready; the indices are sorted.
        normaliser: of inputs such as these.
        tokenizer: for texts, what has to go wherever a student goes.
    """

    spec: InputSpec
    read: Callable[[Rows, Tensor], Examples]
    normaliser: Callable[[Examples], Normaliser | PadTokens]
    tokenizer: Tokenizer | None = None


class Preprocessing(Protocol):
    """Settings of an encoding, before it has seen any data."""

    @property
    def spec(self) -> InputSpec | None:
        """The form of the inputs that it makes; None if that is the data set's."""

    def targets(self, part: Rows) -> Tensor:
        """Read the classes of all rows of a part, (N,)."""

    def fit(self, source: DataSource, training: Tensor) -> Preprocessor:
        """Learn what there is to learn from the training rows at these indices, and from no others."""


ENCODINGS: Registry[Callable[..., Preprocessing]] = Registry("encoding")
"""Builders ``(*, options) -> Preprocessing``.

Facts of each kind: ``modality``; for texts ``restore``, which makes the tokenizer from its state.
"""


@ENCODINGS.register("none", modality="image")
def as_they_are() -> Preprocessing:
    """Leave the rows as the data set gives them."""
    return _AsTheyAre()


class _AsTheyAre(Preprocessing):
    spec = None

    def targets(self, part: Rows) -> Tensor:
        return _ready(part).targets

    def fit(self, source: DataSource, training: Tensor) -> Preprocessor:
        return Preprocessor(
            spec=source.spec,
            read=lambda part, rows: _ready(part).take(rows),
            normaliser=lambda train: measure_normaliser(train.dense),
        )


def _ready(part: Rows) -> Examples:
    if isinstance(part, Corpus):
        fitting = choices(kind for kind in ENCODINGS.kinds() if ENCODINGS.facts(kind)["modality"] == "text")
        raise InputError(f"data.encoding.kind = 'none' is for images, {part.title} holds texts: take {fitting}")
    return part


def corpus_of(part: Rows) -> Corpus:
    """Return a part as the texts that an encoding of texts needs.

    Raises:
        InputError: it holds no texts.
    """
    if isinstance(part, Examples):
        raise InputError("data.encoding is for texts, but the data set holds rows that are ready: leave the key out")
    return part


def restore_tokenizer(state: Mapping[str, Any]) -> Tokenizer:
    """Make the tokenizer whose :meth:`Tokenizer.state` this is."""
    tokenizer: Tokenizer = ENCODINGS.facts(state["kind"])["restore"](state)
    return tokenizer
