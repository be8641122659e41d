from __future__ import annotations

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given

from cgl_ignite.data import CharacterTokenizer, restore_tokenizer
from cgl_ignite.data.text.tokenizers.characters import ALPHABET
from cgl_ignite.errors import InputError


def slowly(text: str, length: int) -> list[int]:
    """What the tokenizer must give, character by character."""
    ids = []
    for character in text[:length]:
        small = chr(ord(character) + 32) if "A" <= character <= "Z" else character
        small = " " if small in "\t\n\v\f\r" else small
        ids.append(2 + ALPHABET.index(small) if small in ALPHABET else 1)
    return ids + [0] * (length - len(ids))


def test_the_alphabet_is_that_of_the_paper() -> None:
    assert len(ALPHABET) == len(set(ALPHABET)) == 67
    assert CharacterTokenizer(1024, "full").spec.vocabulary == 69
    assert ALPHABET == " abcdefghijklmnopqrstuvwxyz0123456789-,;.!?:'\"/|_#$%^&*~`+=<>()[]{}"


def test_ids_known_by_hand() -> None:
    ids = CharacterTokenizer(5, "full").encode(["Az 0", "{}", "", "abcdefg"])
    assert ids.tolist() == [[3, 28, 2, 29, 0], [67, 68, 0, 0, 0], [0] * 5, [3, 4, 5, 6, 7]]
    assert ids.dtype == torch.int64


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("İI", [1, 11]),
        ("\N{KELVIN SIGN}k", [1, 13]),
        ("ß😀z", [1, 1, 28]),
        ("e\N{COMBINING ACUTE ACCENT}", [7, 1]),
        ("a\tb\nc", [3, 2, 4, 2, 5]),
        ("\\@\0", [1, 1, 1]),
    ],
)
def test_what_is_not_in_the_alphabet_is_one_unknown_per_character(text: str, ids: list[int]) -> None:
    assert CharacterTokenizer(9, "batch").encode([text]).tolist() == [ids]


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=30), min_size=1), st.integers(1, 20))
def test_batches_equal_one_character_at_a_time(texts: list[str], length: int) -> None:
    ids = CharacterTokenizer(length, "full").encode(texts)
    assert ids.tolist() == [slowly(text, length) for text in texts]
    narrow = CharacterTokenizer(length, "batch").encode(texts)
    assert narrow.shape[1] == max(1, min(length, max(map(len, texts))))
    assert ids[:, : narrow.shape[1]].equal(narrow)


def test_decoding_gives_the_letters_back() -> None:
    tokenizer = CharacterTokenizer(30, "full")
    assert tokenizer.decode(tokenizer.encode(["Hello, [world]!", "ü"])) == [
        "hello, [world]!",
        "\N{REPLACEMENT CHARACTER}",
    ]


def test_the_state_is_all_there_is() -> None:
    tokenizer = CharacterTokenizer(7, "batch", " ab")
    assert restore_tokenizer(tokenizer.state()) == tokenizer
    assert tokenizer.state() == {"kind": "characters", "length": 7, "pad": "batch", "alphabet": " ab"}


def test_half_a_character_is_refused() -> None:
    with pytest.raises(InputError, match="not valid Unicode"):
        CharacterTokenizer(7, "full").encode(["\ud800"])
