"""Dropout of tokens and of words, beside a plain program that goes through the texts one by one."""

from __future__ import annotations

import re
from pathlib import Path

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given
from torch import Tensor

from cgl_ignite.data import (
    CharacterTokenizer,
    InputSpec,
    PadTokens,
    Ragged,
    SubwordTokenizer,
    WordMarks,
    prepare,
    sentencepiece,
)
from cgl_ignite.data.augment import token_dropout, word_dropout
from cgl_ignite.errors import InputError
from cgl_ignite.seeding import stream
from tests.data.augment.samples import samples_of
from tests.data.text.test_ragged import ragged
from tests.data.text.tokenizers.test_subwords import TEXTS, source

LETTERS = CharacterTokenizer(12, "batch", " ab")
SPACE, A, B = 2, 3, 4
SPEC = LETTERS.spec
PIECES = InputSpec("text", (12,), 8, WordMarks(starts=(5, 6, 7)))
"""Tokens 5 to 7 begin a word, 1 to 4 go on with it."""

ROWS = st.lists(st.lists(st.integers(1, 7), max_size=9), min_size=1, max_size=12)
WRITTEN = st.lists(st.text(" ab", max_size=12), min_size=1, max_size=12)
PROBABILITIES = st.sampled_from([0.0, 0.1, 0.5, 0.99])
SEEDS = st.integers(0, 99)


def augmented(augment, inputs: Tensor | Ragged, seed: int = 1) -> Tensor | Ragged:
    changed: Tensor | Ragged = augment(samples_of(inputs), stream(seed, "augment")).inputs
    return changed


def rows_of(texts: Ragged) -> list[list[int]]:
    spans = zip(texts.starts.tolist(), texts.lengths.tolist(), strict=True)
    return [texts.tokens[start : start + length].tolist() for start, length in spans]


def encoded(texts: list[str]) -> Ragged:
    """Write texts of the letters as rows of tokens."""
    return ragged([[2 + " ab".index(letter) for letter in text] for text in texts])


def written(texts: Ragged) -> list[str]:
    return ["".join(" ab"[token - 2] for token in row) for row in rows_of(texts)]


def draws_of(lengths: list[int], seed: int) -> list[list[float]]:
    return [draws.tolist() for draws in torch.rand(sum(lengths), generator=stream(seed, "augment")).split(lengths)]


def left_of(words: list[list[int]], draws: list[float], probability: float) -> list[int]:
    """Tell which words stay; a word's draw is that of its first token."""
    firsts = [sum(map(len, words[:number])) for number in range(len(words))]
    drawn = [draws[first] for first in firsts]
    return [number for number, draw in enumerate(drawn) if draw >= probability or draw == max(drawn)]


def word_by_word(text: str, draws: list[float], probability: float) -> str:
    """Drop words of letters: each has the spaces in front of it, the last one those behind it, too."""
    words = re.findall(r" *[^ ]+(?: +$)?", text) or ([text] if text else [])
    left = "".join(words[number] for number in left_of(list(map(list, words)), draws, probability))
    return left if text.startswith(" ") else left.lstrip(" ")


@given(WRITTEN, PROBABILITIES, SEEDS)
def test_words_of_letters_go_as_if_one_by_one(texts: list[str], probability: float, seed: int) -> None:
    left = augmented(word_dropout(SPEC, probability=probability), encoded(texts), seed)
    draws = draws_of(list(map(len, texts)), seed)
    assert written(left) == [word_by_word(*row, probability) for row in zip(texts, draws, strict=True)]
    assert left.tokens.dtype == torch.uint8
    assert [bool(text) for text in written(left)] == [bool(text) for text in texts]


@given(ROWS, PROBABILITIES, SEEDS)
def test_words_of_pieces_go_as_if_one_by_one(rows: list[list[int]], probability: float, seed: int) -> None:
    left = augmented(word_dropout(PIECES, probability=probability), ragged(rows), seed)
    expected = []
    for row, draws in zip(rows, draws_of(list(map(len, rows)), seed), strict=True):
        words: list[list[int]] = []
        for token in row:
            words = [*words, [token]] if token >= 5 or not words else [*words[:-1], [*words[-1], token]]
        expected.append([token for number in left_of(words, draws, probability) for token in words[number]])
    assert rows_of(left) == expected


@given(ROWS, PROBABILITIES, SEEDS)
def test_tokens_go_as_if_one_by_one(rows: list[list[int]], probability: float, seed: int) -> None:
    left = augmented(token_dropout(PIECES, probability=probability), ragged(rows), seed)
    draws = draws_of([1, *map(len, rows)], seed)[1:]
    pairs = [zip(*row, strict=True) for row in zip(rows, draws, strict=True)]
    assert rows_of(left) == [[1 if draw < probability else token for token, draw in row] for row in pairs]
    assert left.tokens[0] == 0
    assert left.tokens.dtype == torch.uint8


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("a b", {"a b", "a", "b"}),
        ("ab  ba a", {"ab  ba a", "ab  ba", "ab a", "ba a", "ab", "ba", "a"}),
        (" a b ", {" a b ", " a", " b "}),
        ("a b ", {"a b ", "a", "b "}),
        ("  ", {"  "}),
        ("ab", {"ab"}),
        ("", {""}),
    ],
)
def test_what_can_be_left_of_a_text(text: str, left: set[str]) -> None:
    rows = encoded([text] * 200)
    assert set(written(augmented(word_dropout(SPEC, probability=0.5), rows))) == left


