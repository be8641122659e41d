"""Path sampling: every student gets its path before the first iteration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from ignite.engine import Engine, Events

from cgl_ignite.handlers.state import state_of
from cgl_ignite.pool import ModularNetwork, Routing
from cgl_ignite.seeding import stream

__all__ = ["PathSampler"]


class PathSampler:
    """Draw the (K, L) table once per run from the run's seed and establish the students (Eq. 1)."""

    def __init__(
        self,
        pool: ModularNetwork,
        routing: Routing,
        reads: Sequence[int],
        statistics: Literal["student", "shared"],
        seed: int,
    ) -> None:
        self.pool = pool
        self.routing = routing
        self.reads = reads
        self.statistics = statistics
        self.seed = seed

    def attach(self, engine: Engine) -> None:
        """Write ``state.paths`` when the run starts."""
        engine.add_event_handler(Events.STARTED, self)

    def __call__(self, engine: Engine) -> None:
        state_of(engine).paths = self.routing.sample(stream(self.seed, "paths"))
        self.pool.route(state_of(engine).paths, self.reads, self.statistics)
