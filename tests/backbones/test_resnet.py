from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from cgl_ignite import compat  # noqa: F401  (before torchvision)
from cgl_ignite.backbones import BACKBONES, Backbone
from cgl_ignite.backbones.resnet import resnet8, resnet18, resnet34
from cgl_ignite.seeding import global_stream
from cgl_ignite.spec import InputSpec

from torchvision.models.resnet import BasicBlock, ResNet  # isort: skip

COLOUR = InputSpec("image", (3, 32, 32))
GREY = InputSpec("image", (1, 8, 8))


def parts(backbone: Backbone) -> list[nn.Module]:
    return [builder() for builder in (*backbone.layers, backbone.classifier)]


def counts(backbone: Backbone) -> list[int]:
    """Parameters of every layer and of the classifier; nothing is drawn."""
    with torch.device("meta"):
        return [sum(parameter.numel() for parameter in part.parameters()) for part in parts(backbone)]


@pytest.mark.parametrize(
    ("builder", "classes", "parameters"),
    [
        (resnet18, 10, 11_173_962),
        (resnet18, 100, 11_220_132),
        (resnet34, 10, 21_282_122),
        (resnet34, 100, 21_328_292),
    ],
)
def test_parameters_of_one_network(builder, classes: int, parameters: int) -> None:
    assert sum(counts(builder(COLOUR, classes))) == parameters


@pytest.mark.parametrize(
    ("builder", "blocks", "stages"),
    [
        (resnet18, (2, 2, 2, 2), (147_968, 525_568, 2_099_712, 8_393_728)),
        (resnet34, (3, 4, 6, 3), (221_952, 1_116_416, 6_822_400, 13_114_368)),
    ],
)
def test_parameters_of_stem_stages_and_classifier(builder, blocks: tuple[int, ...], stages: tuple[int, ...]) -> None:
    found = counts(builder(COLOUR, 100))
    assert (found[0], found[-1]) == (1_856, 51_300)
    ends = [1 + sum(blocks[: stage + 1]) for stage in range(4)]
    sums = [sum(found[end - count : end]) for end, count in zip(ends, blocks, strict=True)]
    assert tuple(sums) == stages
    assert ends[-1] == len(found) - 1


@pytest.mark.parametrize(("kind", "layers"), [("resnet8", 4), ("resnet18", 9), ("resnet34", 17)])
def test_number_of_layers(kind: str, layers: int) -> None:
    assert len(BACKBONES.get(kind)(COLOUR, 10, width=4).layers) == layers
    assert BACKBONES.facts(kind)["modality"] == "image"


def test_resnet18_is_torchvisions_with_a_small_stem() -> None:
    """Same weights, same logits: the order of layers, strides, shortcuts and pooling agree."""
    ours = nn.Sequential(*parts(resnet18(COLOUR, 7)))
    theirs = ResNet(BasicBlock, [2, 2, 2, 2], num_classes=7)
    theirs.conv1 = nn.Conv2d(3, 64, 3, padding=1, bias=False)
    theirs.maxpool = nn.Identity()
    weights = zip(theirs.state_dict(), ours.state_dict().values(), strict=True)
    theirs.load_state_dict(dict(weights))
    inputs = torch.randn(2, 3, 16, 16)
    torch.testing.assert_close(ours(inputs), theirs(inputs))
    torch.testing.assert_close(ours.eval()(inputs), theirs.eval()(inputs))


@pytest.mark.parametrize(("builder", "blocks"), [(resnet18, [2, 2, 2, 2]), (resnet34, [3, 4, 6, 3])])
def test_with_the_stem_of_imagenet_they_are_torchvisions(builder, blocks: list[int]) -> None:
    ours = nn.Sequential(*parts(builder(COLOUR, 7, stem="imagenet")))
    theirs = ResNet(BasicBlock, blocks, num_classes=7)
    theirs.load_state_dict(dict(zip(theirs.state_dict(), ours.state_dict().values(), strict=True)))
    inputs = torch.randn(2, 3, 64, 96)
    assert torch.equal(ours(inputs), theirs(inputs))
    assert torch.equal(ours.eval()(inputs), theirs.eval()(inputs))


@pytest.mark.parametrize(("builder", "last"), [(resnet8, 8), (resnet18, 4), (resnet34, 4)])
def test_widths_double_and_images_shrink(builder, last: int) -> None:
    values = torch.randn(2, 3, 32, 32)
    *layers, classifier = parts(builder(COLOUR, 5, width=2))
    for layer in layers:
        before, values = values, layer(values)
        assert values.shape[1] * values.shape[2] == 2 * 32
        assert before.shape[2] in (values.shape[2], 2 * values.shape[2])
    assert values.shape[2] == last
    assert classifier(values).shape == (2, 5)


def test_images_of_another_size_and_number_of_channels() -> None:
    network = nn.Sequential(*parts(resnet8(GREY, 10, width=3)))
    assert network(torch.randn(2, 1, 8, 8)).shape == (2, 10)


def test_a_builder_makes_a_fresh_module_each_time() -> None:
    for builder in resnet8(GREY, 10, width=2).layers:
        first, second = builder(), builder()
        pointers = [{p.data_ptr() for p in module.parameters()} for module in (first, second)]
        assert pointers[0].isdisjoint(pointers[1])
        assert any(not torch.equal(p, q) for p, q in zip(first.parameters(), second.parameters(), strict=True))


def test_convolutions_are_drawn_as_he_does_and_norms_start_as_the_identity() -> None:
    with global_stream(1, "trial"):
        layers = parts(resnet8(COLOUR, 10, width=32))[:-1]
    for layer in layers:
        for part in layer.modules():
            if isinstance(part, nn.Conv2d):
                fan_out = part.out_channels * math.prod(part.kernel_size)
                assert part.weight.std().item() == pytest.approx(math.sqrt(2 / fan_out), rel=0.1)
            elif isinstance(part, nn.BatchNorm2d):
                assert torch.equal(part.weight, torch.ones_like(part.weight))
                assert not part.bias.any()
