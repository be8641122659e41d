"""What a run computes on, in which precision, and how it uses the processor."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from cgl_ignite.config.schema import Pipeline
from cgl_ignite.errors import InputError

__all__ = ["cpu_threads", "find_device", "find_precision", "keep_freed_memory"]

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
"""Parameters of ``mallopt``."""
KEPT = 2**30
"""Bytes: no block of a training is larger, and so much may lie free."""


def find_device(wanted: str) -> torch.device:
    """Return the device of a run; ``auto`` takes a GPU where there is one.

    Raises:
        InputError: CUDA is asked for and not there.
    """
    if wanted == "cuda" and not torch.cuda.is_available():
        raise InputError("run.device = 'cuda': PyTorch finds no CUDA device here; take 'cpu' or 'auto'")
    return torch.device("cuda" if wanted != "cpu" and torch.cuda.is_available() else "cpu")


def find_precision(pipeline: Pipeline) -> torch.dtype:
    """Return the type that the layers of a run compute in."""
    precision: torch.dtype = getattr(torch, pipeline.run.precision)
    return precision


@contextmanager
def cpu_threads(threads: int | None) -> Iterator[None]:
    """Give PyTorch this many threads for a run, None as many as it has, and let it use its memory again."""
    keep_freed_memory()
    before = torch.get_num_threads()
    torch.set_num_threads(threads or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def keep_freed_memory() -> bool:
    """Let the C library keep large blocks that are freed, for the next iteration needs the same ones.

    Otherwise glibc hands them back, and the kernel clears every page when it is touched again. This holds for the
    process from now on. A user's own ``MALLOC_...`` or ``GLIBC_TUNABLES`` in the environment is left alone.

    Returns:
        Whether it does; only glibc can be told.
    """
    told = any(name.startswith("MALLOC_") or name == "GLIBC_TUNABLES" for name in os.environ)
    if told or sys.platform != "linux":
        return False
    change = getattr(ctypes.CDLL(None), "mallopt", None)
    return change is not None and bool(change(TRIM_THRESHOLD, KEPT)) and bool(change(MMAP_THRESHOLD, KEPT))
