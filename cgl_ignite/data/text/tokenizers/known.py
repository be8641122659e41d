"""A tokenizer that has nothing to learn, as an encoding: of a student, or of another library."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from cgl_ignite.data.base import DataSource, Examples, InputSpec, Rows
from cgl_ignite.data.encoding import Preprocessing, Preprocessor, Tokenizer, corpus_of
from cgl_ignite.data.normalise import PadTokens
from cgl_ignite.data.text.cache.files import key_of
from cgl_ignite.data.text.cache.store import encoded, read_targets
from cgl_ignite.data.text.tokenizers.files import dump_tokenizer

__all__ = ["KnownTokenizer"]


@dataclass(frozen=True)
class KnownTokenizer(Preprocessing):
    """Encodes the rows that are asked for, whatever the training rows are."""

    tokenizer: Tokenizer

    @property
    def spec(self) -> InputSpec:
        return self.tokenizer.spec

    def targets(self, part: Rows) -> Tensor:
        return read_targets(corpus_of(part))

    def fit(self, source: DataSource, training: Tensor) -> Preprocessor:
        settings = key_of(dump_tokenizer(self.tokenizer))

        def read(part: Rows, rows: Tensor) -> Examples:
            return encoded(corpus_of(part).only(rows), self.tokenizer, settings)

        return Preprocessor(self.spec, read, normaliser=lambda train: PadTokens(), tokenizer=self.tokenizer)
