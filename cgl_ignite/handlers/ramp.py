"""The ramp-up of the imitation term."""

from __future__ import annotations

from ignite.engine import Engine, Events

from cgl_ignite.config.schema import Ramp
from cgl_ignite.handlers.state import state_of
from cgl_ignite.objective import ramp_up

__all__ = ["RampUp"]


class RampUp:
    """Set φ(t) of Eq. 7 for each epoch, from the epoch alone (t = epoch - 1)."""

    def __init__(self, ramp: Ramp, epochs: int) -> None:
        self.start, self.end = (round(fraction * epochs, 6) for fraction in (ramp.start, ramp.end))

    def attach(self, engine: Engine) -> None:
        """Write ``state.ramp`` when an epoch starts."""
        engine.add_event_handler(Events.EPOCH_STARTED, self)

    def __call__(self, engine: Engine) -> None:
        state_of(engine).ramp = self.at(state_of(engine).epoch)

    def at(self, epoch: int) -> float:
        """Return φ in an epoch, counted from 1."""
        return ramp_up(epoch - 1, self.start, self.end)
