"""Dropout of tokens and of words: drawn per token, applied to all texts of a batch at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from cgl_ignite.data.augment.base import AUGMENTATIONS, Augmentation, Samples, texts_only
from cgl_ignite.data.send import send
from cgl_ignite.data.text.ragged import Ragged
from cgl_ignite.spec import UNKNOWN, InputSpec, WordMarks

__all__ = ["token_dropout", "word_dropout"]

Probability = Annotated[float, Field(ge=0, lt=1)]


@AUGMENTATIONS.register("token_dropout", modality="text")
def token_dropout(spec: InputSpec, *, probability: Probability = 0.1) -> Augmentation:
    """Replace tokens by the unknown token, each independently of the others; padding stays.

    In every encoding the unknown token has the id 1. Padding would not do: to a Transformer it is no token at all.

    References: Iyyer et al., "Deep Unordered Composition Rivals Syntactic Methods for Text Classification", 2015, where
    words are left out of a mean; Bowman et al., "Generating Sentences from a Continuous Space", 2016, where the
    unknown word takes their place.

    Args:
        spec: the form of the texts.
        probability: of a token being replaced.

    Raises:
        InputError: the data set does not hold texts.
    """
    texts_only("token_dropout", spec)

    def dropped(texts: Ragged, generator: torch.Generator) -> Ragged:
        tokens = texts.tokens
        chosen = send(torch.rand(len(tokens), generator=generator) < probability, tokens.device)
        return replace(texts, tokens=tokens.masked_fill(chosen & (tokens != 0), UNKNOWN))

    return _on_texts(dropped)


@AUGMENTATIONS.register("word_dropout", modality="text")
def word_dropout(spec: InputSpec, *, probability: Probability = 0.1) -> Augmentation:
    """Remove words, each independently of the others; what is left of a text moves together.

    A word is what stands between spaces. The space in front goes with it; with words that begin a text goes the space
    behind them. Of a text whose words would all go, the one with the highest draw stays. Where the encoding does not
    tell its words, every token is one.

    Reference: Wei and Zou, "EDA: Easy Data Augmentation Techniques for Boosting Performance on Text Classification
    Tasks", 2019, section 2, random deletion.

    Args:
        spec: the form of the texts, with the marks of words.
        probability: of a word being removed.

    Raises:
        InputError: the data set does not hold texts.
    """
    texts_only("word_dropout", spec)
    roles = None if spec.words is None else _roles(spec.words, spec.vocabulary)

    def dropped(texts: Ragged, generator: torch.Generator) -> Ragged:
        """Choose on the device of the tokens; their new lengths, which lie on the CPU, have to be waited for."""
        tokens, device = texts.tokens[1:], texts.tokens.device
        rows = torch.arange(len(texts)).repeat_interleave(texts.lengths)
        drawn = send(torch.rand(len(rows), generator=generator), device)
        rows, first = send(torch.stack([rows, (texts.starts - 1)[rows]]), device)
        role = send(roles, device)[tokens.long()] if roles is not None else torch.full_like(rows, _START)
        draws = drawn[_word_starts(role, first)]
        kept = (draws >= probability) | (draws == _per_text(draws, first, "amax"))
        spaces, places = role == _SPACE, torch.arange(len(rows), device=device)
        head = _per_text(torch.where(kept & ~spaces, places, len(rows)), first, "amin")
        kept &= ~spaces | (places > head) | spaces[first]  # no space in front of a text that had none there
        lengths = rows.new_zeros(len(texts)).scatter_add(0, rows, kept.long()).cpu()
        left = torch.cat([texts.tokens[:1], tokens[kept]])
        return Ragged(left, 1 + lengths.cumsum(0) - lengths, lengths, texts.width)

    return _on_texts(dropped)


_START, _SPACE = 1, 2


def _roles(marks: WordMarks, vocabulary: int) -> Tensor:
    """Tell of each token whether it begins a word or is a space. Shape: uint8 (vocabulary,)."""
    roles = torch.zeros(vocabulary, dtype=torch.uint8)
    roles[list(marks.starts)] = _START
    roles[list(marks.spaces)] = _SPACE
    return roles


def _word_starts(role: Tensor, first: Tensor) -> Tensor:
    """Tell of each token where its word begins, with the spaces in front of it.

    Spaces that end a text belong to its last word, and those that are all of it are one word.

    Shape: role, first (where its text begins) and result (M,).
    """
    spaces, places = role == _SPACE, torch.arange(len(role), device=role.device)
    last = _per_text(torch.where(spaces, -1, places), first, "amax")
    begins = (places == first) | ((role > 0) & ~spaces.roll(1) & (places <= last))
    return torch.where(begins, places, 0).cummax(0).values


def _per_text(values: Tensor, first: Tensor, how: str) -> Tensor:
    """Reduce the values of each text, and hand the result to each of its tokens. Shape: all (M,)."""
    return torch.empty_like(values).scatter_reduce(0, first, values, how, include_self=False)[first]


def _on_texts(change: Callable[[Ragged, torch.Generator], Ragged]) -> Augmentation:
    """Hand the texts on with their own tokens only; token ids that are padded already keep their width."""

    def augment(samples: Samples, generator: torch.Generator) -> Samples:
        inputs = samples.inputs
        if isinstance(inputs, Ragged):
            return replace(samples, inputs=change(inputs.packed(), generator))
        changed = change(_unpadded(inputs).packed(), generator)
        return replace(samples, inputs=changed.padded().to(inputs.dtype))

    return augment


def _unpadded(ids: Tensor) -> Ragged:
    """Take the padding behind texts off. Shape: ids (B, T)."""
    count, width = ids.shape
    lengths = ((ids != 0) * torch.arange(1, width + 1, device=ids.device)).amax(1)
    tokens = torch.cat([ids.new_zeros(1), ids.flatten()])
    return Ragged(tokens, 1 + width * torch.arange(count), lengths.cpu(), width)