def test_where_the_encoding_tells_no_words_every_token_is_one() -> None:
    spec = InputSpec("text", (3,), 8)
    left = rows_of(augmented(word_dropout(spec, probability=0.5), ragged([[7, 3, 5]] * 400)))
    assert sorted(map(list, set(map(tuple, left)))) == [[3], [3, 5], [5], [7], [7, 3], [7, 3, 5], [7, 5]]


@pytest.mark.parametrize("builder", [token_dropout, word_dropout])
@given(rows=ROWS, seed=SEEDS)
def test_padded_tokens_change_as_the_rows_do(builder, rows: list[list[int]], seed: int) -> None:
    augment, texts = builder(PIECES, probability=0.4), ragged(rows, 12)
    for dtype in (torch.int64, torch.int16):
        ids = texts.padded().to(dtype)
        changed = augmented(augment, ids, seed)
        assert changed.tolist() == augmented(augment, texts, seed).padded().tolist()
        assert changed.dtype == dtype
        assert ids.equal(texts.padded().to(dtype))


@pytest.mark.parametrize("builder", [token_dropout, word_dropout])
@given(rows=ROWS, data=st.data())
def test_chosen_rows_of_many_are_read_and_nothing_is_changed(builder, rows, data) -> None:
    chosen = data.draw(st.lists(st.integers(0, len(rows) - 1), min_size=1))
    texts = ragged(rows)
    batch = texts.index_select(0, torch.tensor(chosen))
    augment = builder(PIECES, probability=0.4)
    assert rows_of(augmented(augment, batch)) == rows_of(augmented(augment, ragged([rows[row] for row in chosen])))
    assert rows_of(texts) == rows


def test_the_share_of_what_goes_is_the_probability() -> None:
    texts = ragged([[5, 3, 2, 6, 7, 4] * 20] * 200)
    for probability in (0.1, 0.3):
        left = augmented(token_dropout(PIECES, probability=probability), texts)
        assert (left.tokens == 1).float().mean() == pytest.approx(probability, abs=0.01)
        left = augmented(word_dropout(PIECES, probability=probability), texts)
        assert left.lengths.sum() / texts.lengths.sum() == pytest.approx(1 - probability, abs=0.01)
        gone = [1 - (left.tokens == token).sum() / (200 * 20) for token in (5, 6, 7)]
        assert gone == pytest.approx([probability] * 3, abs=0.03)
        assert (left.tokens == 5).sum() == (left.tokens == 3).sum() == (left.tokens == 2).sum()


def test_the_padding_of_a_width_stays_and_without_one_the_batch_gets_narrower() -> None:
    rows, augment = [[5, 6, 7] * 3] * 4, word_dropout(PIECES, probability=0.9)
    assert PadTokens()(augmented(augment, ragged(rows, 12))).shape == (4, 12)
    assert PadTokens()(augmented(augment, ragged(rows))).shape[1] < 9


def test_pieces_that_were_learned_make_the_words_that_are_written(tmp_path: Path) -> None:
    parts = prepare(source(tmp_path, TEXTS), holdout=4, limit=None, seed=1, encoding=sentencepiece(vocabulary=60))
    tokenizer, inputs = parts.tokenizer, parts.train.inputs
    assert isinstance(tokenizer, SubwordTokenizer)
    assert isinstance(inputs, Ragged)
    before = tokenizer.decode(inputs.padded())
    left = augmented(word_dropout(parts.spec, probability=0.5), inputs)
    assert left.tokens.dtype == torch.int16
    after = tokenizer.decode(left.padded())
    starts = set(parts.spec.words.starts)
    for old, new, row, draws in zip(before, after, rows_of(inputs), draws_of(inputs.lengths.tolist(), 1), strict=True):
        begins = [place for place, token in enumerate(row) if token in starts]
        assert len(begins) == len(old.split())
        drawn = [draws[place] for place in begins]
        words = zip(old.split(), drawn, strict=True)
        assert new == " ".join(word for word, draw in words if draw >= 0.5 or draw == max(drawn))
    unknown = augmented(token_dropout(parts.spec, probability=0.5), inputs)
    assert 0.3 < (unknown.tokens == tokenizer.encode(["Ω"])[0, -1]).float().mean() < 0.7


def test_characters_tell_their_spaces() -> None:
    tokenizer = CharacterTokenizer(40, "full")
    ids = tokenizer.encode(["The food, was\tgood!"] * 500)
    left = tokenizer.decode(augmented(word_dropout(tokenizer.spec, probability=0.5), ids))
    words = ("the", "food,", "was", "good!")
    subsets = {" ".join(word for bit, word in enumerate(words) if number >> bit & 1) for number in range(1, 16)}
    assert set(left) == subsets
    assert CharacterTokenizer(4, "full", "ab").spec.words == WordMarks()


def test_marks_of_words_are_no_part_of_the_form() -> None:
    assert InputSpec("text", (12,), 5) == SPEC
    assert "words" not in repr(SPEC)


@pytest.mark.parametrize(("kind", "builder"), [("token_dropout", token_dropout), ("word_dropout", word_dropout)])
def test_images_are_refused(kind: str, builder) -> None:
    with pytest.raises(InputError, match=rf"data\.augment\.kind: '{kind}' is for texts, the data set holds image"):
        builder(InputSpec("image", (1, 8, 8)))


@pytest.mark.gpu
def test_a_gpu_makes_the_same_of_them() -> None:
    texts = ragged([[n % 7 + 1 for n in range(row, row + row % 9)] for row in range(200)])
    for builder in (token_dropout, word_dropout):
        here, there = (augmented(builder(PIECES, probability=0.4), texts.to(device)) for device in ("cpu", "cuda"))
        assert there.tokens.device.type == "cuda"
        assert PadTokens()(there).cpu().equal(PadTokens()(here))
