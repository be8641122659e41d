"""Randomness with an address: every draw is a pure function of the seed and of where it is used."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import torch

__all__ = ["address", "global_stream", "stream"]


def address(seed: int, purpose: str, *position: int) -> int:
    """Hash an address to a 63-bit seed; different addresses give independent streams.

    Example:
        >>> address(1, "shuffle", 3) == address(1, "shuffle", 3) != address(1, "shuffle", 4)
        True
    """
    text = "/".join((str(seed), purpose, *map(str, position)))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


def stream(seed: int, purpose: str, *position: int, device: torch.device | str = "cpu") -> torch.Generator:
    """Open the generator that stands at an address, e.g. ``stream(seed, "shuffle", epoch, student)``."""
    return torch.Generator(device).manual_seed(address(seed, purpose, *position))


@contextmanager
def global_stream(seed: int, purpose: str, *position: int) -> Iterator[None]:
    """Lend PyTorch's global CPU generator the state of an address, and give it back unchanged.

    For code that takes no generator, such as the initialisation of ``torch.nn`` layers.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(address(seed, purpose, *position))
        yield
