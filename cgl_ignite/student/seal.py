"""A sha256 within the content that it is of: what was written is told from what was changed later.

The digest is that of the whole file with 64 zeros in its place, so it can be written into a header.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from cgl_ignite.errors import InputError

__all__ = ["PLACE", "check_seal", "is_sealed", "seal"]

PLACE = f"sha256:{'0' * 64}"
"""What stands in a content where its digest will."""

_SEAL = re.compile(rb"sha256:([0-9a-f]{64})")


def seal(content: bytes) -> bytes:
    """Write the digest of a content into it, in the first place that is kept for it.

    Example:
        >>> sealed = seal(f"weights, {PLACE}".encode())
        >>> sealed[:20]
        b'weights, sha256:0be7'
        >>> is_sealed(sealed), is_sealed(sealed.replace(b"weights", b"Weights"))
        (True, False)
    """
    return content.replace(PLACE.encode(), f"sha256:{hashlib.sha256(content).hexdigest()}".encode(), 1)


def is_sealed(content: bytes) -> bool:
    """Tell whether a content holds its own digest."""
    return any(_fits(content, found) for found in _SEAL.finditer(content))


def check_seal(path: Path, content: bytes) -> None:
    """Make sure that the content of a file is what was written.

    Raises:
        InputError: it is not.
    """
    if not is_sealed(content):
        raise InputError(f"{path}: damaged, or changed since it was written: its content does not have its sha256")


def _fits(content: bytes, found: re.Match[bytes]) -> bool:
    digest = hashlib.sha256(content[: found.start()])
    digest.update(PLACE.encode())
    digest.update(memoryview(content)[found.end() :])
    return digest.hexdigest().encode() == found[1]
