"""A 64-bit hash of every row, so that equal rows are found without comparing each with each."""

from __future__ import annotations

from hashlib import blake2b
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

__all__ = ["BLANK", "hash_rows", "hash_texts"]

_BYTES = 8
_WORDS_AT_ONCE = 2**16
_MULTIPLIER = np.uint64(0xBF58476D1CE4E5B9)


def hash_rows(rows: Tensor) -> Tensor:
    r"""Hash the bytes of every row.

    With w_i the 64-bit words of a row and c_i fixed random odd numbers,
    :math:`h = \sum_i c_i\,m(w_i) \bmod 2^{64}`, where m lets every bit of a word change the lower ones.

    Shape: rows (N, ...) of any type, on the CPU; result int64 (N,).

    Example:
        >>> a, b, c = hash_rows(torch.tensor([[1, 2], [2, 1], [1, 2]], dtype=torch.uint8)).tolist()
        >>> a == c, a == b
        (True, False)
    """
    if not rows.numel():
        return torch.zeros(len(rows), dtype=torch.int64)
    flat = rows.reshape(len(rows), -1).contiguous().view(torch.uint8).numpy()
    words = -(-flat.shape[1] // _BYTES)
    factors = np.random.Philox(key=0).random_raw(words) | np.uint64(1)
    step = max(1, _WORDS_AT_ONCE // words)
    hashes = [_hash_some(flat[first : first + step], factors) for first in range(0, len(flat), step)]
    return torch.from_numpy(np.concatenate(hashes).view(np.int64))


def _hash_some(flat: NDArray[np.uint8], factors: NDArray[np.uint64]) -> NDArray[np.uint64]:
    padded = np.zeros((len(flat), len(factors) * _BYTES), np.uint8)
    padded[:, : flat.shape[1]] = flat
    words = padded.view("<u8")
    words ^= words >> np.uint64(32)
    words *= _MULTIPLIER
    words ^= words >> np.uint64(29)
    hashes: NDArray[np.uint64] = words @ factors
    return hashes


def hash_texts(texts: pa.StringArray) -> NDArray[np.int64]:
    """Hash every text of an arrow array, without white space at its ends, to int64 (N,)."""
    import pyarrow.compute as pc

    trimmed = pc.utf8_trim_whitespace(texts)
    _, offsets, content = trimmed.buffers()
    bounds = np.frombuffer(offsets, np.int32)[trimmed.offset : trimmed.offset + len(trimmed) + 1].tolist()
    view = memoryview(content) if content else memoryview(b"")
    digests = [_digest(view[start:end]) for start, end in pairwise(bounds)]
    return np.frombuffer(b"".join(digests), np.int64)


def _digest(content: bytes | memoryview) -> bytes:
    return blake2b(content, digest_size=_BYTES).digest()


BLANK = int.from_bytes(_digest(b""), "little", signed=True)
"""The hash of a text without any visible character."""
