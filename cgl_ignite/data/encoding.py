"""What turns the rows of a data set into inputs of the pool: pixels as they are, or texts as token ids."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, TypeAlias

import numpy as np
import torch
from torch import Tensor

from cgl_ignite.data.base import DataSource, Examples, InputSpec, Rows
from cgl_ignite.data.normalise import Normaliser, TokenIds, measure_normaliser
from cgl_ignite.data.text.corpus import Corpus
from cgl_ignite.data.text.ragged import Ragged
from cgl_ignite.errors import InputError, choices
from cgl_ignite.registry import Registry

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

__all__ = ["ENCODINGS", "Coder", "Encoder", "Encoding", "Pad", "as_they_are", "corpus_of", "cut", "restore_encoder"]

Pad: TypeAlias = Literal["batch", "full"]
"""What texts are padded to: the longest of the batch, or the maximum length."""


class Encoder(Protocol):
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
        """Return ``kind`` and all that :func:`restore_encoder` needs, as plain values and bytes."""

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


def cut(rows: Ragged, encoder: Encoder) -> Ragged:
    """Cut rows off at the encoder's maximum length, and let them be padded as it asks."""
    (length,) = encoder.spec.shape
    width = length if encoder.pad == "full" else None
    return Ragged(rows.tokens, rows.starts, rows.lengths.clamp(max=length), width)


@dataclass(frozen=True)
class Coder:
    """An encoding that has seen the training part.

    Attributes:
        spec: the form of its inputs.
        read: makes the chosen rows of one part ready; the indices are sorted.
        normaliser: of inputs such as these.
        encoder: for texts, what has to go wherever a student goes.
    """

    spec: InputSpec
    read: Callable[[Rows, Tensor], Examples]
    normaliser: Callable[[Examples], Normaliser | TokenIds]
    encoder: Encoder | None = None


class Encoding(Protocol):
    """Settings of an encoding, before it has seen any data."""

    @property
    def spec(self) -> InputSpec | None:
        """The form of the inputs that it makes; None if that is the data set's."""

    def targets(self, part: Rows) -> Tensor:
        """Read the classes of all rows of a part, (N,)."""

    def fit(self, source: DataSource, training: Tensor) -> Coder:
        """Learn what there is to learn from the training rows at these indices, and from no others."""


ENCODINGS: Registry[Callable[..., Encoding]] = Registry("encoding")
"""Builders ``(*, options) -> Encoding``.

Facts of each kind: ``modality``; for texts ``restore``, which makes the encoder from its state.
"""


@ENCODINGS.register("none", modality="image")
def as_they_are() -> Encoding:
    """Leave the rows as the data set gives them."""
    return _AsTheyAre()


class _AsTheyAre(Encoding):
    spec = None

    def targets(self, part: Rows) -> Tensor:
        return _ready(part).targets

    def fit(self, source: DataSource, training: Tensor) -> Coder:
        return Coder(
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


def restore_encoder(state: Mapping[str, Any]) -> Encoder:
    """Make the encoder whose :meth:`Encoder.state` this is."""
    encoder: Encoder = ENCODINGS.facts(state["kind"])["restore"](state)
    return encoder
