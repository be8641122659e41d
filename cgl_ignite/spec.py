"""What a data set tells a backbone about its inputs."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["InputSpec"]


@dataclass(frozen=True)
class InputSpec:
    """The form of one input: modality and shape, for images (channels, height, width)."""

    modality: str
    shape: tuple[int, ...]
