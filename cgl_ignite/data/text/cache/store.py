"""Encoded texts in files: concatenated token ids, mapped into memory when they are read."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cgl_ignite.data.base import Examples
from cgl_ignite.data.encoding import Tokenizer, cut
from cgl_ignite.data.hashing import hash_texts
from cgl_ignite.data.text.cache.files import kept, key_of
from cgl_ignite.data.text.corpus import Corpus
from cgl_ignite.data.text.ragged import Ragged
from cgl_ignite.progress import report

__all__ = ["encoded", "read_targets"]

_VERSION = 2
TOKENS, BOUNDS, TARGETS, HASHES = "tokens.bin", "bounds.npy", "targets.npy", "hashes.npy"


def encoded(corpus: Corpus, tokenizer: Tokenizer, settings: str) -> Examples:
    """Return all rows of a corpus encoded; they are read and encoded only if nobody has done so before.

    Args:
        settings: tells apart tokenizers that give different ids.
    """
    entry = kept(corpus.cache, key_of(_VERSION, corpus.identity, settings), partial(_write, corpus, tokenizer))
    tokens = np.memmap(entry / TOKENS, tokenizer.dtype, mode="c")
    bounds = torch.from_numpy(np.load(entry / BOUNDS))
    rows = Ragged(torch.from_numpy(tokens), bounds[:-1], bounds.diff())
    targets, hashes = (torch.from_numpy(np.load(entry / file)) for file in (TARGETS, HASHES))
    return Examples(cut(rows, tokenizer), targets, hashes)


def read_targets(corpus: Corpus) -> Tensor:
    """Return the classes of all rows, (N,); the texts are read only if nobody has done so before."""
    entry = kept(corpus.cache, key_of(_VERSION, corpus.identity, "targets"), partial(_write_targets, corpus))
    return torch.from_numpy(np.load(entry / TARGETS))


def _write_targets(corpus: Corpus, folder: Path) -> None:
    targets = [np.zeros(0, np.int64)]
    for block in corpus.read():
        targets.append(block.targets)
        report(f"reading {corpus.title}", sum(map(len, targets)), block.done)
    np.save(folder / TARGETS, np.concatenate(targets))


def _write(corpus: Corpus, tokenizer: Tokenizer, folder: Path) -> None:
    """Encode block by block; position 0 holds padding."""
    doing, rows = f"encoding {corpus.title}", 0
    counts: list[np.ndarray[Any, np.dtype[np.int64]]] = [np.ones(1, np.int64)]
    targets, hashes = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    with (folder / TOKENS).open("wb") as file:
        file.write(np.zeros(1, tokenizer.dtype).tobytes())
        for block in corpus.read():
            flat, lengths = tokenizer.tokens(block.texts)
            file.write(flat.astype(tokenizer.dtype, copy=False).data)
            counts.append(lengths)
            targets.append(block.targets)
            hashes.append(hash_texts(block.texts))
            rows += len(lengths)
            report(doing, rows, block.done)
    np.save(folder / BOUNDS, np.concatenate(counts).cumsum())
    np.save(folder / TARGETS, np.concatenate(targets))
    np.save(folder / HASHES, np.concatenate(hashes))
    report(doing, rows, 1.0)
