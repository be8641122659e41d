"""Pieces of words as token ids: byte-pair encoding with SentencePiece, learned from the training part.

Reference: T. Kudo, J. Richardson, "SentencePiece: A simple and language independent subword tokenizer", 2018.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from hashlib import blake2b
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from cgl_ignite.data.base import DataSource, Examples, InputSpec, Rows
from cgl_ignite.data.encoding import ENCODINGS, Pad, Preprocessing, Preprocessor, Tokenizer, corpus_of
from cgl_ignite.data.normalise import PadTokens
from cgl_ignite.data.text.cache.files import kept, key_of
from cgl_ignite.data.text.cache.store import encoded, read_targets
from cgl_ignite.data.text.corpus import Corpus
from cgl_ignite.errors import InputError
from cgl_ignite.progress import report
from cgl_ignite.spec import WordMarks

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray
    from sentencepiece import SentencePieceProcessor

__all__ = ["SubwordTokenizer", "sentencepiece"]

_VERSION = 1
_FILE = "sentencepiece.model"
_LONGEST = 2**24
_FOLDS_CASE, _KEEPS_CASE = "nmt_nfkc_cf", "nmt_nfkc"
"""SentencePiece's rules of Unicode normalisation."""
_SPACE = "\N{LOWER ONE EIGHTH BLOCK}"
"""What SentencePiece writes for the space in front of a word."""


@dataclass(frozen=True)
class SubwordTokenizer(Tokenizer):
    """One id per piece of a word; a piece that was never seen is unknown.

    Args:
        length: pieces of a text that are kept, from its beginning.
        pad: what texts are padded to.
        vocabulary: number of ids, of which a model learned from few texts may use less.
        model: the content of a SentencePiece model file, with padding 0 and unknown 1.
    """

    kind: ClassVar[str] = "sentencepiece"
    length: int
    pad: Pad
    vocabulary: int
    model: bytes = field(repr=False)

    @property
    def spec(self) -> InputSpec:
        return InputSpec("text", (self.length,), vocabulary=self.vocabulary)

    @property
    def dtype(self) -> type[np.integer[Any]]:
        return np.int16 if self.vocabulary <= 2**15 else np.int32

    def tokens(self, texts: pa.StringArray) -> tuple[NDArray[np.integer[Any]], NDArray[np.int64]]:
        ids = self._processor.encode(texts.to_pylist(), out_type=int, num_threads=torch.get_num_threads())
        lengths = np.fromiter(map(len, ids), np.int64, len(ids))
        return np.fromiter(chain.from_iterable(ids), self.dtype, lengths.sum()), lengths

    def decode(self, ids: Tensor) -> list[str]:
        """Write the pieces of ids (N, T), padding as nothing."""
        texts: list[str] = self._processor.decode([[token for token in row if token] for row in ids.tolist()])
        return texts

    def word_marks(self) -> WordMarks:
        """Tell which pieces begin a word: those with a space in front."""
        pieces = self._processor.id_to_piece(list(range(self._processor.get_piece_size())))
        return WordMarks(starts=tuple(token for token, piece in enumerate(pieces) if piece.startswith(_SPACE)))

    def state(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "length": self.length,
            "pad": self.pad,
            "vocabulary": self.vocabulary,
            "model": self.model,
        }

    @classmethod
    def restore(cls, state: Mapping[str, Any]) -> SubwordTokenizer:
        """Make the tokenizer whose state this is."""
        return cls(state["length"], state["pad"], state["vocabulary"], state["model"])

    @cached_property
    def _processor(self) -> SentencePieceProcessor:
        from sentencepiece import SentencePieceProcessor

        return SentencePieceProcessor(model_proto=self.model)


@ENCODINGS.register("sentencepiece", modality="text", restore=SubwordTokenizer.restore)
def sentencepiece(
    *,
    vocabulary: Annotated[int, Field(ge=4)] = 16_000,
    length: Annotated[int, Field(ge=1)] = 512,
    pad: Pad = "batch",
    lower: bool = True,
    train_rows: Annotated[int, Field(ge=1)] = 200_000,
) -> Preprocessing:
    """Encode texts by pieces of words, which byte-pair encoding learns from the training part alone.

    Args:
        vocabulary: number of ids, padding and unknown among them.
        length: pieces of a text that are kept, from its beginning.
        pad: ``batch`` pads to the longest text of a batch, ``full`` pads every text to ``length``.
        lower: read capital letters as small ones, as the paper does; the model that is learned folds them itself.
        train_rows: learn the pieces from at most this many training rows, taken at equal distances.
    """
    return _Subwords(vocabulary, length, pad, lower, train_rows)


@dataclass(frozen=True)
class _Subwords(Preprocessing):
    vocabulary: int
    length: int
    pad: Pad
    lower: bool
    train_rows: int

    @property
    def spec(self) -> InputSpec:
        return InputSpec("text", (self.length,), vocabulary=self.vocabulary)

    def targets(self, part: Rows) -> Tensor:
        return read_targets(corpus_of(part))

    def fit(self, source: DataSource, training: Tensor) -> Preprocessor:
        chosen = training
        if len(training) > self.train_rows:
            chosen = training[torch.arange(self.train_rows) * len(training) // self.train_rows]
        corpus = corpus_of(source.train).only(chosen)
        key = key_of("sentencepiece", _VERSION, corpus.identity, self.vocabulary, self.lower)
        entry = kept(corpus.cache, key, partial(_learn, corpus, self.vocabulary, self.lower))
        tokenizer = SubwordTokenizer(self.length, self.pad, self.vocabulary, (entry / _FILE).read_bytes())
        settings = f"sentencepiece {blake2b(tokenizer.model, digest_size=16).hexdigest()}"

        def read(part: Rows, rows: Tensor) -> Examples:
            return encoded(corpus_of(part).only(rows), tokenizer, settings)

        spec = replace(self.spec, words=tokenizer.word_marks())
        return Preprocessor(spec, read, normaliser=lambda train: PadTokens(), tokenizer=tokenizer)


def _learn(corpus: Corpus, vocabulary: int, lower: bool, folder: Path) -> None:
    """Learn the pieces and write the model; the same texts give the same bytes, as there is one thread."""
    from sentencepiece import SentencePieceTrainer

    model = io.BytesIO()
    try:
        SentencePieceTrainer.train(
            sentence_iterator=_texts(corpus),
            model_writer=model,
            model_type="bpe",
            vocab_size=vocabulary,
            normalization_rule_name=_FOLDS_CASE if lower else _KEEPS_CASE,
            hard_vocab_limit=False,
            pad_id=0,
            unk_id=1,
            bos_id=-1,
            eos_id=-1,
            num_threads=1,
            max_sentence_length=_LONGEST,
            minloglevel=2,
        )
    except RuntimeError as error:
        raise InputError(
            f"data.encoding: SentencePiece cannot learn {vocabulary} pieces from {corpus.title}: {error}"
        ) from error
    (folder / _FILE).write_bytes(model.getvalue())


def _texts(corpus: Corpus) -> Iterator[str]:
    rows = 0
    for block in corpus.read():
        yield from block.texts.to_pylist()
        rows += len(block.targets)
        report(f"learning pieces of words from {corpus.title}", rows, None)
