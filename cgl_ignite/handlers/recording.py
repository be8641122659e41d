"""What is recorded of every epoch: one row, written to a file and handed to the tracker."""

from __future__ import annotations

import resource

import torch
from ignite.engine import Engine, Events

from cgl_ignite.handlers.state import state_of
from cgl_ignite.tracking import Journal, SystemMetrics, epoch_values, final_values

__all__ = ["MetricsRecorder", "TestRecorder", "peak_memory"]


class MetricsRecorder:
    """Log the values of an epoch when everything about it is known."""

    def __init__(self, journal: Journal, system: SystemMetrics, device: torch.device) -> None:
        self.journal = journal
        self.system = system
        self.device = device

    def attach(self, engine: Engine) -> None:
        """Write ``state.peak_memory`` and a row of the journal."""
        engine.add_event_handler(Events.ITERATION_COMPLETED, lambda _: self.system.poll())
        engine.add_event_handler(Events.EPOCH_COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        state_of(engine).peak_memory = peak_memory(self.device)
        self.journal.log(state_of(engine).epoch, {**epoch_values(state_of(engine)), **self.system.values()})


class TestRecorder:
    """Log the scores on the test set, once."""

    __test__ = False

    def __init__(self, journal: Journal) -> None:
        self.journal = journal

    def attach(self, engine: Engine) -> None:
        """Write the final row of the journal."""
        engine.add_event_handler(Events.COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        values = final_values(state_of(engine).test, state_of(engine).selected.student)
        self.journal.log(state_of(engine).epoch, values, final=True)


def peak_memory(device: torch.device) -> int:
    """Return the greatest memory in use so far, in bytes: CUDA's allocations, else the whole process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
