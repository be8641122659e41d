"""How people name the parts of their data: folders, files and values of a column."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

__all__ = ["PART_NAMES", "Part"]

Part: TypeAlias = Literal["train", "holdout", "test"]

PART_NAMES: Mapping[str, Part] = {
    "train": "train",
    "training": "train",
    "val": "holdout",
    "valid": "holdout",
    "validation": "holdout",
    "dev": "holdout",
    "test": "test",
    "testing": "test",
}
"""The part that each name stands for; names are not case-sensitive."""
