"""Path sampling: every student gets its path before the first iteration."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from ignite.engine import Engine, Events
from torch import Tensor

from cgl_ignite.handlers.state import state_of
from cgl_ignite.pool import ModularNetwork, Routing
from cgl_ignite.seeding import stream

__all__ = ["PathSampler"]


class PathSampler:
    """Draw the (K, L) table once per run from the run's seed and establish the students (Eq. 1).

    Args:
        pool: whose students are established.
        routing: how paths are drawn.
        group_of: for each student, the data group it learns from.
        statistics: who keeps running statistics of normalisation.
        seed: of the run.
        publish: gets the table, to keep it with the run.
    """

    def __init__(
        self,
        pool: ModularNetwork,
        routing: Routing,
        group_of: Sequence[int],
        statistics: Literal["student", "shared"],
        seed: int,
        publish: Callable[[Tensor], None] = lambda paths: None,
    ) -> None:
        self.pool = pool
        self.routing = routing
        self.group_of = group_of
        self.statistics = statistics
        self.seed = seed
        self.publish = publish

    def attach(self, engine: Engine) -> None:
        """Write ``state.paths`` when the run starts."""
        engine.add_event_handler(Events.STARTED, self)

    def __call__(self, engine: Engine) -> None:
        state_of(engine).paths = self.routing.sample(stream(self.seed, "paths"))
        self.pool.route(state_of(engine).paths, self.group_of, self.statistics)
        self.publish(state_of(engine).paths)
