"""What a data set tells a backbone about its inputs."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["UNKNOWN", "InputSpec", "WordMarks"]

UNKNOWN = 1
"""The token of what an encoding does not know."""


@dataclass(frozen=True)
class WordMarks:
    """The tokens that tell where words begin.

    ``starts`` are those that begin a word; ``spaces`` those that are a space between two words and nothing else.
    """

    starts: tuple[int, ...] = ()
    spaces: tuple[int, ...] = ()


@dataclass(frozen=True)
class InputSpec:
    """The form of one input: modality and shape, for images (channels, height, width), for texts (length,).

    ``vocabulary`` is the number of tokens that texts are made of, padding (0) and unknown (1) among them. ``words``
    tells augmentations where words begin, once the encoding has seen the training part; None if every token is a word.
    It is no part of the form: specs that differ in it alone are equal.
    """

    modality: str
    shape: tuple[int, ...]
    vocabulary: int = 0
    words: WordMarks | None = field(default=None, compare=False, repr=False)
