"""Whether ``torchrun`` has started this process beside others. Reads the environment and imports nothing."""

from __future__ import annotations

import os

__all__ = ["launched", "processes"]

PLACE = {"RANK", "MASTER_ADDR", "MASTER_PORT"}
"""Variables that tell a process its number, and where it meets the others."""


def processes() -> int:
    """Return how many processes ``torchrun`` has started for this program, 1 without it."""
    text = os.environ.get("WORLD_SIZE", "1")
    return int(text) if text.isdecimal() and os.environ.keys() >= PLACE else 1


def launched() -> bool:
    """Tell whether this process is one of several that ``torchrun`` has started."""
    return processes() > 1
