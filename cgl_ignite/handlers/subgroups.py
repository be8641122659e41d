"""Sub-group imitation: a new draw in every iteration."""

from __future__ import annotations

from ignite.engine import Engine, Events

from cgl_ignite.handlers.state import state_of
from cgl_ignite.imitation import Choice

__all__ = ["SubgroupResampler"]


class SubgroupResampler:
    """Decide before each forward pass whom every student imitates (``Select`` of Eq. 5)."""

    def __init__(self, choice: Choice, seed: int) -> None:
        self.choice = choice
        self.seed = seed

    def attach(self, engine: Engine) -> None:
        """Write ``state.imitated`` when an iteration starts."""
        engine.add_event_handler(Events.ITERATION_STARTED, self)

    def __call__(self, engine: Engine) -> None:
        state_of(engine).imitated = self.choice.at(self.seed, state_of(engine).iteration)
