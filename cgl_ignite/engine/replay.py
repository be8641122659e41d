"""Iterations that launch the same kernels again are replayed from a recording: CUDA graphs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from typing import Literal, Protocol

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from cgl_ignite.errors import InputError
from cgl_ignite.pool.dropout import AddressedDropout

__all__ = ["CudaRecorder", "GraphRecorder", "Replay", "find_recorder", "launch"]

Function = Callable[..., tuple[Tensor, ...]]
"""What an iteration does with its tensors: inputs, targets, tables."""

WARM_UP = 3
"""How often an iteration runs before it is recorded: libraries choose their kernels in the first ones."""
MOST = 16
"""Recordings that are kept; further kinds of iterations are launched."""
REMEMBERED = 4096
"""Kinds of iterations that are counted."""


class GraphRecorder(Protocol):
    """Records the kernels that a function launches."""

    def launch(self, function: Callable[[], tuple[Tensor, ...]]) -> tuple[Tensor, ...]:
        """Run a function as it will be recorded."""

    def record(self, function: Callable[[], tuple[Tensor, ...]]) -> tuple[Callable[[], object], tuple[Tensor, ...]]:
        """Record a function without running it; return what replays it, and its results, which a replay fills."""


class CudaRecorder:
    """CUDA graphs on a stream of their own, which share one pool of memory."""

    def __init__(self) -> None:
        self.stream = torch.cuda.Stream()
        self.memory = torch.cuda.graph_pool_handle()

    def launch(self, function: Callable[[], tuple[Tensor, ...]]) -> tuple[Tensor, ...]:
        """Run a function on the stream of the recordings."""
        self.stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self.stream):
            results = function()
        torch.cuda.current_stream().wait_stream(self.stream)
        return results

    def record(self, function: Callable[[], tuple[Tensor, ...]]) -> tuple[Callable[[], object], tuple[Tensor, ...]]:
        """Capture a function as a graph."""
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self.memory, stream=self.stream):
            results = function()
        return graph.replay, results


def launch(key: Hashable, function: Function, tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Run a function on its tensors, which are sent to the device of the first one."""
    device = tensors[0].device
    return function(*(tensor.to(device, non_blocking=True) for tensor in tensors))


class Replay:
    """Runs iterations like :func:`launch`; those of a kind that has come often enough are recorded and replayed.

    Args:
        recorder: how to record.
        optimizer: it learns to read its rate on the device, so that a replayed update sees it change.
    """

    def __init__(self, recorder: GraphRecorder, optimizer: Optimizer) -> None:
        self.recorder = recorder
        self.optimizer = optimizer
        self.seen: Counter[int] = Counter()
        self.recordings: dict[Hashable, _Recording] = {}

    def __call__(self, key: Hashable, function: Function, tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Run a function, or replay what was recorded for an equal key with other values in its tensors.

        Without a key it is never recorded.
        """
        if key not in self.recordings:
            self._prepare(tensors[0].device)
            if key is None or not self._often(key) or len(self.recordings) == MOST:
                return self.recorder.launch(lambda: launch(key, function, tensors))
            self.recordings[key] = _Recording(self.recorder, function, tensors)
        return self.recordings[key](tensors)

    def _often(self, key: Hashable) -> bool:
        """Count a key, by its hash; sub-groups that are drawn freely hardly ever come again, and are forgotten."""
        if len(self.seen) == REMEMBERED:
            self.seen.clear()
        self.seen[hash(key)] += 1
        return self.seen[hash(key)] > WARM_UP

    def _prepare(self, device: torch.device) -> None:
        for group in self.optimizer.param_groups:
            if "lr" in group:
                group["lr"] = torch.as_tensor(group["lr"], dtype=torch.float32).to(device)
            if "capturable" in group:
                group["capturable"] = True


class _Recording:
    """One recorded iteration, and the tensors that it reads."""

    def __init__(self, recorder: GraphRecorder, function: Function, tensors: Sequence[Tensor]) -> None:
        device = tensors[0].device
        self.tensors = [tensor.to(device, non_blocking=True, copy=True) for tensor in tensors]
        self.replay, self.results = recorder.record(lambda: function(*self.tensors))

    def __call__(self, tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
        for held, tensor in zip(self.tensors, tensors, strict=True):
            held.copy_(tensor, non_blocking=True)
        self.replay()
        return tuple(result.clone() for result in self.results)


def find_recorder(
    wanted: bool | Literal["auto"], device: torch.device, pool: nn.Module, *, alike: bool
) -> GraphRecorder | None:
    """Return a recorder if ``run.graphs`` asks for one, or if it is ``auto`` and iterations can be replayed.

    Args:
        wanted: ``run.graphs``.
        device: of the run.
        pool: whose iterations are replayed.
        alike: whether all iterations launch the same kernels.

    Raises:
        InputError: there is no GPU to record for, or masks of dropout, which are drawn anew for every iteration.
    """
    drops = any(isinstance(part, AddressedDropout) and part.p for part in pool.modules())
    if wanted == "auto":
        return CudaRecorder() if device.type == "cuda" and alike and not drops else None
    if not wanted:
        return None
    if device.type != "cuda":
        raise InputError("run.graphs = true: only a GPU can replay iterations; leave it out on a CPU")
    if drops:
        raise InputError("run.graphs = true: a network with dropout cannot be replayed; set backbone.dropout = 0.0")
    return CudaRecorder()
