"""An average of the weights of all students, judged, selected and handed over in the place of the trained ones."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, TypeVar

from ignite.engine import Engine, Events
from torch import Tensor
from torch.optim.swa_utils import get_ema_multi_avg_fn

from cgl_ignite.averaging import KeptShare
from cgl_ignite.handlers.lending import lent
from cgl_ignite.handlers.state import state_of
from cgl_ignite.pool import ModularNetwork

__all__ = ["WeightAverage"]

T = TypeVar("T")


class WeightAverage:
    """Average the parameters of the pool and the running statistics of its students over the iterations.

    ``averaged`` is a copy of the pool that holds the average, once the run has started.

    Running statistics are averaged like the parameters, each student's by itself; they are not measured anew on the
    training part. Counters of batches are those of the training.

    Args:
        pool: the network that is trained; its students are established when the run starts.
        keep: the share that the average keeps of itself after an iteration.
        start: the epochs of an earlier stage, which do not count.
    """

    def __init__(self, pool: ModularNetwork, keep: KeptShare, start: int = 0) -> None:
        self.pool = pool
        self.keep = keep
        self.start = start
        self.averaged: ModularNetwork | None = None
        self.weights: dict[str, Tensor] = {}
        self._pairs: tuple[list[Tensor], list[Tensor]] = ([], [])

    def attach(self, engine: Engine) -> None:
        """Start from the initial weights, and take up the weights of every iteration."""
        engine.add_event_handler(Events.STARTED, self._start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        state = state_of(engine)
        length, before = state.epoch_length or 1, self.start * (state.epoch_length or 1)
        done, total = state.iteration - before, length * (state.max_epochs or 1) - before
        averaged, trained = self._pairs
        get_ema_multi_avg_fn(self.keep(done, total))(averaged, trained, None)

    def judged(self, judge: Callable[[], T]) -> Callable[[], T]:
        """Return a function that judges the average."""

        def judge_average() -> T:
            with self.lent():
                return judge()

        return judge_average

    def lent(self) -> AbstractContextManager[None]:
        """Lend the pool the averaged weights."""
        return lent(self.pool, self.pool_weights())

    def pool_weights(self) -> Mapping[str, Tensor]:
        """Return the state of the pool with averaged weights."""
        return {**self.pool.state_dict(), **self.weights}

    def state_dict(self) -> dict[str, Any]:
        """Return the average."""
        return dict(self.weights)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take up an average, once the students are established."""
        for name, value in self.weights.items():
            value.copy_(state[name])

    def _start(self, engine: Engine) -> None:
        self.averaged = copy.deepcopy(self.pool).requires_grad_(False).eval()
        kept = self.averaged.state_dict()
        live = {name: value for name, value in self.pool.state_dict().items() if value.is_floating_point()}
        self.weights = {name: kept[name] for name in live}
        self._pairs = list(self.weights.values()), list(live.values())
