"""What a data set tells a backbone about its inputs."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["InputSpec"]


@dataclass(frozen=True)
class InputSpec:
    """The form of one input: modality and shape, for images (channels, height, width), for texts (length,).

    ``vocabulary`` is the number of tokens that texts are made of, padding (0) and unknown (1) among them.
    """

    modality: str
    shape: tuple[int, ...]
    vocabulary: int = 0
