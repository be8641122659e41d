"""The order in which the calls of a plan run: layer by layer, until nodes are large.

Small nodes run in one call. A large node, which fills a CPU's cache, goes on alone through layer after layer while it
is still in there, until it is small and has to wait for others. Activations are freed after their last use.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from torch import Tensor

from cgl_ignite.pool.nodes import Nodes
from cgl_ignite.pool.plan import Call, Plan

__all__ = ["Traversal"]


class Traversal:
    """One pass through a plan.

    Args:
        plan: what to run.
        batches: inputs of each batch.
        run: runs a call of a layer on the rows of its nodes.
        large: nodes of at least this many bytes are large.
        divide: whether a node passes on the mean, instead of the sum, of the gradients of its readers.
        kept: layers whose outputs are looked at afterwards; those of the last one always are.
    """

    def __init__(
        self,
        plan: Plan,
        batches: Sequence[Tensor],
        run: Callable[[int, Call, Tensor], Tensor],
        large: float,
        *,
        divide: bool,
        kept: Sequence[int],
    ) -> None:
        self.plan = plan
        self.sizes = tuple(len(batch) for batch in batches)
        self.run = run
        self.large = large
        self.divide = divide
        self.kept = {*kept, len(plan.layers)}
        self.values = [Nodes(batches), *(Nodes() for _ in plan.layers)]
        self._layers: list[_Layer] = []

    def __call__(self) -> list[Nodes]:
        """Run everything; return the values between the layers: what layer l reads is at l."""
        for depth, calls in enumerate(self.plan.layers):
            if self.values[depth].bytes_of(calls[0].sources[0]) >= self.large:
                self._layers = [_Layer(calls) for calls in self.plan.layers]
                for node in sorted(self._layers[depth].readers):
                    self._arrive(depth, node)
                break
            self._together(depth, calls)
        return self.values

    def _together(self, depth: int, calls: Sequence[Call]) -> None:
        """Run a whole layer."""
        if self.divide:
            for node, readers in _readers(calls).items():
                self.values[depth].divide_gradient(node, readers)
        for call in calls:
            self._go_through(depth, call)
        if depth not in self.kept:
            self.values[depth] = Nodes()

    def _arrive(self, depth: int, node: int) -> None:
        """Go on with a node that is there now, which the layer at this depth reads."""
        if depth == len(self._layers):
            return
        layer, values = self._layers[depth], self.values[depth]
        if self.divide:
            values.divide_gradient(node, layer.readers[node])
        for number in layer.calls_of[node]:
            if number not in layer.one_by_one:
                layer.one_by_one[number] = values.bytes_of(node) >= self.large
            for call in layer.ready(number, node):
                self._go_through(depth, call)
                if depth not in self.kept:
                    layer.free(values, call)
                for made in range(call.first, call.first + len(call.sources)):
                    self._arrive(depth + 1, made)

    def _go_through(self, depth: int, call: Call) -> None:
        result = self.run(depth, call, self.values[depth].join(call.sources))
        self.values[depth + 1].add(call.first, result, tuple(self.sizes[batch] for batch in call.batches))


def _readers(calls: Sequence[Call]) -> Counter[int]:
    """Count the nodes that read each node of the layer before."""
    return Counter(source for call in calls for source in call.sources)


class _Layer:
    """The calls of a layer, and what they wait for."""

    def __init__(self, calls: Sequence[Call]) -> None:
        self.calls = calls
        self.readers = _readers(calls)
        self.waiting = self.readers.copy()
        self.missing = [len(set(call.sources)) for call in calls]
        self.calls_of: dict[int, list[int]] = {}
        for number, call in enumerate(calls):
            for source in set(call.sources):
                self.calls_of.setdefault(source, []).append(number)
        self.one_by_one: dict[int, bool] = {}
        """Of calls that a node has reached: whether their nodes run one by one."""

    def ready(self, number: int, node: int) -> Sequence[Call]:
        """Return what of a call can run now that a node is there."""
        call = self.calls[number]
        if self.one_by_one[number]:
            return [part for part in call.split() if part.sources[0] == node]
        self.missing[number] -= 1
        return () if self.missing[number] else (call,)

    def free(self, values: Nodes, call: Call) -> None:
        """Drop what nobody reads after this call."""
        for source in call.sources:
            self.waiting[source] -= 1
            if not self.waiting[source]:
                values.drop(source)
