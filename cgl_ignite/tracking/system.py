"""Load of the machine, sampled now and then by the training itself: no thread."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

__all__ = ["SystemMetrics"]


class Monitor(Protocol):
    """The part of MLflow's monitors that is used."""

    def collect_metrics(self) -> None:
        """Take one sample."""
        ...

    def aggregate_metrics(self) -> dict[str, float]:
        """Average the samples."""
        ...

    def clear_metrics(self) -> None:
        """Forget the samples."""
        ...


class SystemMetrics:
    """CPU, memory and, on CUDA, GPU load, averaged between two readings.

    Args:
        cuda: whether the training runs on a GPU.
        every: seconds that pass at least between two samples.
        clock: seconds, for tests.

    Attributes:
        notes: one line for each part that cannot be measured, and what to install.
    """

    def __init__(self, cuda: bool = False, every: float = 2.0, clock: Callable[[], float] = time.monotonic) -> None:
        self.every = every
        self.clock = clock
        self.notes: list[str] = []
        self.monitors: list[Monitor] = []
        self._next = clock()
        self._add(_cpu_monitor, "CPU load is not recorded: pip install psutil")
        if cuda:
            self._add(_gpu_monitor, "GPU load is not recorded: pip install nvidia-ml-py")

    def poll(self) -> None:
        """Take a sample if it is time; cheap enough for every iteration."""
        now = self.clock()
        if now < self._next:
            return
        self._next = now + self.every
        for monitor in self.monitors:
            monitor.collect_metrics()

    def values(self) -> dict[str, float]:
        """Average the samples since the last reading, as ``system/...``, and start anew."""
        averages: dict[str, float] = {}
        for monitor in self.monitors:
            averages.update({f"system/{key}": value for key, value in monitor.aggregate_metrics().items()})
            monitor.clear_metrics()
        return averages

    def _add(self, load: Callable[[], Callable[[], Monitor]], note: str) -> None:
        try:
            self.monitors.append(load()())
        except ImportError:
            self.notes.append(note)
        except RuntimeError as error:
            self.notes.append(f"GPU load is not recorded: {error}")


def _cpu_monitor() -> Callable[[], Monitor]:
    from mlflow.system_metrics.metrics.cpu_monitor import CPUMonitor

    return CPUMonitor


def _gpu_monitor() -> Callable[[], Monitor]:
    from mlflow.system_metrics.metrics.gpu_monitor import GPUMonitor

    return GPUMonitor
