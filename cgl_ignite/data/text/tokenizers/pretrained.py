"""The tokenizer of a network of transformers as token ids; padding and unknown are 0 and 1 as everywhere here."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
from pydantic import Field
from torch import Tensor

from cgl_ignite.data.base import InputSpec
from cgl_ignite.data.encoding import ENCODINGS, Pad, Preprocessing, Tokenizer
from cgl_ignite.data.text.tokenizers.known import KnownTokenizer
from cgl_ignite.encoders import library, order_of_tokens, read_folder
from cgl_ignite.errors import InputError
from cgl_ignite.spec import WordMarks

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

__all__ = ["PretrainedTokenizer", "pretrained"]

_INSIDE, _BEFORE = "##", ("\u0120", "\u2581")
"""What begins a piece inside a word, and what begins a piece at its beginning."""


@dataclass(frozen=True)
class PretrainedTokenizer(Tokenizer):
    """One id per token of another tokenizer, with the tokens that it puts around a text.

    Args:
        length: tokens of a text that are kept, those around it included.
        pad: what texts are padded to.
        tokenizer: its JSON.
        padding: its number of the token for padding.
        unknown: its number of the unknown token; None if there is none.
    """

    kind: ClassVar[str] = "transformers"
    length: int
    pad: Pad
    tokenizer: str = field(repr=False)
    padding: int
    unknown: int | None

    @property
    def spec(self) -> InputSpec:
        return InputSpec("text", (self.length,), len(self._order), self._word_marks())

    @property
    def dtype(self) -> type[np.integer[Any]]:
        return np.int32

    def tokens(self, texts: pa.StringArray) -> tuple[NDArray[np.integer[Any]], NDArray[np.int64]]:
        rows = [row.ids for row in self._library.encode_batch(texts.to_pylist())]
        lengths = np.fromiter(map(len, rows), np.int64, len(rows))
        ids = np.fromiter(chain.from_iterable(rows), np.int64, lengths.sum())
        return self._own[ids].astype(self.dtype), lengths

    def decode(self, ids: Tensor) -> list[str]:
        """Write the texts of ids (N, T), without the tokens around them."""
        rows = [[int(self._order[token]) for token in row if token] for row in ids.tolist()]
        texts: list[str] = self._library.decode_batch(rows, skip_special_tokens=True)
        return texts

    def state(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "length": self.length,
            "pad": self.pad,
            "tokenizer": self.tokenizer,
            "padding": self.padding,
            "unknown": self.unknown,
        }

    @classmethod
    def restore(cls, state: Mapping[str, Any]) -> PretrainedTokenizer:
        """Make the tokenizer whose state this is."""
        return cls(state["length"], state["pad"], state["tokenizer"], state["padding"], state["unknown"])

    @cached_property
    def _library(self) -> Any:
        library()
        made = importlib.import_module("tokenizers").Tokenizer.from_str(self.tokenizer)
        made.no_padding()
        made.enable_truncation(self.length)
        return made

    @cached_property
    def _order(self) -> NDArray[np.int64]:
        return np.array(order_of_tokens(self._library.get_vocab_size(), self.padding, self.unknown))

    @cached_property
    def _own(self) -> NDArray[np.int64]:
        """The id here of each number of the library."""
        return np.argsort(self._order)

    def _word_marks(self) -> WordMarks:
        pieces = [str(self._library.id_to_token(int(token))) for token in self._order]
        before = any(piece.startswith(_BEFORE) for piece in pieces)
        starts = (piece.startswith(_BEFORE) if before else not piece.startswith(_INSIDE) for piece in pieces)
        return WordMarks(starts=tuple(number for number, begins in enumerate(starts) if begins))


@ENCODINGS.register("transformers", modality="text", listed=False, restore=PretrainedTokenizer.restore)
def pretrained(*, folder: str, length: Annotated[int, Field(ge=3)] = 128, pad: Pad = "batch") -> Preprocessing:
    """Encode texts by the tokenizer of a network of transformers.

    Args:
        folder: that ``save_pretrained`` has written.
        length: tokens of a text that are kept, from its beginning, those around it included.
        pad: ``batch`` pads to the longest text of a batch, ``full`` pads every text to ``length``.

    Raises:
        InputError: transformers is not installed, or the folder cannot be read.
    """
    try:
        found = read_folder(folder)
    except InputError as error:
        raise InputError(error.message, key="data.encoding.folder") from error
    return KnownTokenizer(PretrainedTokenizer(length, pad, found.tokenizer, found.padding, found.unknown))
