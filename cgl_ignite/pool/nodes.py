"""Values of the nodes of one layer: left joined as the calls made them, taken apart only where that is asked for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from cgl_ignite.pool.plan import Call, Plan
from cgl_ignite.pool.precision import full

__all__ = ["Nodes", "PoolOutput", "padded"]


class Nodes:
    """The outputs of one layer, node by node; those of one call lie in one tensor, rows of one node after the other."""

    def __init__(self, values: Iterable[Tensor] = ()) -> None:
        self._values: dict[int, Tensor] = dict(enumerate(values))
        self._joined: dict[tuple[int, ...], tuple[Tensor, tuple[int, ...]]] = {}
        self._calls: dict[int, tuple[int, ...]] = {}
        self._count = len(self._values)

    def add(self, first: int, joined: Tensor, sizes: tuple[int, ...]) -> None:
        """Take the nodes of a call, numbered from ``first`` on, given their rows one after the other."""
        self._count += len(sizes)
        if len(sizes) == 1:
            self._values[first] = joined
            return
        nodes = tuple(range(first, first + len(sizes)))
        self._joined[nodes] = joined, sizes
        self._calls |= dict.fromkeys(nodes, nodes)

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, node: int) -> Tensor:
        if node not in self._values:
            nodes = self._calls[node]
            joined, sizes = self._joined[nodes]
            self._values |= zip(nodes, joined.split(sizes), strict=True)
        return self._values[node]

    def join(self, nodes: tuple[int, ...]) -> Tensor:
        """Return the rows of some nodes one after the other; nothing is copied if they lie so already."""
        if nodes in self._joined:
            return self._joined[nodes][0]
        return torch.cat([self[node] for node in nodes]) if len(nodes) > 1 else self[nodes[0]]

    def bytes_of(self, node: int) -> int:
        """Tell the size of a node without taking its call apart."""
        if node in self._values:
            return self._values[node].nbytes
        joined, sizes = self._joined[self._calls[node]]
        return joined.nbytes // sum(sizes) * sizes[node - self._calls[node][0]]

    def drop(self, node: int) -> None:
        """Let go of a node that nobody reads any more; of those that lie together, with the last one."""
        self._values.pop(node, None)
        nodes = self._calls.pop(node, None)
        if nodes and self._calls.keys().isdisjoint(nodes):
            self._joined.pop(nodes, None)

    def divide_gradient(self, node: int, readers: int) -> None:
        r"""Divide the gradient that reaches a node by the number n of nodes which read it.

        .. math:: \frac{\partial L}{\partial v} \leftarrow \frac{1}{n} \sum_{c = 1}^{n} \frac{\partial L_c}{\partial v}

        Back-propagation rescaling of Song & Chai (NeurIPS 2018): a trunk sees the mean of its branches' gradients.
        """
        if readers > 1 and self[node].requires_grad:
            value = self[node].view_as(self[node])
            value.register_hook(lambda gradient: gradient / readers)
            self._values[node] = value
            self._joined.pop(self._calls.pop(node, ()), None)


class PoolOutput:
    """What a planned forward pass leaves: logits, and what learned weights of imitation look at.

    Args:
        plan: that was run.
        logits: outputs of the last layer.
        features: inputs of the last layer.
        trunk: outputs of the last layer of the trunk, and the calls that made them; None without a trunk.
    """

    def __init__(self, plan: Plan, logits: Nodes, features: Nodes, trunk: tuple[Nodes, Sequence[Call]] | None) -> None:
        self.logits = [full(logits[node]) for node in range(len(logits))]
        """One tensor for each output node."""
        self._plan = plan
        self._features = features
        self._trunk = trunk

    def features(self, node: int) -> Tensor:
        """Return what the classifier of an output node reads."""
        for call in self._plan.layers[-1]:
            if call.first <= node < call.first + len(call.sources):
                return full(self._features[call.sources[node - call.first]])
        raise IndexError(f"no output node {node}")

    def trunk(self, batch: int) -> Tensor:
        """Return what the trunk makes of a batch."""
        nodes, calls = self._trunk or (Nodes(), ())
        for call in calls:
            if batch in call.batches:
                return full(nodes[call.first + call.batches.index(batch)])
        raise IndexError(f"no trunk has seen batch {batch}")


def padded(rows: Sequence[Tensor]) -> Tensor:
    """Stack tensors, the shorter ones filled up with zeros at their ends."""
    if len({len(values) for values in rows}) > 1:
        return pad_sequence(list(rows), batch_first=True)
    return torch.stack(list(rows))
