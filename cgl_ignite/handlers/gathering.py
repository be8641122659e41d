"""What the processes of a run hold for each other, brought together before it is read."""

from __future__ import annotations

from collections.abc import Sequence

from ignite.engine import Engine, Events

from cgl_ignite.distributed.gathering import compare_weights, gather_rows, statistics_rows
from cgl_ignite.distributed.peers import Peers
from cgl_ignite.distributed.portions import owner
from cgl_ignite.handlers.averages import TrainingAverages
from cgl_ignite.handlers.state import state_of
from cgl_ignite.handlers.weight_average import WeightAverage
from cgl_ignite.pool import ModularNetwork

__all__ = ["Gathering"]


class Gathering:
    """Give all processes the running statistics and sums of losses that each has computed for its students.

    Args:
        peers: the processes of the run.
        pool: the network that is trained.
        portion_of: for each student, its portion.
        averages: the sums of the epoch.
        average: of the weights, if there is one; it averages running statistics as well.

    Raises:
        RunFailed: the processes have different weights.
    """

    def __init__(
        self,
        peers: Peers,
        pool: ModularNetwork,
        portion_of: Sequence[int],
        averages: TrainingAverages,
        average: WeightAverage | None,
    ) -> None:
        self.peers = peers
        self.pool = pool
        self.portion_of = portion_of
        self.averages = averages
        self.average = average
        self._gathered: int | None = None

    def attach(self, engine: Engine) -> None:
        """Gather when an epoch ends, before anything of it is read."""
        engine.add_event_handler(Events.EPOCH_COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        iteration, processes, state = state_of(engine).iteration, self.peers.size, self.pool.state_dict()
        if iteration == self._gathered:
            return
        sums = [
            (column, owner(portion, processes))
            for column, portion in zip(self.averages.sums.T, self.portion_of, strict=True)
        ]
        averaged = {} if self.average is None else self.average.weights
        statistics = [
            row
            for kept in filter(None, (state, averaged))
            for row in statistics_rows(self.pool, kept, self.portion_of, processes)
        ]
        gather_rows(self.peers, [*statistics, *sums])
        compare_weights(self.peers, state, iteration)
        self._gathered = iteration

    def anyone(self, wish: bool) -> bool:
        """Tell all processes whether one of them wants something."""
        return bool(self.peers.agree([wish])[0])
