"""What a module must know of the call it runs in, and the layers of ``torch.nn`` that need to know it.

A pool takes plain ``torch.nn`` modules and replaces those whose result depends on which rows belong together:
batch normalisation (statistics are those of one student on one batch) and dropout (a mask has an address).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from cgl_ignite.pool.plan import Call

__all__ = ["Scope"]


@dataclass
class Scope:
    """The current call: rows of each node, its statistics slot, and the address of its random masks.

    ``rows`` and ``groups`` are those of every batch of the pass, ``sizes`` and ``batches`` those of the call's nodes.

    A node of ``large`` bytes gains nothing from being normalised together with others.

    ``draws`` counts the masks drawn in this call so far, so that two dropouts of one module differ.
    One object is shared by all converted layers of a pool; the network sets it before each call.
    """

    sizes: tuple[int, ...] = ()
    slots: tuple[int | None, ...] = ()
    batches: tuple[int, ...] = ()
    prefixes: tuple[int, ...] = ()
    layer: int = 0
    draws: int = 0
    seed: int = 0
    iteration: int = 0
    rows: tuple[int, ...] = ()
    groups: tuple[int, ...] = ()
    large: float = math.inf

    def enter(self, layer: int, call: Call) -> None:
        """Tell the layers which call comes now."""
        self.layer, self.slots, self.prefixes, self.draws = layer, call.slots, call.prefixes, 0
        self.sizes = tuple(self.rows[batch] for batch in call.batches)
        self.batches = tuple(self.groups[batch] for batch in call.batches)
