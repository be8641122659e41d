"""Other weights for a while: those of an epoch that was selected, or an average."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from torch import Tensor

from cgl_ignite.pool import ModularNetwork

__all__ = ["copied", "lent"]


def copied(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Copy weights, so that they stay as they are while the training goes on."""
    return {name: value.detach().clone() for name, value in weights.items()}


@contextmanager
def lent(pool: ModularNetwork, weights: Mapping[str, Tensor]) -> Iterator[None]:
    """Lend the pool weights; its own come back however the block ends."""
    own = copied(pool.state_dict())
    pool.load_state_dict(weights)
    try:
        yield
    finally:
        pool.load_state_dict(own)
