from __future__ import annotations

from pathlib import Path

import pytest
import torch

from cgl_ignite.data import Corpus, DataSource, InputSpec, as_they_are, characters, prepare, sentencepiece
from cgl_ignite.errors import InputError

from .conftest import Numbered


def test_ready_rows_stay_as_they_are(numbered: Numbered) -> None:
    source = DataSource(numbered(20, 2), lambda: numbered(4, 2), ("a", "b"), InputSpec("image", (1, 1, 2)))
    plain, named = (prepare(source, holdout=5, limit=None, seed=1, encoding=one) for one in (None, as_they_are()))
    assert plain.train.dense.equal(named.train.dense)
    assert plain.spec == source.spec
    assert plain.tokenizer is None


def test_texts_must_be_encoded(tmp_path: Path) -> None:
    corpus = Corpus("My texts", "identity", tmp_path, lambda: iter(()))
    source = DataSource(corpus, lambda: corpus, ("a", "b"), InputSpec("text", ()))
    with pytest.raises(InputError, match=r"My texts holds texts: take 'characters' or 'sentencepiece'"):
        prepare(source, holdout=1, limit=None, seed=1)


@pytest.mark.parametrize("encoding", [characters(), sentencepiece()])
def test_images_are_no_texts(numbered: Numbered, encoding: object) -> None:
    source = DataSource(numbered(20, 2), lambda: numbered(4, 2), ("a", "b"), InputSpec("image", (1, 1, 2)))
    with pytest.raises(InputError, match=r"data.encoding is for texts"):
        encoding.fit(source, torch.arange(3)).read(source.train, torch.arange(3))
