from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
import torch

from cgl_ignite.data import DataSource, InputSpec, SubwordTokenizer, prepare, restore_tokenizer, sentencepiece
from cgl_ignite.data.text.corpus import Block, Corpus
from cgl_ignite.errors import InputError

NOUNS, ADJECTIVES = ("food", "film", "staff"), ("good", "bad")
TEXTS = [f"the {noun} was {adjective} {n}" for n in range(4) for noun in NOUNS for adjective in ADJECTIVES]


def corpus(folder: Path, texts: list[str], name: str = "corpus") -> Corpus:
    def read() -> list[Block]:
        half = len(texts) // 2
        return [
            Block(pa.array(part), torch.arange(first, first + len(part)).remainder(2).numpy(), 0.5)
            for first, part in ((0, texts[:half]), (half, texts[half:]))
        ]

    return Corpus(name, f"{name} {hash(tuple(texts))}", folder, lambda: iter(read()))


def source(folder: Path, texts: list[str]) -> DataSource:
    return DataSource(
        corpus(folder, texts), lambda: corpus(folder, texts[:6], "test"), ("a", "b"), InputSpec("text", ())
    )


def test_pieces_are_learned_from_the_training_part_alone(tmp_path: Path) -> None:
    encoding = sentencepiece(vocabulary=60)
    whole = source(tmp_path, TEXTS)
    training = torch.tensor([0, 2, 3, 5, 8, 13])
    strange = [text if row in training.tolist() else "xylophone quartz jazz" for row, text in enumerate(TEXTS)]
    one = encoding.fit(whole, training).tokenizer
    other = encoding.fit(source(tmp_path / "other", strange), training).tokenizer
    assert isinstance(one, SubwordTokenizer) and isinstance(other, SubwordTokenizer)
    assert one.model == other.model
    assert encoding.fit(whole, torch.tensor([1, 4])).tokenizer != one


def test_rows_are_those_of_the_tokenizer(tmp_path: Path) -> None:
    parts = prepare(source(tmp_path, TEXTS), holdout=4, limit=None, seed=1, encoding=sentencepiece(vocabulary=60))
    assert parts.tokenizer is not None
    assert len(parts.train) == len(TEXTS) - 4
    rows = torch.arange(len(parts.train))
    ids = parts.normaliser(parts.train.take(rows).inputs)
    texts = parts.tokenizer.decode(ids)
    assert parts.tokenizer.encode(texts).equal(ids)
    held = parts.tokenizer.decode(parts.normaliser(parts.holdout.inputs))
    assert sorted(texts + held) == sorted(TEXTS)
    assert parts.tokenizer.decode(parts.normaliser(parts.test().inputs)) == TEXTS[:6]
    assert parts.spec == parts.tokenizer.spec == InputSpec("text", (512,), vocabulary=60)
    assert int(ids.max()) < 60


def test_padding_is_0_unknown_is_1_and_what_is_too_long_is_cut_off(tmp_path: Path) -> None:
    tokenizer = sentencepiece(vocabulary=60, length=3).fit(source(tmp_path, TEXTS), torch.arange(24)).tokenizer
    assert tokenizer is not None
    ids = tokenizer.encode(["Ω", "the food was good", ""])
    assert ids.shape == (3, 3)
    assert 1 in ids[0].tolist()
    assert ids[2].tolist() == [0, 0, 0]
    assert (ids[1] > 1).all()


def test_the_state_is_all_there_is(tmp_path: Path) -> None:
    tokenizer = (
        sentencepiece(vocabulary=60, pad="full", length=9).fit(source(tmp_path, TEXTS), torch.arange(24)).tokenizer
    )
    assert tokenizer is not None
    again = restore_tokenizer(tokenizer.state())
    assert again == tokenizer
    assert again.encode(TEXTS).equal(tokenizer.encode(TEXTS))
    assert again.encode(TEXTS[:1]).shape == (1, 9)


def test_the_same_texts_give_the_same_bytes(tmp_path: Path) -> None:
    models = [
        sentencepiece(vocabulary=60).fit(source(tmp_path / name, TEXTS), torch.arange(24)).tokenizer for name in "ab"
    ]
    assert models[0] == models[1]


def test_at_most_so_many_rows_are_learned_from(tmp_path: Path) -> None:
    few = sentencepiece(vocabulary=60, train_rows=4).fit(source(tmp_path, TEXTS), torch.arange(24)).tokenizer
    same = sentencepiece(vocabulary=60).fit(source(tmp_path, TEXTS), torch.tensor([0, 6, 12, 18])).tokenizer
    assert few == same


def test_texts_without_a_word_teach_nothing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"data.encoding: SentencePiece cannot learn 60 pieces from corpus"):
        sentencepiece(vocabulary=60).fit(source(tmp_path, [""] * 8), torch.arange(8))


def test_capital_letters_count_as_small_ones(tmp_path: Path) -> None:
    shouted = [text.upper() if row % 2 else text.title() for row, text in enumerate(TEXTS)]
    one, other = (
        sentencepiece(vocabulary=60).fit(source(tmp_path / name, texts), torch.arange(24)).tokenizer
        for name, texts in (("small", TEXTS), ("shouted", shouted))
    )
    assert one is not None
    assert one == other
    assert one.encode(shouted).equal(one.encode(TEXTS))
    assert one.encode(["ÉTÉ", "été"]).unique(dim=0).shape[0] == 1


def test_capital_letters_may_be_kept(tmp_path: Path) -> None:
    texts = ["GREAT", "great", "Great"] * 4
    tokenizer = sentencepiece(vocabulary=40, lower=False).fit(source(tmp_path, texts), torch.arange(12)).tokenizer
    assert tokenizer is not None
    assert tokenizer.encode(texts[:3]).unique(dim=0).shape[0] == 3
    assert tokenizer.decode(tokenizer.encode(texts[:3])) == texts[:3]


def test_texts_are_encoded_anew_where_the_setting_differs(tmp_path: Path) -> None:
    texts = ["GOOD food", "good FOOD"] * 8
    lengths = []
    for lower in (True, False):
        encoding = sentencepiece(vocabulary=40, lower=lower)
        parts = prepare(source(tmp_path, texts), holdout=2, limit=None, seed=1, encoding=encoding)
        rows = parts.normaliser(parts.train.inputs)
        lengths.append(len(rows.unique(dim=0)))
    assert lengths == [1, 2]
