"""Labelled texts in files, read block by block and never all at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

__all__ = ["Block", "Corpus", "files_identity"]


@dataclass(frozen=True)
class Block:
    """A chunk of rows: an arrow array of their texts, their classes (N,), and how much of all has been read."""

    texts: pa.StringArray
    targets: NDArray[np.int64]
    done: float


@dataclass(frozen=True)
class Corpus:
    """One part of a text data set, before it is encoded.

    Args:
        title: its name in messages.
        identity: changes when the files change, or the way they are read.
        cache: the folder for what is computed from it.
        read: opens the files and yields all rows in order; each call starts anew.
        weights: how much each row counts, float64 (N,); None if all count alike.
    """

    title: str
    identity: str
    cache: Path
    read: Callable[[], Iterator[Block]]
    weights: Tensor | None = None

    def only(self, rows: Tensor) -> Corpus:
        """Keep the rows at these indices, sorted and each once."""
        chosen = rows.numpy()
        identity = blake2b(chosen.tobytes(), digest_size=16).hexdigest()
        read = partial(_filtered, self.read, chosen)
        weights = None if self.weights is None else self.weights[rows]
        return replace(self, identity=f"{self.identity} rows {identity}", read=read, weights=weights)


def _filtered(read: Callable[[], Iterator[Block]], chosen: NDArray[np.int64]) -> Iterator[Block]:
    first = 0
    for block in read() if len(chosen) else ():
        here = slice(*np.searchsorted(chosen, [first, first + len(block.targets)]))
        rows = chosen[here] - first
        if len(rows):
            yield Block(block.texts.take(rows), block.targets[rows], block.done)
        first += len(block.targets)
        if first > chosen[-1]:
            return


def files_identity(*paths: Path) -> str:
    """Tell files apart by path, size and time of change, without reading them."""
    facts = []
    for path in paths:
        status = path.stat()
        facts.append(f"{path.resolve()} {status.st_size} {status.st_mtime_ns}")
    return blake2b("\n".join(facts).encode(errors="surrogateescape"), digest_size=16).hexdigest()
