"""One student taken out of the pool as an ordinary network."""

from __future__ import annotations

import copy

from torch import nn

from cgl_ignite.pool.dropout import AddressedDropout
from cgl_ignite.pool.network import ModularNetwork
from cgl_ignite.pool.normalisation import StudentBatchNorm
from cgl_ignite.pool.pointwise import StridedPointwise
from cgl_ignite.pool.replace import replace_layers

__all__ = ["extract_student"]


def extract_student(pool: ModularNetwork, student: int) -> nn.Sequential:
    """Copy the modules on a student's path into a plain ``nn.Sequential``, with the student's own statistics.

    The result shares nothing with the pool, holds only layers of ``torch.nn``, and is in evaluation mode.
    """
    path, slots = pool.routes.paths[student], pool.routes.slots[student]
    layers = [
        _plain(copy.deepcopy(modules[module]), slot)  # type: ignore[index]
        for modules, module, slot in zip(pool.layers, path, slots, strict=True)
    ]
    return nn.Sequential(*layers).requires_grad_(True).eval()


def _plain(module: nn.Module, slot: int) -> nn.Module:
    def ordinary(part: nn.Module) -> nn.Module | None:
        if isinstance(part, StudentBatchNorm):
            return part.plain(slot)
        return part.plain() if isinstance(part, (AddressedDropout, StridedPointwise)) else None

    return replace_layers(module, ordinary)
