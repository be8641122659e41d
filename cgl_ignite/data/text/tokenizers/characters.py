"""Characters as token ids: 66 characters, space, unknown and padding.

Reference: A. Conneau et al., "Very Deep Convolutional Networks for Text Classification", 2017, section 4.1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
from pydantic import Field
from torch import Tensor

from cgl_ignite.data.base import DataSource, Examples, InputSpec, Rows
from cgl_ignite.data.encoding import ENCODINGS, Pad, Preprocessing, Preprocessor, Tokenizer, corpus_of
from cgl_ignite.data.normalise import PadTokens
from cgl_ignite.data.text.cache.store import encoded
from cgl_ignite.spec import UNKNOWN, WordMarks

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

__all__ = ["ALPHABET", "CharacterTokenizer", "characters"]

ALPHABET = " abcdefghijklmnopqrstuvwxyz0123456789-,;.!?:'\"/|_#$%^&*~`+=<>()[]{}"
"""The characters with the ids from 2 on."""

_CONTINUING = bytes(range(0x80, 0xC0))
"""The bytes of UTF-8 that go on with a character; as signed numbers, all others are at least -64."""


@dataclass(frozen=True)
class CharacterTokenizer(Tokenizer):
    """One id per character, by a table look-up on the bytes of UTF-8.

    Capital letters A to Z count as small ones and white space of ASCII as space; every other character
    outside the alphabet is one unknown.

    Args:
        length: characters of a text that are kept, from its beginning.
        pad: what texts are padded to.
        alphabet: ASCII characters, the first one with id 2.

    Example:
        >>> CharacterTokenizer(length=6, pad="full").encode(["Ab é!?...", "c"]).tolist()
        [[3, 4, 2, 1, 43, 44], [5, 0, 0, 0, 0, 0]]
    """

    kind: ClassVar[str] = "characters"
    length: int
    pad: Pad
    alphabet: str = ALPHABET

    @property
    def spec(self) -> InputSpec:
        spaces = (2 + self.alphabet.index(" "),) if " " in self.alphabet else ()
        return InputSpec("text", (self.length,), 2 + len(self.alphabet), WordMarks(spaces=spaces))

    @property
    def dtype(self) -> type[np.integer[Any]]:
        return np.uint8

    def tokens(self, texts: pa.StringArray) -> tuple[NDArray[np.integer[Any]], NDArray[np.int64]]:
        _, offsets, content = texts.buffers()
        bounds = np.frombuffer(offsets, np.int32)[texts.offset : texts.offset + len(texts) + 1].astype(np.int64)
        raw = content[bounds[0] : bounds[-1]].to_pybytes() if content else b""
        ids = np.frombuffer(raw.translate(_table(self.alphabet), _CONTINUING), np.uint8)
        if len(ids) < len(raw):
            continuing = np.flatnonzero(np.frombuffer(raw, np.int8) < -64)
            bounds = bounds - np.searchsorted(continuing, bounds - bounds[0])
        return ids, np.diff(bounds)

    def decode(self, ids: Tensor) -> list[str]:
        """Write the characters of ids (N, T); unknown ones as U+FFFD, padding as nothing."""
        written = np.array(["", "\N{REPLACEMENT CHARACTER}", *self.alphabet])
        return ["".join(written[row]) for row in ids.numpy()]

    def state(self) -> dict[str, Any]:
        return {"kind": self.kind, "length": self.length, "pad": self.pad, "alphabet": self.alphabet}

    @classmethod
    def restore(cls, state: Mapping[str, Any]) -> CharacterTokenizer:
        """Make the tokenizer whose state this is."""
        return cls(state["length"], state["pad"], state["alphabet"])


def _table(alphabet: str) -> bytes:
    """List the id of each byte; those beyond ASCII begin an unknown character."""
    table = bytearray([UNKNOWN] * 256)
    for number, character in enumerate(alphabet, start=2):
        table[ord(character)] = table[ord(character.upper())] = number
    for space in b"\t\n\v\f\r":
        table[space] = table[ord(" ")]
    return bytes(table)


@ENCODINGS.register("characters", modality="text", restore=CharacterTokenizer.restore)
def characters(*, length: Annotated[int, Field(ge=1)] = 1024, pad: Pad = "full") -> Preprocessing:
    """Encode texts character by character: 66 characters, space, unknown and padding.

    Args:
        length: characters of a text that are kept, from its beginning.
        pad: ``full`` pads every text to ``length``, for networks that see the padding; ``batch`` pads to the
            longest of a batch.
    """
    return _Characters(CharacterTokenizer(length, pad))


@dataclass(frozen=True)
class _Characters(Preprocessing):
    tokenizer: CharacterTokenizer

    @property
    def spec(self) -> InputSpec:
        return self.tokenizer.spec

    def targets(self, part: Rows) -> Tensor:
        return self._encoded(part).targets

    def fit(self, source: DataSource, training: Tensor) -> Preprocessor:
        return Preprocessor(
            spec=self.spec,
            read=lambda part, rows: self._encoded(part).take(rows),
            normaliser=lambda train: PadTokens(),
            tokenizer=self.tokenizer,
        )

    def _encoded(self, part: Rows) -> Examples:
        return encoded(corpus_of(part), self.tokenizer, f"characters {self.tokenizer.alphabet}")
