"""Finds whatever waits for the GPU."""

from __future__ import annotations

import warnings

import torch

__all__ = ["forbid_waiting"]


def forbid_waiting(forbidden: bool) -> None:
    """Let PyTorch raise an error at what waits for the GPU from now on, or no longer."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Synchronization debug mode is a prototype", UserWarning)
        torch.cuda.set_sync_debug_mode("error" if forbidden else "default")
