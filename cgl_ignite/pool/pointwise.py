"""1 x 1 convolutions with a stride, computed in a way that is safe on every CPU.

The backward pass of oneDNN for them, as it comes with PyTorch 2.13, writes beyond its result where images lie channels
last and the channels do not fill the CPU's vectors. The process then dies sooner or later.

Reference: https://github.com/uxlfoundation/oneDNN/issues/6035
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from cgl_ignite.pool.replace import replace_layers

__all__ = ["StridedPointwise", "with_safe_convolutions"]

VECTOR = 16
"""Floats in the widest vector of a CPU; channels that are a multiple of it are safe."""


class StridedPointwise(nn.Conv2d):
    """A 1 x 1 convolution with a stride: the pixels that it reads are picked first, then convolved with stride 1.

    Shape: inputs (B, C, H, W); result (B, C', ceil(H / stride), ceil(W / stride)).

    Args:
        convolution: whose weight and bias are shared.
    """

    def __init__(self, convolution: nn.Conv2d) -> None:
        sizes = (convolution.in_channels, convolution.out_channels, convolution.kernel_size, convolution.stride)
        super().__init__(*sizes, bias=convolution.bias is not None, device="meta")  # type: ignore[arg-type]
        self.weight, self.bias = convolution.weight, convolution.bias

    def forward(self, inputs: Tensor) -> Tensor:
        lines, columns = self.stride
        return F.conv2d(inputs[..., ::lines, ::columns], self.weight, self.bias)

    def plain(self) -> nn.Conv2d:
        """Return the ordinary layer with these weights, for scoring."""
        sizes = (self.in_channels, self.out_channels, self.kernel_size, self.stride)
        ordinary = nn.Conv2d(*sizes, bias=self.bias is not None, device="meta")  # type: ignore[arg-type]
        ordinary.weight, ordinary.bias = self.weight, self.bias
        return ordinary


def with_safe_convolutions(module: nn.Module) -> nn.Module:
    """Replace the layers of a module that this file is about."""
    return replace_layers(module, _safe)


def _safe(part: nn.Module) -> nn.Module | None:
    if type(part) is not nn.Conv2d or part.in_channels % VECTOR == 0:
        return None
    strided = part.kernel_size == (1, 1) and part.stride != (1, 1) and part.padding == (0, 0) and part.groups == 1
    return StridedPointwise(part) if strided else None
