"""One run of a graph, operation by operation: shapes, multiply-adds, and what a pool cannot allow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd
from torch.utils.flop_counter import FlopCounterMode

from cgl_ignite.backbones.cutting.draws import is_addressed, unchanged_randomness
from cgl_ignite.backbones.cutting.names import describe
from cgl_ignite.errors import InputError
from cgl_ignite.spec import InputSpec

__all__ = ["ROWS", "Measured", "example", "measure", "steady"]

ROWS = 3


@dataclass(frozen=True)
class Measured:
    """What a run tells of each operation: its multiply-adds, and the shape of its result.

    ``shapes`` are of the results that are one tensor of floating-point numbers whose rows are those of the inputs.
    """

    multiply_adds: Mapping[fx.Node, int]
    shapes: Mapping[fx.Node, tuple[int, ...]]


def example(spec: InputSpec, rows: int = ROWS) -> Tensor:
    """Return a few random inputs; texts have their full length."""
    if spec.modality == "text":
        return torch.randint(1, spec.vocabulary, (rows, *spec.shape))
    return torch.randn(rows, *spec.shape)


def steady(network: nn.Module) -> nn.Module:
    """Set a network to training, but for what a pool has its own version of: then rows do not depend on each other."""
    network.train()
    for part in network.modules():
        if isinstance(part, _BatchNorm) or is_addressed(part):
            part.eval()
    return network


def measure(network: nn.Module, graph: fx.Graph, inputs: Tensor) -> Measured:
    """Run a graph on a few inputs, and on one less.

    Raises:
        InputError: an operation that draws random numbers, a buffer that changes, or rows that depend on each other.
    """
    _check_modules(network)
    runner = fx.GraphModule(network, graph)
    steady(runner)
    buffers = {name: buffer.clone() for name, buffer in network.named_buffers()}
    first, second = _Recorder(runner), _Recorder(runner)
    with torch.no_grad():
        whole, part = first.run(inputs), second.run(inputs[1:])
    for name, buffer in network.named_buffers():
        if not torch.equal(buffer, buffers[name]):
            raise _refused(
                f"forward changes the buffer {name!r}: a pool keeps such values for each student only in batch "
                "normalisation"
            )
    if not torch.allclose(whole[1:], part, rtol=1e-3, atol=1e-4):
        raise _refused("the answer to one row depends on the other rows of its batch, and not by batch normalisation")
    rows = len(inputs)
    shapes = {node: shape for node, shape in first.shapes.items() if _has_rows(shape, second.shapes.get(node), rows)}
    return Measured(first.multiply_adds, shapes)


def _has_rows(shape: tuple[int, ...], other: tuple[int, ...] | None, rows: int) -> bool:
    return other is not None and shape[:1] == (rows,) and other[:1] == (rows - 1,)


def _check_modules(network: nn.Module) -> None:
    """Refuse what a pool has no version of."""
    for name, part in network.named_modules():
        if isinstance(part, _DropoutNd) and not is_addressed(part):
            kind = type(part).__name__
            raise _refused(f"{name!r} is a {kind}; a pool gives Dropout, Dropout1d, Dropout2d and Dropout3d an address")
        if not isinstance(part, _BatchNorm):
            continue
        if not type(part).__module__.startswith("torch.nn"):
            fault = (
                f"{name!r} is a {type(part).__name__}, batch normalisation of its own kind, which a pool cannot keep"
            )
            raise _refused(fault)
        if part.momentum is None or part.running_mean is None:
            raise _refused(f"{name!r}: batch normalisation in a pool needs running statistics with a momentum")


def _refused(fault: str) -> InputError:
    return InputError(fault, key="backbone")


class _Recorder(fx.Interpreter):
    def __init__(self, module: fx.GraphModule) -> None:
        super().__init__(module)
        self.multiply_adds: dict[fx.Node, int] = {}
        self.shapes: dict[fx.Node, tuple[int, ...]] = {}

    def run_node(self, n: fx.Node) -> Any:
        with unchanged_randomness() as drawn, FlopCounterMode(display=False) as counter:
            result = super().run_node(n)
        if drawn():
            raise _refused(
                f"{describe(n)} draws random numbers that a pool cannot give an address; dropout by a module or a "
                "function of torch.nn, StochasticDepth and DropPath can be"
            )
        self.multiply_adds[n] = counter.get_total_flops() // 2
        if isinstance(result, Tensor) and result.is_floating_point():
            self.shapes[n] = tuple(result.shape)
        return result
