from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from torch import nn

from cgl_ignite.backbones.resnet import resnet8
from cgl_ignite.pool import modular_layers
from cgl_ignite.pool.pointwise import StridedPointwise, with_safe_convolutions
from cgl_ignite.spec import InputSpec

TRAIN = """
import torch
from torch import nn
from cgl_ignite.pool.pointwise import with_safe_convolutions
torch.set_num_threads(1)
for channels in (2, 4, 6):
    layer = with_safe_convolutions(nn.Conv2d(channels, 8, 1, 2, bias=False)).to(memory_format=torch.channels_last)
    for rows in (16, 7, 3, 33, 1) * 40:
        inputs = torch.randn(rows, channels, 8, 8).to(memory_format=torch.channels_last).requires_grad_()
        layer(inputs).sum().backward()
print("whole")
"""


@pytest.mark.parametrize(("stride", "bias", "size"), [(2, False, 8), (2, True, 7), ((1, 3), True, 8)])
def test_equals_the_ordinary_convolution_with_its_gradients(stride: int, bias: bool, size: int) -> None:
    ordinary = nn.Conv2d(4, 6, 1, stride, bias=bias).double()
    safe = with_safe_convolutions(nn.Sequential(ordinary))
    assert isinstance(safe[0], StridedPointwise)
    assert list(safe.state_dict()) == list(nn.Sequential(ordinary).state_dict())
    inputs = torch.randn(3, 4, size, size, dtype=torch.float64, requires_grad=True)
    expected, found = ordinary(inputs), safe(inputs)
    assert found.shape == expected.shape
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
    wanted = [inputs, *ordinary.parameters()]
    pairs = zip(*(torch.autograd.grad(result.square().sum(), wanted) for result in (found, expected)), strict=True)
    for one, other in pairs:
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(safe[0].plain()(inputs), expected, rtol=0, atol=0)


@pytest.mark.parametrize(
    "layer", [nn.Conv2d(16, 8, 1, 2), nn.Conv2d(4, 8, 1), nn.Conv2d(4, 8, 3, 2), nn.Conv2d(4, 4, 1, 2, groups=2)]
)
def test_other_convolutions_stay_as_they_are(layer: nn.Module) -> None:
    assert with_safe_convolutions(layer) is layer


@pytest.mark.parametrize("width", [1, 4, 12, 16, 20, 64])
def test_every_layer_of_a_pool_is_safe(width: int) -> None:
    builders = modular_layers(resnet8(InputSpec("image", (1, 8, 8)), 5, width=width))
    for part in nn.Sequential(*(build() for build in builders)).modules():
        if isinstance(part, nn.Conv2d) and part.kernel_size == (1, 1) and part.in_channels % 16:
            assert isinstance(part, StridedPointwise)


def test_training_leaves_the_memory_whole() -> None:
    done = subprocess.run([sys.executable, "-c", TRAIN], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "whole"), done.stderr
