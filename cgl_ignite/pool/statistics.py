"""Running statistics of a pool, estimated anew."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from cgl_ignite.pool.network import ModularNetwork
from cgl_ignite.pool.normalisation import StudentBatchNorm
from cgl_ignite.pool.plan import Unit, plan_forward

__all__ = ["estimate_statistics"]


def estimate_statistics(pool: ModularNetwork, batches: Iterable[Tensor]) -> None:
    """Let the running statistics of all students be the means of those of some batches; weights stay as they are.

    Students that run the same prefix on the same data have the same statistics there, so it runs once.

    Args:
        pool: in evaluation mode; its batch normalisation alone is in training mode meanwhile.
        batches: normalised inputs, of about equal size, as all count the same.
    """
    norms = [part for part in pool.modules() if isinstance(part, StudentBatchNorm)]
    if not norms:
        return
    units = [Unit(student, 0, own=True, gradient=False) for student in range(pool.routes.students)]
    plan = plan_forward(pool.routes, units, training=False)
    momenta = [norm.momentum for norm in norms]
    try:
        with torch.no_grad():
            for number, inputs in enumerate(batches, start=1):
                for norm in norms:
                    norm.train()
                    norm.momentum = 1 / number
                pool([inputs], plan)
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.eval()
            norm.momentum = momentum
