"""The person in front of the training."""

from __future__ import annotations

from ignite.engine import Engine, Events

from cgl_ignite.display import Screen
from cgl_ignite.handlers.state import state_of

__all__ = ["Watcher"]


class Watcher:
    """Show iterations and epochs on a screen."""

    def __init__(self, screen: Screen) -> None:
        self.screen = screen

    def attach(self, engine: Engine) -> None:
        """Read only; no attribute is written."""
        engine.add_event_handler(Events.ITERATION_COMPLETED, lambda engine: self.screen.iteration(state_of(engine)))
        engine.add_event_handler(Events.EPOCH_COMPLETED, lambda engine: self.screen.epoch(state_of(engine)))
