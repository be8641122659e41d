"""Mean losses and speed of an epoch, summed on the device and read once."""

from __future__ import annotations

import time
from typing import Any

import torch
from ignite.engine import Engine, Events

from cgl_ignite.errors import RunFailed
from cgl_ignite.handlers.state import StudentLosses, TrainingLosses, state_of

__all__ = ["TrainingAverages"]


class TrainingAverages:
    """Sum losses and samples of every student over an epoch.

    The sums are cleared by the first iteration of the next epoch, so they survive in a checkpoint taken at any moment.

    Raises:
        RunFailed: a loss that is not finite, at the end of the epoch.
    """

    def __init__(self, students: int, device: torch.device) -> None:
        self.sums = torch.zeros(3, students, dtype=torch.float64, device=device)
        self.seconds = 0.0
        self.epoch_seconds = 0.0
        self._since: float | None = None

    def attach(self, engine: Engine) -> None:
        """Write ``state.training``, ``state.samples_per_second`` and ``state.train_seconds``."""
        engine.add_event_handler(Events.EPOCH_STARTED, self.start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.add)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self)

    def start(self, engine: Engine) -> None:
        """Start the clock."""
        self._since = time.perf_counter()

    def add(self, engine: Engine) -> None:
        """Add the losses of an iteration, without waiting for the device."""
        losses: StudentLosses = state_of(engine).output
        if (state_of(engine).iteration - 1) % state_of(engine).epoch_length == 0:
            self.sums.zero_()
            self.epoch_seconds = 0.0
        sizes = torch.tensor(losses.sizes, dtype=torch.float64).to(self.sums.device, non_blocking=True)
        self.sums += torch.stack([losses.ce * sizes, losses.kl * sizes, sizes])

    def __call__(self, engine: Engine) -> None:
        totals = self.sums.cpu()
        self._book()
        self._since = None
        means = (totals[:2] / totals[2].clamp(min=1)).tolist()
        state_of(engine).training = TrainingLosses(*means)
        state_of(engine).train_seconds = self.seconds
        state_of(engine).samples_per_second = float(totals[2].sum()) / max(self.epoch_seconds, 1e-9)
        if not totals.isfinite().all():
            raise RunFailed(
                f"the training loss is not finite in epoch {state_of(engine).epoch}; a smaller optim.learning_rate"
                f" (now {state_of(engine).learning_rate:g}) usually helps"
            )

    def state_dict(self) -> dict[str, Any]:
        """Return the sums and seconds so far."""
        self._book()
        return {"sums": self.sums.cpu(), "seconds": self.seconds, "epoch_seconds": self.epoch_seconds}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up sums and seconds."""
        self.sums.copy_(state["sums"])
        self.seconds, self.epoch_seconds = state["seconds"], state["epoch_seconds"]

    def _book(self) -> None:
        if self._since is not None:
            now = time.perf_counter()
            self.seconds += now - self._since
            self.epoch_seconds += now - self._since
            self._since = now
